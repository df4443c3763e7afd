"""Cache how many items of each state the containers of a leg hold.

Most of a mailbox's folders are empty, and nothing about an empty folder need be asked twice.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Integer, Select, Table, bindparam, func, literal_column, select, union_all

from ledger.db.engine import Transaction
from ledger.db.rows import State
from ledger.db.schema import container, finding, item, loss
from ledger.leg.count_changes import Counted, Counts

_FINDINGS, _LOSSES = -1, -2


def _with_rows(table: Table, mark: int) -> Select[Any]:
    """Return a query for the containers that have rows in another table than that of the items."""
    any_ = select(table.c.container).where(table.c.container == container.c.id).exists()
    marked = literal_column(str(mark), Integer), literal_column("1", Integer)
    return select(container.c.id, *marked).where(container.c.leg == bindparam("of"), any_)


_ALL = union_all(
    select(item.c.container, item.c.state, func.count())
    .join(container)
    .where(container.c.leg == bindparam("of"))
    .group_by(item.c.container, item.c.state),
    _with_rows(finding, _FINDINGS),
    _with_rows(loss, _LOSSES),
)


_EMPTY = Counted({})


class Census:
    """Count a leg's items by container and state, read once for the whole leg.

    A caller that writes to a container's items says so before (touched). A count that is no longer certain is
    None. The counts are right as long as no other worker writes to the items, which a lease ensures.
    """

    def __init__(self, transaction: Transaction, leg: int) -> None:
        self._transaction = transaction
        self._leg = leg
        self._read = False
        self._blind = False
        self._counted: dict[int, Counted] = {}
        self._stale: set[int] = set()
        self._with_findings: set[int] | None = None
        self._with_losses: set[int] | None = None

    def load(self) -> Census:
        """Read the counts if they are not read yet, and return this object."""
        if not self._read:
            with self._transaction(writes=False) as connection:
                self._read_all(connection)
        return self

    def _read_all(self, connection: Connection) -> None:
        counts: dict[int, dict[State, int]] = {}
        marked: dict[int, set[int]] = {_FINDINGS: set(), _LOSSES: set()}
        for number, state, count in connection.execute(_ALL, {"of": self._leg}):
            if state in marked:
                marked[state].add(number)
            else:
                counts.setdefault(number, {})[State(state)] = count
        self._counted = {number: Counted(of) for number, of in counts.items()}
        self._with_findings, self._with_losses = marked[_FINDINGS], marked[_LOSSES]
        self._read = True

    def touched(self, container_id: int | None) -> None:
        """Forget counts that are about to change.

        Args:
            container_id: the container whose items change; None if items, findings or losses of any container
                change.
        """
        if container_id is None:
            self._blind, self._with_findings, self._with_losses = True, None, None
            self._counted.clear()
            self._stale.clear()
        else:
            self._counted.pop(container_id, None)
            self._stale.add(container_id)

    def note(self, container_id: int | None, counts: Counts) -> None:
        """Keep what was just counted. Counts of the whole leg (None) are not kept."""
        if container_id is not None:
            self.follow(container_id, Counted(counts))

    def follow(self, container_id: int, counted: Counted | None) -> None:
        """Keep what a step left in a container, once it is committed; None if it is not certain."""
        if counted is not None:
            self._counted[container_id] = counted
            self._stale.discard(container_id)

    def counted(self, container_id: int) -> Counted | None:
        """Return what is known of a container; None if its counts are not certain."""
        if not self._read or container_id in self._stale:
            return None
        return self._counted.get(container_id, None if self._blind else _EMPTY)

    def counts(self, container_id: int) -> Counts | None:
        """Return a container's counts; None if they are not certain."""
        counted = self.counted(container_id)
        return None if counted is None else counted.counts

    def total(self) -> Counts | None:
        """Return the counts of the whole leg; None if they are not certain."""
        if not self._read or self._blind or self._stale:
            return None
        sums: dict[State, int] = {}
        for counted in self._counted.values():
            for state, count in counted.counts.items():
                sums[state] = sums.get(state, 0) + count
        return sums

    def has_at_most(self, number: int) -> bool:
        """Return True if the leg certainly has no more items than this."""
        if not self._read or self._blind or self._stale:
            return False
        for counted in self._counted.values():
            number -= sum(counted.counts.values())
            if number < 0:
                return False
        return True

    def has_none(self, container_id: int, states: Collection[State] | None = None) -> bool:
        """Return True if a container certainly has no item in these states (None: no item at all)."""
        counts = self.counts(container_id)
        if counts is None:
            return False
        return not any(counts.values()) if states is None else not any(map(counts.get, states))

    def note_findings(self, container_id: int, *, any_: bool) -> None:
        """Record that findings of a container were replaced.

        Args:
            container_id: the container.
            any_: True if there are some, or if some are about to be recorded; False if there are none.
        """
        if self._with_findings is not None:
            (self._with_findings.add if any_ else self._with_findings.discard)(container_id)

    def has_no_findings(self, container_id: int) -> bool:
        """Return True if a container certainly has no findings."""
        return self._read and self._with_findings is not None and container_id not in self._with_findings

    def lost(self, container_id: int) -> None:
        """Record that losses of a container are about to be recorded."""
        if self._with_losses is not None:
            self._with_losses.add(container_id)

    def has_no_losses(self, container_id: int | None = None) -> bool:
        """Return True if a container certainly has no losses; None asks about the whole leg."""
        if not self._read or self._with_losses is None:
            return False
        return not self._with_losses if container_id is None else container_id not in self._with_losses
