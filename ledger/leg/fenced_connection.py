"""Hold the one connection of a leg's worker. The lease's epoch fences every transaction that writes (R6)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Self

from sqlalchemy import Connection, Engine

from ledger.db.counters import counters_of
from ledger.db.engine import isolation, translated
from ledger.db.leases import fence
from ledger.db.rows import ContainerRow, Lease
from ledger.leg.count_cache import Census
from ledger.leg.few_items import FewItems


class LegConnection:
    """Hold the connection of one leg's worker. Belongs to one thread; a context manager."""

    def __init__(self, engine: Engine, lease: Lease) -> None:
        self._engine = engine
        self._lease = lease
        self._counters = counters_of(engine)
        self._open: Connection | None = None
        self._for_writes: bool | None = None  # what the options of that connection are for
        self._rows: list[ContainerRow] | None = None  # the leg's containers; None: not certain
        self._census = Census(self._transaction, lease.leg)
        self._few = FewItems(self._transaction, lease.leg, self._census)

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
    def _transaction(
        self, *, writes: bool, touches: Collection[int] | None = None, places: bool = True
    ) -> Iterator[Connection]:
        """Begin a transaction; see ledger.db.engine.Transaction."""
        if writes and places:
            self._rows = None
        if writes:
            for container_id in (None,) if touches is None else touches:
                self._touch(container_id)
        with self._counters.timed("write" if writes else "read"), translated(self._engine):
            if self._open is None:
                self._open, self._for_writes = self._engine.connect(), None
            if self._for_writes is not writes:
                self._open.execution_options(**isolation(self._engine, writes=writes))
                self._for_writes = writes
            with self._open.begin():
                if writes:
                    fence(self._open, self._lease)
                yield self._open

    def _touch(self, container_id: int | None) -> None:
        """Forget what is known of a container's items, which are about to change; None: of any."""
        self._census.touched(container_id)
        self._few.touched(container_id)

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=False)

    def _writing(self, touches: Collection[int] | None) -> AbstractContextManager[Connection]:
        """Begin to write what is no part of a container's row."""
        return self._transaction(writes=True, touches=touches, places=False)

    def _placing(self, touches: Collection[int] = ()) -> AbstractContextManager[Connection]:
        """Begin to write rows of containers, which are read again unless the caller keeps them itself."""
        return self._transaction(writes=True, touches=touches)

    def _keep_rows(self, before: list[ContainerRow] | None, changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Keep the containers' rows with new values, by container and column, once they are committed."""
        if before is not None:
            self._rows = [
                replace(row, **values) if (values := changes.get(row.id)) else row for row in before
            ]
