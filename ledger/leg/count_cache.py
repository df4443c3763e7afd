"""Cache how many items of each state the containers of a leg hold.

Most of a mailbox's folders are empty, and nothing about an empty folder need be asked twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, func, select

from ledger.db.engine import Transaction
from ledger.db.rows import State
from ledger.db.schema import container, finding, item

Counts = Mapping[State, int]


_COUNTS = (
    select(item.c.container, item.c.state, func.count())
    .join(container)
    .where(container.c.leg == bindparam("of"))
    .group_by(item.c.container, item.c.state)
)
_WITH_FINDINGS = (
    select(finding.c.container).join(container).where(container.c.leg == bindparam("of")).distinct()
)


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
        self._counts: dict[int, Counts] = {}
        self._stale: set[int] = set()
        self._with_findings: set[int] | None = None

    def load(self) -> Census:
        """Read the counts if they are not read yet, and return this object."""
        if not self._read:
            with self._transaction(writes=False) as connection:
                self._read_all(connection)
        return self

    def _read_all(self, connection: Connection) -> None:
        counts: dict[int, dict[State, int]] = {}
        for number, state, count in connection.execute(_COUNTS, {"of": self._leg}):
            counts.setdefault(number, {})[State(state)] = count
        self._counts = dict(counts)
        self._with_findings = set(connection.scalars(_WITH_FINDINGS, {"of": self._leg}))
        self._read = True

    def touched(self, container_id: int | None) -> None:
        """Forget counts that are about to change.

        Args:
            container_id: the container whose items change; None if items or findings of any container change.
        """
        if container_id is None:
            self._blind, self._with_findings = True, None
            self._counts.clear()
            self._stale.clear()
        else:
            self._counts.pop(container_id, None)
            self._stale.add(container_id)

    def note(self, container_id: int | None, counts: Counts) -> None:
        """Keep what was just counted. Counts of the whole leg (None) are not kept."""
        if container_id is not None:
            self._counts[container_id] = counts
            self._stale.discard(container_id)

    def counts(self, container_id: int) -> Counts | None:
        """Return a container's counts; None if they are not certain."""
        if not self._read or container_id in self._stale:
            return None
        return self._counts.get(container_id, None if self._blind else {})

    def total(self) -> Counts | None:
        """Return the counts of the whole leg; None if they are not certain."""
        if not self._read or self._blind or self._stale:
            return None
        sums: dict[State, int] = {}
        for counts in self._counts.values():
            for state, count in counts.items():
                sums[state] = sums.get(state, 0) + count
        return sums

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
