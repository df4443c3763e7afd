"""What the parts of the ledger need of an open ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import Engine

from ledger.db.audit_log import Event


class LedgerHandle(Protocol):
    """An open ledger: ledger.store.Ledger is one."""

    @property
    def engine(self) -> Engine: ...

    def event(
        self, wave: str, kind: str, detail: Mapping[str, str | int], *, subject: str | None = None
    ) -> Event:
        """Records a decision about a wave, or about a subject (a mailbox id) in it."""
        ...
