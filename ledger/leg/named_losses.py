"""Find items of a leg by a certain loss that marks something still to be done, or something decided."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, or_, select

from ledger.db.engine import Transaction
from ledger.db.readers import chunked
from ledger.db.schema import container, loss
from ledger.leg.count_cache import Census
from model.protocols import Loss


class NamedLosses:
    """Find and drop losses of one leg, in the transactions of its worker."""

    def __init__(self, transaction: Transaction, leg: int, census: Census) -> None:
        self._transaction = transaction
        self._leg = leg
        self._census = census

    def of(self, losses: Collection[Loss]) -> dict[int, set[bytes]]:
        """Return the keys of the items that have one of these losses, by container."""
        keys: dict[int, set[bytes]] = {}
        if self._census.load().has_no_losses():
            return keys
        with self._transaction(writes=False) as connection:
            for number, key in connection.execute(_keys_with(tuple(losses)), {"of": self._leg}):
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


@cache
def _keys_with(losses: tuple[Loss, ...]) -> Select[int, bytes]:
    """Return the statement of NamedLosses.of, made once."""
    query = select(loss.c.container, loss.c.key).join(container, container.c.id == loss.c.container)
    return query.where(container.c.leg == bindparam("of"), _is_one(losses))


def _is_one(losses: Collection[Loss]) -> ColumnElement[bool]:
    return or_(*(and_(loss.c.field == wanted.field, loss.c.reason == wanted.reason) for wanted in losses))
