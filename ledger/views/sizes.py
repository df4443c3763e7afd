"""Read how much there is of each mailbox, and how much is done: by a dry run, a check or a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.readers import in_wave
from ledger.db.rows import LegState
from ledger.db.schema import checked, container, is_open, item, leg, mailbox
from model.kinds import Kind

LISTED = (LegState.COPIED, LegState.DIFFERS, LegState.VERIFIED)


@dataclass(frozen=True, slots=True)
class Amount:
    """Measure one workload.

    Attributes:
        items: known.
        bytes: of these.
        left: items that a pass still owes something.
        left_bytes: bytes of these.
        whole: True if its last pass, or a dry run, came to the end; False if this is only what was listed so
            far.
    """

    items: int
    bytes: int
    left: int
    left_bytes: int
    whole: bool = True


def amounts(ledger: LedgerHandle, wave: str | None = None) -> Mapping[str, Mapping[Kind, Amount]]:
    """Return amounts by mailbox id and workload, of what was ever listed, wholly or in part."""
    ended = or_(leg.c.state.in_([state.value for state in LISTED]), leg.c.code == "dry-run")
    columns = (leg.c.id, leg.c.mailbox, leg.c.workload, leg.c["items"], leg.c.done, leg.c.bytes, ended)
    listed = or_(ended, leg.c["items"] > 0)
    query = select(*columns).select_from(leg.join(mailbox)).where(listed, in_wave(wave))
    by_mailbox: dict[str, dict[Kind, Amount]] = {}
    with reading(ledger.engine) as connection:
        rows = connection.execute(query.order_by(leg.c.id)).all()
        waiting = _open_bytes(connection, wave)
        for number, owner, workload, items, done, size, whole in rows:
            left, more = max(0, items - done), waiting.get(number, 0)
            amount = Amount(items, int(size) + more, left, more if left else 0, bool(whole))
            by_mailbox.setdefault(owner, {})[Kind(workload)] = amount
    return by_mailbox


def checks(ledger: LedgerHandle, wave: str | None = None) -> Mapping[str, tuple[int, int]]:
    """Return, by mailbox id, the items and bytes that the newest preflight found at the source."""
    columns = (checked.c.mailbox, checked.c["items"], checked.c.bytes)
    tables = checked.join(mailbox)
    query = select(*columns).select_from(tables).where(checked.c["items"] > 0, in_wave(wave))
    with reading(ledger.engine) as connection:
        return {number: (items, int(size)) for number, items, size in connection.execute(query)}


def _open_bytes(connection: Connection, wave: str | None) -> dict[int, int]:
    """Return, by leg, the bytes of items that are not settled yet, by the source's word.

    It walks once through the index of open items.
    """
    size = func.coalesce(func.sum(item.c.size), 0)
    tables = item.join(container, container.c.id == item.c.container).join(leg).join(mailbox)
    query = select(leg.c.id, size).select_from(tables).where(is_open(), in_wave(wave)).group_by(leg.c.id)
    return {number: int(total) for number, total in connection.execute(query)}
