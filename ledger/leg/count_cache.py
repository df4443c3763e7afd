"""How many items of each state the containers of a leg hold, as far as its worker knows without asking: most
of a mailbox's folders are empty, and nothing about an empty folder need be asked twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, func, select

from ledger.db.engine import Transaction
from ledger.db.rows import State
from ledger.db.schema import container, finding, item

Counts = Mapping[State, int]


class Census:
    """Read once for the whole leg; whoever writes to a container's items says so before (touched), and what
    is not known any more is None. Right as long as nobody else writes to them: a lease makes sure."""

    def __init__(self, transaction: Transaction, leg: int) -> None:
        self._transaction = transaction
        self._leg = leg
        self._read = False
        self._blind = False
        self._counts: dict[int, Counts] = {}
        self._stale: set[int] = set()
        self._found: set[int] | None = None

    def known(self) -> Census:
        """This one, read by now."""
        if not self._read:
            with self._transaction(writes=False) as connection:
                self._look(connection)
        return self

    def _look(self, connection: Connection) -> None:
        query = select(item.c.container, item.c.state, func.count()).join(container)
        query = query.where(container.c.leg == self._leg).group_by(item.c.container, item.c.state)
        counts: dict[int, dict[State, int]] = {}
        for number, state, count in connection.execute(query):
            counts.setdefault(number, {})[State(state)] = count
        found = select(finding.c.container).join(container).where(container.c.leg == self._leg).distinct()
        self._counts, self._found = dict(counts), set(connection.scalars(found))
        self._read = True

    def touched(self, container_id: int | None) -> None:
        """Items of this container, or (None) items or findings of any, are about to change."""
        if container_id is None:
            self._blind, self._found = True, None
            self._counts.clear()
            self._stale.clear()
        else:
            self._counts.pop(container_id, None)
            self._stale.add(container_id)

    def note(self, container_id: int | None, counts: Counts) -> None:
        """What was just counted; of the whole leg (None) nothing is kept."""
        if container_id is not None:
            self._counts[container_id] = counts
            self._stale.discard(container_id)

    def counts(self, container_id: int) -> Counts | None:
        if not self._read or container_id in self._stale:
            return None
        return self._counts.get(container_id, None if self._blind else {})

    def total(self) -> Counts | None:
        """Of the whole leg."""
        if not self._read or self._blind or self._stale:
            return None
        sums: dict[State, int] = {}
        for counts in self._counts.values():
            for state, count in counts.items():
                sums[state] = sums.get(state, 0) + count
        return sums

    def has_none(self, container_id: int, states: Collection[State] | None = None) -> bool:
        """Certainly no item in these states (None: at all)."""
        counts = self.counts(container_id)
        if counts is None:
            return False
        return not any(counts.values()) if states is None else not any(map(counts.get, states))

    def found(self, container_id: int, *, any_: bool) -> None:
        """Findings of a container were replaced: by some (or that is about to be tried), or by none."""
        if self._found is not None:
            (self._found.add if any_ else self._found.discard)(container_id)

    def has_no_findings(self, container_id: int) -> bool:
        return self._read and self._found is not None and container_id not in self._found
