"""Keep the items of a leg that has few: most mailboxes' folders hold a handful each.

They are read with one statement for all folders, where each folder was asked several times.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, select

from ledger.db.engine import Transaction
from ledger.db.readers import ITEM_COLUMNS, item_row
from ledger.db.rows import ItemRow, State
from ledger.db.schema import container, item
from ledger.leg.count_cache import Census

MOST = 100
"""Items of a leg that are read at once: reading a few again costs less than another statement."""

_ALL = (
    select(item.c.container, *ITEM_COLUMNS)
    .join(container)
    .where(container.c.leg == bindparam("of"))
    .order_by(item.c.id)
)


class FewItems:
    """Read a leg's items once, if they are few.

    A caller that writes to a container's items says so before (touched). What was read is right as long as no
    other worker writes to the items, which a lease ensures.
    """

    def __init__(self, transaction: Transaction, leg: int, census: Census) -> None:
        self._transaction = transaction
        self._leg = leg
        self._census = census
        self._rows: dict[int, list[ItemRow]] | None = None
        self._stale: set[int] = set()

    def touched(self, container_id: int | None) -> None:
        """Forget rows that are about to change: those of a container, or all (None)."""
        if container_id is None:
            self._rows = None
        else:
            self._stale.add(container_id)

    def of(self, container_id: int, states: Collection[State] | None = None) -> list[ItemRow] | None:
        """Return a container's items in listing order; None if the leg may have many.

        Args:
            container_id: the container.
            states: only items in these states; None means all.
        """
        if self._rows is None or container_id in self._stale:
            if not self._census.load().has_at_most(MOST):
                return None
            self._rows = self._read()
            self._stale.clear()
        rows = self._rows.get(container_id, [])
        return list(rows) if states is None else [row for row in rows if row.state in states]

    def _read(self) -> dict[int, list[ItemRow]]:
        rows: dict[int, list[ItemRow]] = {}
        with self._transaction(writes=False) as connection:
            for number, *columns in connection.execute(_ALL, {"of": self._leg}):
                rows.setdefault(number, []).append(item_row(columns))
        return rows
