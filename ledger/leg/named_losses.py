"""Find items of a leg by a certain loss that marks something still to be done, or something decided."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, delete, or_, select

from ledger.db.engine import Transaction
from ledger.db.readers import chunked
from ledger.db.schema import container, loss
from model.protocols import Loss


class NamedLosses:
    """Find and drop losses of one leg, in the transactions of its worker."""

    def __init__(self, transaction: Transaction, leg: int) -> None:
        self._transaction = transaction
        self._leg = leg

    def of(self, losses: Collection[Loss]) -> dict[int, set[bytes]]:
        """Return the keys of the items that have one of these losses, by container."""
        query = select(loss.c.container, loss.c.key).join(container, container.c.id == loss.c.container)
        query = query.where(container.c.leg == self._leg, _is_one(losses))
        keys: dict[int, set[bytes]] = {}
        with self._transaction(writes=False) as connection:
            for number, key in connection.execute(query):
                keys.setdefault(number, set()).add(bytes(key))
        return keys

    def drop(self, container_id: int, keys: Collection[bytes], losses: Collection[Loss]) -> None:
        """Remove these losses from these items. Idempotent."""
        if not keys:
            return
        with self._transaction(writes=True) as connection:
            for chunk in chunked(sorted(keys)):
                among = loss.c.container == container_id, loss.c.key.in_(chunk)
                connection.execute(delete(loss).where(*among, _is_one(losses)))


def _is_one(losses: Collection[Loss]) -> ColumnElement[bool]:
    return or_(*(and_(loss.c.field == wanted.field, loss.c.reason == wanted.reason) for wanted in losses))
