"""Record what is at the target because of us beside items: folders, and half-written items.

What was there before is not ours to remove.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update

from ledger.db.engine import Transaction
from ledger.db.readers import chunked
from ledger.db.schema import container, item

KEY_BYTES = 16


class FolderLedger:
    """Record the folders that one leg made, in the transactions of its worker."""

    def __init__(self, transaction: Transaction, leg: int) -> None:
        self._transaction = transaction
        self._leg = leg

    def made(self) -> frozenset[int]:
        """Return the ids of the containers that we made."""
        query = select(container.c.id).where(container.c.leg == self._leg, container.c.made)
        with self._transaction(writes=False) as connection:
            return frozenset(connection.scalars(query))

    def making(self, *container_ids: int) -> None:
        """Record, before folders are made where nothing is, that they are ours, whatever happens then.

        Idempotent.
        """
        self._set_made(container_ids, made=True)

    def unmake(self, container_id: int) -> None:
        """Record that a folder of ours no longer exists. Idempotent.

        A folder that is made there later may be somebody else's.
        """
        self._set_made([container_id], made=False)

    def owner(self, beginning: bytes) -> bytes | None:
        """Return the key of an item of the leg that begins with these bytes; None if there is none."""
        first, last = beginning.ljust(KEY_BYTES, b"\0"), beginning.ljust(KEY_BYTES, b"\xff")
        query = select(item.c.key).join(container).where(container.c.leg == self._leg)
        with self._transaction(writes=False) as connection:
            return connection.scalars(query.where(item.c.key.between(first, last)).limit(1)).one_or_none()

    def _set_made(self, container_ids: Collection[int], *, made: bool) -> None:
        with self._transaction(writes=True, touches=(), places=False) as connection:
            for chunk in chunked(container_ids):
                mine = (container.c.leg == self._leg, container.c.id.in_(chunk))
                connection.execute(update(container).where(*mine).values(made=made))
