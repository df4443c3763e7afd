"""Record how many older versions of a file the target should have because of us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select

from ledger.db.engine import Transaction
from ledger.db.readers import chunked
from ledger.db.schema import version
from model.kinds import KINDS
from model.protocols import Mapped, Stored


class VersionLedger:
    """Read the counts of older versions of one leg's files, in the transactions of its worker."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def of(self, container_id: int) -> Mapping[bytes, int]:
        """Return a container's counts by item key; files without older versions are absent."""
        query = select(version.c.key, version.c.count).where(version.c.container == container_id)
        with self._transaction(writes=False) as connection:
            return {bytes(key): count for key, count in connection.execute(query.order_by(version.c.key))}


def intend(connection: Connection, container_id: int, mapped: Iterable[Mapped]) -> None:
    """Record how many older versions new files will have.

    A file that is replaced keeps those that it has, and perhaps gets one more: settle() learns that from the
    target.
    """
    new = [entry.item for entry in mapped if KINDS[entry.item.kind].versions and entry.item.replaces is None]
    _put(connection, container_id, {item.key: len(item.versions) for item in new})


def settle(connection: Connection, container_id: int, stored: Iterable[Stored]) -> None:
    """Record how many older versions the files have, if the target said so."""
    counts = {copy.key: copy.versions for copy in stored if copy.versions is not None}
    _put(connection, container_id, counts)


def _put(connection: Connection, container_id: int, counts: Mapping[bytes, int]) -> None:
    for chunk in chunked(sorted(counts)):
        connection.execute(
            delete(version).where(version.c.container == container_id, version.c.key.in_(chunk))
        )
    rows = [{"container": container_id, "key": key, "count": count} for key, count in counts.items() if count]
    if rows:
        connection.execute(insert(version), rows)
