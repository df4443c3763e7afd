"""Which items of a leg have a date that was clamped because it lay in the future."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, or_, select

from connectors.base import Loss
from ledger.database import Transaction
from ledger.loading import chunked
from ledger.schema import container, loss

CLAMPED = (Loss("date", "in-the-future"), Loss("modified", "in-the-future"))
"""The losses that say so."""
_SAY_SO = or_(*((loss.c.field == one.field) & (loss.c.reason == one.reason) for one in CLAMPED))


class DateLedger:
    """Of one leg, in the transactions of its worker."""

    def __init__(self, transaction: Transaction, leg: int) -> None:
        self._transaction = transaction
        self._leg = leg

    def clamped(self) -> dict[int, set[bytes]]:
        """Their keys, by container."""
        query = select(loss.c.container, loss.c.key).join(container, container.c.id == loss.c.container)
        query = query.where(container.c.leg == self._leg, _SAY_SO)
        found: dict[int, set[bytes]] = {}
        with self._transaction(writes=False) as connection:
            for number, key in connection.execute(query):
                found.setdefault(number, set()).add(bytes(key))
        return found

    def came(self, container_id: int, keys: Collection[bytes]) -> None:
        """These have their own date by now: the loss is none any more. Idempotent."""
        if not keys:
            return
        with self._transaction(writes=True) as connection:
            for chunk in chunked(sorted(keys)):
                among = loss.c.container == container_id, loss.c.key.in_(chunk)
                connection.execute(delete(loss).where(*among, _SAY_SO))
