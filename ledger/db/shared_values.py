"""Keep small values that all workers of a ledger change together, each in one locked row of meta."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import delete, select, update

from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.schema import meta
from ledger.db.upsert import upsert

T = TypeVar("T")


def change_value(ledger: LedgerHandle, name: str, change: Callable[[str, float], tuple[str, T]]) -> T:
    """Replace one value in one transaction; workers that change the same value do so one after the other.

    Args:
        ledger: the ledger.
        name: the name of the value.
        change: called with the value, "" if there is none, and with the time by the database's clock, in
            seconds since 1970; returns the new value and the result.

    Returns:
        The result.

    Raises:
        MigrationError: as of ledger.db.engine.translated; after Transient the value may have been replaced.
    """
    with writing(ledger.engine) as connection:
        connection.execute(upsert(connection, meta).values(name=name, value="").on_conflict_do_nothing())
        row = connection.execute(select(meta.c.value).where(meta.c.name == name).with_for_update())
        value = row.scalar_one()
        # Asked after the row is locked: waiting for it may take its time.
        replaced, result = change(value, connection.execute(select(now())).scalar_one())
        if replaced != value:
            connection.execute(update(meta).where(meta.c.name == name).values(value=replaced))
        return result


def read_value(ledger: LedgerHandle, name: str) -> tuple[str, float]:
    """Return a value, "" if there is none, and the time by the database's clock."""
    with reading(ledger.engine) as connection:
        value = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()
        return value or "", connection.execute(select(now())).scalar_one()


def drop_value(ledger: LedgerHandle, name: str) -> None:
    """Delete a value. Idempotent."""
    with writing(ledger.engine) as connection:
        connection.execute(delete(meta).where(meta.c.name == name))
