"""Record what was shared at the target, and which of it is ours.

Grantees and grants are hashes, without names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ledger.db.engine import Transaction
from ledger.db.schema import loss, share
from ledger.leg import item_states
from model.protocols import Loss

FOUND = "found"
"""The code of a share that existed already: it is not ours to take back."""
FIELD = "share"


@dataclass(frozen=True, slots=True)
class ShareRow:
    """Describe one share.

    Attributes:
        party: a hash of the grantee.
        digest: a hash of the whole grant.
        ends: in seconds since 1970 UTC; None if it does not end.
        code: None if we made it; FOUND; or why the target refused it.
    """

    party: bytes
    digest: bytes
    ends: int | None = None
    code: str | None = None

    @property
    def made(self) -> bool:
        """Return True if we made it."""
        return self.code is None

    def is_there(self, now: float) -> bool:
        """Return True if the target should have it at this moment (seconds since 1970 UTC)."""
        return self.code in (None, FOUND) and (self.ends is None or self.ends > now)


class ShareLedger:
    """Record the shares of one leg's items and containers (key b""), in the transactions of its worker."""

    def __init__(self, transaction: Transaction, lost: Callable[[int], None]) -> None:
        self._transaction = transaction
        self._lost = lost  # is told of containers that may have losses from now on

    def of(self, container_id: int) -> Mapping[bytes, tuple[ShareRow, ...]]:
        """Return a container's shares by item key; b"" is the container itself."""
        query = select(share.c.key, share.c.party, share.c.digest, share.c.ends, share.c.code)
        query = query.where(share.c.container == container_id).order_by(share.c.key, share.c.party)
        shares: defaultdict[bytes, list[ShareRow]] = defaultdict(list)
        with self._transaction(writes=False) as connection:
            for key, *rest in connection.execute(query):
                shares[bytes(key)].append(ShareRow(*rest))
        return {key: tuple(rows) for key, rows in shares.items()}

    def lossy(self, container_id: int) -> frozenset[bytes]:
        """Return the keys of items that have losses of the field "share"."""
        query = select(loss.c.key).where(loss.c.container == container_id, loss.c.field == FIELD)
        with self._transaction(writes=False) as connection:
            return frozenset(map(bytes, connection.scalars(query)))

    def lose(self, container_id: int, losses: Mapping[bytes, Iterable[Loss]]) -> None:
        """Record the losses of the field "share" by item key.

        They replace all such losses in the container.
        """
        pairs = [(key, item_loss) for key, item_losses in losses.items() for item_loss in item_losses]
        if not pairs and not self.lossy(container_id):
            return
        self._lost(container_id)
        with self._transaction(writes=True, touches=()) as connection:
            connection.execute(delete(loss).where(loss.c.container == container_id, loss.c.field == FIELD))
            item_states.lose(connection, container_id, pairs)

    def intend(self, container_id: int, key: bytes, rows: Iterable[ShareRow]) -> None:
        """Record, before anything is sent, which shares may be at the target because of us.

        These and no others may be there.
        """
        with self._transaction(writes=True, touches=()) as connection:
            _replace(connection, container_id, key, rows)

    def settle(self, container_id: int, key: bytes, rows: Iterable[ShareRow], losses: Iterable[Loss]) -> None:
        """Record what became of an item's shares. The losses replace all its losses of the field "share"."""
        self._lost(container_id)
        with self._transaction(writes=True, touches=()) as connection:
            _replace(connection, container_id, key, rows)
            mine = (loss.c.container == container_id, loss.c.key == key, loss.c.field == FIELD)
            connection.execute(delete(loss).where(*mine))
            item_states.lose(connection, container_id, [(key, item_loss) for item_loss in losses])


def _replace(connection: Connection, container_id: int, key: bytes, rows: Iterable[ShareRow]) -> None:
    connection.execute(delete(share).where(share.c.container == container_id, share.c.key == key))
    values = [
        {
            "container": container_id,
            "key": key,
            "party": row.party,
            "digest": row.digest,
            "ends": row.ends,
            "code": row.code,
        }
        for row in rows
    ]
    if values:
        connection.execute(insert(share), values)
