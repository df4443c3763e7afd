"""Refuse to write where others than the owner of a mailbox may read it.

Some servers give a new folder the rights of another one: Dovecot those of the folder that it is in, Cyrus
those of the inbox. So whoever may read the inbox of an account early would read the whole new mailbox, and
nobody would see that.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.context.leg_context import LegContext
from ledger.db.rows import ContainerRow, State
from model.errors import Blocked
from model.readers import TellsReaders

CODE = "readable-by-others"
BEGUN = frozenset({State.WRITING, State.WRITTEN, State.VERIFIED, State.CHANGED, State.LEAVING})


def refuse_readable(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """Refuse folders that others may see or read, before the first item is written into each of them.

    A folder that holds something of ours is not asked about again; `kogge check` asks about all. In the live
    phase nothing is asked: whom its owner lets read a folder is their own affair. Nor is it once the workload
    of permissions has given rights, which a new folder may inherit: its verification names what is too much.

    Args:
        leg: the open leg.
        rows: the containers of the leg, with their places.

    Raises:
        Blocked: `readable-by-others`, unless a person approved that.
    """
    if not leg.mirror or not isinstance(leg.target, TellsReaders) or leg.approved(CODE):
        return
    hrefs = sorted({row.href for row in rows if row.href is not None and _is_first(leg, row)})
    if hrefs and not leg.ledger.gives_rights() and leg.target.readers(hrefs).open:
        raise Blocked(CODE, "others than its owner may read what would be written")


def _is_first(leg: LegContext, row: ContainerRow) -> bool:
    counts = leg.ledger.counts(row.id)
    return bool(counts.get(State.SEEN)) and not counts.keys() & BEGUN
