"""Define what the parts of the ledger need of an open ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import Engine

from ledger.db.audit_log import Event


class LedgerHandle(Protocol):
    """Give access to an open ledger. ledger.store.Ledger is one."""

    @property
    def engine(self) -> Engine:
        """Return the engine of the ledger's database."""
        ...

    def event(
        self, wave: str, kind: str, detail: Mapping[str, str | int], *, subject: str | None = None
    ) -> Event:
        """Record a decision about a wave, or about a subject (a mailbox id) in it.

        It is a transaction of its own. Not idempotent: each call adds an event. If it raises Transient, the
        event may have been recorded.
        """
        ...
