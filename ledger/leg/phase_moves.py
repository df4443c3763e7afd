"""Which moves of a mailbox from phase to phase this ledger has: the events of its chains that record them.

A ledger that was restored from a backup lacks those that were made since. An event is known by the beginning
of its hash, which covers the time and all events before it: two ledgers never have the same one by chance.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ledger.db.audit_log import chain_of, newest_event
from ledger.db.readers import chunked
from ledger.db.rows import Phase
from ledger.db.schema import event, mailbox

MOVED = "phase"
"""The event of a move."""
BEHIND = "phase-behind"
"""The event of a pass that found a move that the ledger does not have."""
COUNT = "moves"
"""In the detail of BEHIND: the count of the move that was found."""
ANSWERED = "answers"
"""In the detail of MOVED: the highest COUNT that a person knew of who set the phase all the same."""
ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Moves:
    """phase: in which the mailbox is. ids: of the moves that the ledger has; newest: of the last, "" where
    there is none. answered: up to this count a person has answered for moves that the ledger does not have.
    count: of the newest move; higher than `answered`, and than that of every move before it."""

    phase: Phase
    ids: frozenset[str]
    newest: str
    answered: int

    @property
    def count(self) -> int:
        return self.answered + len(self.ids)


def read(connection: Connection, mailbox_id: str) -> Moves:
    """Reads the moves of a mailbox that the ledger knows."""
    phase = connection.execute(select(mailbox.c.phase).where(mailbox.c.id == mailbox_id)).scalar_one()
    last = newest_event(connection, mailbox_id, MOVED, chain_of(connection, mailbox_id))
    query = select(event.c.hash).where(event.c.subject == mailbox_id, event.c.kind == MOVED)
    return Moves(
        Phase(phase),
        frozenset(_id(one) for one in connection.scalars(query)),
        "" if last is None else _id(last.hash),
        _most(connection, mailbox_id, MOVED, ANSWERED),
    )


def to_answer(connection: Connection, mailbox_id: str) -> int:
    """Returns the highest count of a move that a pass found and that nobody has answered for yet; else 0."""
    told = _most(connection, mailbox_id, BEHIND, COUNT)
    return told if told > _most(connection, mailbox_id, MOVED, ANSWERED) else 0


def unanswered(connection: Connection, mailbox_ids: Collection[str]) -> set[str]:
    """Returns those of the mailboxes of which a person has to set the phase, though it be the same."""
    told: set[str] = set()
    for chunk in chunked(sorted(set(mailbox_ids))):
        query = select(event.c.subject).where(event.c.kind == BEHIND, event.c.subject.in_(chunk))
        told.update(connection.scalars(query))
    return {one for one in told if to_answer(connection, one)}


def _id(digest: bytes) -> str:
    return bytes(digest).hex()[:ID_DIGITS]


def _most(connection: Connection, mailbox_id: str, kind: str, name: str) -> int:
    query = select(event.c.detail).where(event.c.subject == mailbox_id, event.c.kind == kind)
    return max((int(json.loads(one).get(name, 0)) for one in connection.scalars(query)), default=0)
