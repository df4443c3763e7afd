"""Tell which legs the plan withholds, and which of their mailboxes were taken out for good.

A mailbox that has begun and has no row any more is not brought up to date: what arrives at its source stays
there. So it counts as open, also if its newest pass verified it. Once all of it is rolled back nothing of it
is at the target, and it counts as left out on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ledger.db.rows import NOT_IN_PLAN, ROLLED_BACK, LegState


class Withholdable(Protocol):
    """Describe what is asked of a workload here; LegRow, LegSummary and WorkloadFacts have it."""

    @property
    def state(self) -> LegState:
        """Return the leg's state."""

    @property
    def code(self) -> str | None:
        """Return the code of its state."""

    @property
    def withheld(self) -> str | None:
        """Return the code why the plan withholds it; None if it does not."""


class Owned(Withholdable, Protocol):
    """Describe what is asked of a leg here; LegRow and LegSummary have it."""

    @property
    def mailbox(self) -> str:
        """Return the mailbox's random id."""


Leg = TypeVar("Leg", bound=Owned)


def by_mailbox(legs: Iterable[Leg]) -> dict[str, list[Leg]]:
    """Return the legs of each mailbox, in the order given."""
    found: dict[str, list[Leg]] = {}
    for leg in legs:
        found.setdefault(leg.mailbox, []).append(leg)
    return found


def is_settled(leg: Withholdable) -> bool:
    """Return True if every item of a leg has a fate, and the next run looks at it again."""
    return leg.state is LegState.VERIFIED and leg.withheld is None


def reason_code(leg: Withholdable) -> str | None:
    """Return the code of a leg; if the plan withholds it and nothing else stops it, the code of that."""
    stops = leg.code is not None and leg.state is not LegState.VERIFIED
    return leg.code if stops or leg.withheld is None else leg.withheld


def left_out(legs: Iterable[Owned]) -> frozenset[str]:
    """Return the mailboxes that no row names any more, and of which everything was rolled back."""
    every: set[str] = set()
    stay: set[str] = set()
    for leg in legs:
        every.add(leg.mailbox)
        if leg.withheld != NOT_IN_PLAN or (leg.state, leg.code) != (LegState.BLOCKED, ROLLED_BACK):
            stay.add(leg.mailbox)
    return frozenset(every - stay)
