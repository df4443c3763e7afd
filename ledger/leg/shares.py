"""What was shared at the target, and what of it is ours: whom and how as hashes, no name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ledger.db.engine import Transaction
from ledger.db.schema import loss, share
from ledger.leg import item_states
from model.protocols import Loss

FOUND = "found"
"""The code of a share that was there already: not ours to take back."""
FIELD = "share"


@dataclass(frozen=True, slots=True)
class ShareRow:
    """party: a hash of with whom; digest: of all of it. ends: in seconds since 1970 UTC; None: never. code:
    None when we made it, FOUND, or why the target refused it."""

    party: bytes
    digest: bytes
    ends: int | None = None
    code: str | None = None

    @property
    def made(self) -> bool:
        return self.code is None

    def is_there(self, now: float) -> bool:
        """Whether the target should have it."""
        return self.code in (None, FOUND) and (self.ends is None or self.ends > now)


class ShareLedger:
    """The shares of one leg's items and containers (key b""), in the transactions of its worker."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def of(self, container_id: int) -> Mapping[bytes, tuple[ShareRow, ...]]:
        """By item."""
        query = select(share.c.key, share.c.party, share.c.digest, share.c.ends, share.c.code)
        query = query.where(share.c.container == container_id).order_by(share.c.key, share.c.party)
        found: defaultdict[bytes, list[ShareRow]] = defaultdict(list)
        with self._transaction(writes=False) as connection:
            for key, *rest in connection.execute(query):
                found[bytes(key)].append(ShareRow(*rest))
        return {key: tuple(rows) for key, rows in found.items()}

    def lossy(self, container_id: int) -> frozenset[bytes]:
        """Which have losses of this field."""
        query = select(loss.c.key).where(loss.c.container == container_id, loss.c.field == FIELD)
        with self._transaction(writes=False) as connection:
            return frozenset(map(bytes, connection.scalars(query)))

    def lose(self, container_id: int, losses: Mapping[bytes, Iterable[Loss]]) -> None:
        """By item: the losses are all there are of this field in the container."""
        found = [(key, one) for key, some in losses.items() for one in some]
        if not found and not self.lossy(container_id):
            return
        with self._transaction(writes=True, touches=()) as connection:
            connection.execute(delete(loss).where(loss.c.container == container_id, loss.c.field == FIELD))
            item_states.lose(connection, container_id, found)

    def intend(self, container_id: int, key: bytes, rows: Iterable[ShareRow]) -> None:
        """Before anything is sent: these and no others may be at the target because of us."""
        with self._transaction(writes=True, touches=()) as connection:
            _replace(connection, container_id, key, rows)

    def settle(self, container_id: int, key: bytes, rows: Iterable[ShareRow], losses: Iterable[Loss]) -> None:
        """What became of it; the losses are all there are of this field."""
        with self._transaction(writes=True, touches=()) as connection:
            _replace(connection, container_id, key, rows)
            mine = (loss.c.container == container_id, loss.c.key == key, loss.c.field == FIELD)
            connection.execute(delete(loss).where(*mine))
            item_states.lose(connection, container_id, [(key, one) for one in losses])


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
