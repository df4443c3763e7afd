"""Record how each worker last found the servers, for the other workers and for `kogge status`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from ledger.db.counters import counters_of, write
from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.schema import health
from ledger.db.upsert import upsert

FRESH_SECONDS = 20.0
"""Older rows are of a worker that has ended, or that has nothing to do there."""


@dataclass(frozen=True, slots=True)
class Health:
    """Describe a server as a worker last found it.

    Attributes:
        system: the server's side and name.
        worker: who measured it.
        calls: in its newest period.
        errors: in its newest period.
        latency: seconds for one call, in its newest period.
        pace: 1 is full speed, 0 is halted.
        legs: how many the worker would run there.
    """

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
    """Replace what the same workers reported before, with the time of the database's clock.

    What this process counted since is added to the ledger's counters with it (ledger.db.counters).
    """
    reports = list(rows)
    if not reports:
        return
    with _counting(ledger) as connection:
        for row in reports:
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
    """Return what was reported within so many seconds, by system and worker."""
    query = select(*_COLUMNS).where(health.c.at > now() - seconds)
    with reading(ledger.engine) as connection:
        rows = connection.execute(query.order_by(health.c.system, health.c.worker))
        return [Health(*row) for row in rows]


def leave(ledger: LedgerHandle, worker: str) -> None:
    """Delete the reports of a worker that has ended, and add what its process counted since. Idempotent."""
    with _counting(ledger) as connection:
        connection.execute(delete(health).where(health.c.worker == worker))


@contextmanager
def _counting(ledger: LedgerHandle) -> Iterator[Connection]:
    """Begin a write transaction that adds what this process counted to the ledger's counters."""
    counters = counters_of(ledger.engine)
    values = counters.take()
    try:
        with writing(ledger.engine) as connection:
            yield connection
            write(connection, values)
    except BaseException:
        counters.give_back(values)
        raise
