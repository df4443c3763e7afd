"""What at the target is there because of us, though no item of ours is it: folders, and what is half written.
What stood there before is not ours to remove."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update

from ledger.db.engine import Transaction
from ledger.db.readers import chunked
from ledger.db.schema import container, item

KEY_BYTES = 16


class FolderLedger:
    """Those of one leg, in the transactions of its worker."""

    def __init__(self, transaction: Transaction, leg: int) -> None:
        self._transaction = transaction
        self._leg = leg

    def made(self) -> frozenset[int]:
        """Container ids."""
        query = select(container.c.id).where(container.c.leg == self._leg, container.c.made)
        with self._transaction(writes=False) as connection:
            return frozenset(connection.scalars(query))

    def making(self, *container_ids: int) -> None:
        """Before they are made where nothing is: whatever happens then, they are ours."""
        self._say(container_ids, made=True)

    def unmake(self, container_id: int) -> None:
        """It is not there any more: what is made there by and by may be somebody else's."""
        self._say([container_id], made=False)

    def owner(self, beginning: bytes) -> bytes | None:
        """The key of an item of the leg that begins so; None where there is none."""
        first, last = beginning.ljust(KEY_BYTES, b"\0"), beginning.ljust(KEY_BYTES, b"\xff")
        query = select(item.c.key).join(container).where(container.c.leg == self._leg)
        with self._transaction(writes=False) as connection:
            return connection.scalars(query.where(item.c.key.between(first, last)).limit(1)).one_or_none()

    def _say(self, container_ids: Collection[int], *, made: bool) -> None:
        with self._transaction(writes=True, touches=()) as connection:
            for chunk in chunked(container_ids):
                mine = (container.c.leg == self._leg, container.c.id.in_(chunk))
                connection.execute(update(container).where(*mine).values(made=made))
