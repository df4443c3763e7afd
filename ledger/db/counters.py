"""Count what only the processes know, in memory, until it is added to the table `counter`.

A process adds what it counted every few seconds (ledger.views.server_health), so that a killed one loses
little. The table holds sums over all processes that ever were, and so they only grow.
"""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select

from ledger.db.schema import counter
from ledger.db.upsert import upsert
from model.errors import Transient

OPTION = "counters"
"""The execution option of an engine that holds its counters."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))
"""The upper bounds of the buckets of a transaction's seconds."""
TRANSACTIONS, SECONDS, ERRORS = "ledger-transactions", "ledger-transaction-seconds", "ledger-errors"
CALLS, FAULTS, CALL_SECONDS = "server-calls", "server-faults", "server-call-seconds"
LEG_ENDS = "leg-ends"

Key = tuple[str, tuple[str, ...]]
"""The name of a counter, and the values of its labels."""


class Counters:
    """Hold what one process counted and has not yet added to the ledger. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: defaultdict[Key, float] = defaultdict(float)

    def add(self, name: str, *labels: str, amount: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._values[name, labels] += amount

    def take(self) -> Mapping[Key, float]:
        """Return what was counted since the last call, and forget it."""
        with self._lock:
            values, self._values = self._values, defaultdict(float)
        return values

    def give_back(self, values: Mapping[Key, float]) -> None:
        """Count again what could not be added to the ledger."""
        for (name, labels), amount in values.items():
            self.add(name, *labels, amount=amount)

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Measure a transaction, from its begin until it is committed.

        Args:
            kind: "read" or "write".
        """
        began = time.perf_counter()
        try:
            yield
        except Transient as error:
            self.add(ERRORS, error.code)
            raise
        finally:
            seconds = time.perf_counter() - began
            bucket = BUCKETS[bisect_left(BUCKETS, seconds)]
            with self._lock:
                self._values[TRANSACTIONS, (kind, str(bucket))] += 1
                self._values[SECONDS, (kind,)] += seconds


def counters_of(engine: Engine) -> Counters:
    """Return the counters of an engine that ledger.db.engine.make_engine made."""
    counters: Counters = engine.get_execution_options()[OPTION]
    return counters


def write(connection: Connection, values: Mapping[Key, float]) -> None:
    """Add values to the counters of the ledger. Not idempotent.

    Args:
        connection: in a write transaction.
        values: what was counted.
    """
    if not values:
        return
    # In one order, so that two processes never wait for each other's rows.
    rows = [
        {"name": name, "labels": json.dumps(labels), "value": float(amount)}
        for (name, labels), amount in sorted(values.items())
    ]
    statement = upsert(connection, counter)
    total = counter.c.value + statement.excluded.value
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name", "labels"], set_={"value": total}), rows
    )


def read(connection: Connection) -> dict[Key, float]:
    """Return the counters of the ledger."""
    rows = connection.execute(select(counter.c.name, counter.c.labels, counter.c.value))
    return {(name, tuple(json.loads(labels))): value for name, labels, value in rows}
