"""Carry out a person's decision in one transaction: all of it with its events, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection

from ledger.db import audit_log, leases
from ledger.db.audit_log import Event
from ledger.db.engine import writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.rows import LegState
from ledger.db.schema import leg
from ledger.plan import mailboxes


class Decision:
    """Write what was decided of a wave. Workloads come before events, as wherever both are locked.

    Args:
        connection: in a write transaction.
        wave: the wave of the chain that records it.
    """

    def __init__(self, connection: Connection, wave: str) -> None:
        self._connection = connection
        self._wave = wave

    def requeue(self, legs: Collection[int], states: Collection[LegState], *, rejected: bool) -> int:
        """Set legs back to pending; return how many. See ledger.store.Ledger.requeue."""
        parts = [leg.c.id.in_(chunk) for chunk in chunked({*legs})]
        return sum(leases.requeue(self._connection, part, states, rejected) for part in parts)

    def approve(
        self, subject: str, code: str, detail: Mapping[str, str | int], signature: bytes | None = None
    ) -> Event:
        """Record that a person takes responsibility. See ledger.store.Ledger.approve."""
        told = {**detail, "code": code}
        if not subject.startswith("wave:"):
            told["seen"] = mailboxes.seen_of(self._connection, subject)
        return audit_log.append_event(
            self._connection, self._wave, f"approved:{code}", told, subject=subject, signature=signature
        )

    def event(self, kind: str, detail: Mapping[str, str | int], *, subject: str | None = None) -> Event:
        """Record an event of the wave, or of a mailbox in it."""
        return audit_log.append_event(self._connection, self._wave, kind, detail, subject=subject)


@contextmanager
def deciding(ledger: LedgerHandle, wave: str) -> Iterator[Decision]:
    """Begin a decision. It counts from the end of the block on; an exception takes it back.

    Raises:
        MigrationError: see ledger.db.engine.writing.
    """
    with writing(ledger.engine) as connection:
        yield Decision(connection, wave)
