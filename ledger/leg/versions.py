"""How many older versions of a file the target should have because of us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select

from ledger.db.engine import Transaction
from ledger.db.readers import chunked
from ledger.db.schema import version
from model.protocols import Kind, Mapped, Stored


class VersionLedger:
    """Those of one leg's files, in the transactions of its worker."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def of(self, container_id: int) -> Mapping[bytes, int]:
        """By item; of files without any there is nothing."""
        query = select(version.c.key, version.c.count).where(version.c.container == container_id)
        with self._transaction(writes=False) as connection:
            return {bytes(key): count for key, count in connection.execute(query.order_by(version.c.key))}


def intend(connection: Connection, container_id: int, mapped: Iterable[Mapped]) -> None:
    """New files will have these. What replaces a file leaves it those that it has, and maybe one more: settle
    is told."""
    new = [one.item for one in mapped if one.item.kind is Kind.FILES and one.item.replaces is None]
    _say(connection, container_id, {item.key: len(item.versions) for item in new})


def settle(connection: Connection, container_id: int, stored: Iterable[Stored]) -> None:
    """They have so many, where the target tells."""
    told = {one.key: one.versions for one in stored if one.versions is not None}
    _say(connection, container_id, told)


def _say(connection: Connection, container_id: int, counts: Mapping[bytes, int]) -> None:
    for chunk in chunked(sorted(counts)):
        connection.execute(
            delete(version).where(version.c.container == container_id, version.c.key.in_(chunk))
        )
    rows = [{"container": container_id, "key": key, "count": count} for key, count in counts.items() if count]
    if rows:
        connection.execute(insert(version), rows)
