"""Read which moves of a mailbox from phase to phase this ledger has: the events of its chains about them.

A ledger that was restored from a backup lacks those that were made since. An event is identified by the
beginning of its hash, which covers the time and all events before it: two ledgers never have the same one by
chance.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, select

from ledger.db.readers import chunked
from ledger.db.rows import Phase
from ledger.db.schema import event, mailbox

MOVED = "phase"
"""The event of a move."""
BEHIND = "phase-behind"
"""The event of a pass that found a move that the ledger does not have."""
COUNT = "moves"
"""A key in the detail of BEHIND: the count of the move that was found."""
ANSWERED = "answers"
"""A key in the detail of MOVED: the highest COUNT that a person knew of who set the phase in spite of it."""
ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Moves:
    """Describe the moves of a mailbox.

    Attributes:
        phase: in which the mailbox is.
        ids: of the moves that the ledger has.
        newest: the id of the last move; "" if there is none.
        answered: up to this count a person has answered for moves that the ledger does not have.
    """

    phase: Phase
    ids: frozenset[str]
    newest: str
    answered: int

    @property
    def count(self) -> int:
        """Return the count of the newest move.

        It is higher than `answered`, and than the count of every move before it.
        """
        return self.answered + len(self.ids)


def read(connection: Connection, mailbox_id: str) -> Moves:
    """Return the moves of a mailbox that the ledger has."""
    rows = connection.execute(_MOVES, {"of": mailbox_id}).all()
    moves = [row for row in rows if row.hash is not None]
    # As audit_log.newest_event: the order of the wave's own chain decides, not the time.
    last = max(moves, key=lambda row: (row.chain == row.wave, row.seq), default=None)
    return Moves(
        Phase(rows[0].phase),
        frozenset(_id(row.hash) for row in moves),
        "" if last is None else _id(last.hash),
        _highest((row.detail for row in moves), ANSWERED),
    )


_MOVES = (
    select(
        mailbox.c.phase,
        mailbox.c.wave,
        event.c.wave.label("chain"),
        event.c.seq,
        event.c.hash,
        event.c.detail,
    )
    .select_from(mailbox.outerjoin(event, and_(event.c.subject == mailbox.c.id, event.c.kind == MOVED)))
    .where(mailbox.c.id == bindparam("of"))
)


def to_answer(connection: Connection, mailbox_id: str) -> int:
    """Return the highest count of a move that a pass found and that nobody has answered for yet; else 0."""
    count = _most(connection, mailbox_id, BEHIND, COUNT)
    return count if count > _most(connection, mailbox_id, MOVED, ANSWERED) else 0


def unanswered(connection: Connection, mailbox_ids: Collection[str]) -> set[str]:
    """Return those of the mailboxes whose phase a person has to set, even if it stays the same."""
    behind: set[str] = set()
    for chunk in chunked(sorted(set(mailbox_ids))):
        query = select(event.c.subject).where(event.c.kind == BEHIND, event.c.subject.in_(chunk))
        behind.update(connection.scalars(query))
    return {mailbox_id for mailbox_id in behind if to_answer(connection, mailbox_id)}


def _id(digest: bytes) -> str:
    return bytes(digest).hex()[:ID_DIGITS]


def _most(connection: Connection, mailbox_id: str, kind: str, name: str) -> int:
    query = select(event.c.detail).where(event.c.subject == mailbox_id, event.c.kind == kind)
    return _highest(connection.scalars(query), name)


def _highest(details: Iterable[str], name: str) -> int:
    return max((int(json.loads(detail).get(name, 0)) for detail in details), default=0)
