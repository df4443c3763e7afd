"""How each worker last found the servers: what workers tell one another, and `kogge status` a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select

from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.schema import health
from ledger.db.upsert import upsert

FRESH_SECONDS = 20.0
"""Older rows are of a worker that has ended, or has nothing to do there."""


@dataclass(frozen=True, slots=True)
class Health:
    """calls, errors, latency (seconds a call): of its newest period. pace: 1 is full speed, 0 halted. legs:
    how many it would have at work there."""

    system: str
    worker: str
    calls: int
    errors: int
    latency: float
    pace: float
    legs: int = 0


_COLUMNS = (
    health.c.system,
    health.c.worker,
    health.c.calls,
    health.c.errors,
    health.c.latency,
    health.c.pace,
    health.c.legs,
)


def report(ledger: LedgerHandle, rows: Iterable[Health]) -> None:
    """In place of what the same workers said before; by the database's clock."""
    told = list(rows)
    if not told:
        return
    with writing(ledger.engine) as connection:
        for row in told:
            values = {
                "at": now(),
                "calls": row.calls,
                "errors": row.errors,
                "latency": row.latency,
                "pace": row.pace,
                "legs": row.legs,
            }
            statement = upsert(connection, health).values(system=row.system, worker=row.worker, **values)
            keys = ["system", "worker"]
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


def newest(ledger: LedgerHandle, seconds: float = FRESH_SECONDS) -> list[Health]:
    """What was said within so many seconds, by system and worker."""
    query = select(*_COLUMNS).where(health.c.at > now() - seconds)
    with reading(ledger.engine) as connection:
        rows = connection.execute(query.order_by(health.c.system, health.c.worker))
        return [Health(*row) for row in rows]


def leave(ledger: LedgerHandle, worker: str) -> None:
    """The worker has ended."""
    with writing(ledger.engine) as connection:
        connection.execute(delete(health).where(health.c.worker == worker))
