"""Hold the one connection of a leg's worker. The lease's epoch fences every transaction that writes (R6)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Self

from sqlalchemy import Connection, Engine

from ledger.db.counters import counters_of
from ledger.db.engine import isolation, translated
from ledger.db.leases import fence
from ledger.db.rows import Lease
from ledger.leg.count_cache import Census


class LegConnection:
    """Hold the connection of one leg's worker. Belongs to one thread; a context manager."""

    def __init__(self, engine: Engine, lease: Lease) -> None:
        self._engine = engine
        self._lease = lease
        self._counters = counters_of(engine)
        self._open: Connection | None = None
        self._for_writes: bool | None = None  # what the options of that connection are for
        self._writes = 0  # transactions that write, begun so far
        self._census = Census(self._transaction, lease.leg)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back. Idempotent."""
        connection, self._open = self._open, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _transaction(self, *, writes: bool, touches: Collection[int] | None = None) -> Iterator[Connection]:
        """Begin a transaction; see ledger.db.engine.Transaction."""
        if writes:
            self._writes += 1
            for container_id in (None,) if touches is None else touches:
                self._census.touched(container_id)
        with self._counters.timed("write" if writes else "read"), translated():
            if self._open is None:
                self._open, self._for_writes = self._engine.connect(), None
            if self._for_writes is not writes:
                self._open.execution_options(**isolation(self._engine, writes=writes))
                self._for_writes = writes
            with self._open.begin():
                if writes:
                    fence(self._open, self._lease)
                yield self._open

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=False)

    def _writing(self, touches: Collection[int] | None) -> AbstractContextManager[Connection]:
        return self._transaction(writes=True, touches=touches)
