"""What a run looks like from outside: counts by leg, read from the ledger, for the terminal and for Prefect.

Everything here is safe for anyone to see: random mailbox ids, workloads, states, counts and codes.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from ledger.db.rows import HELD_ELSEWHERE, LegRow, LegState
from model.plural import many
from reports.plan_gaps import is_settled, left_out, reason_code

SETTLED = frozenset({LegState.VERIFIED})
"""States in which every item of a leg has a fate. Whether a run is over, is_settled() says."""

LATER = {"window-closed": "Closed", "paused": "Paused"}
"""Why a run is to go on another time, and how Prefect calls its state."""

WORKER_GONE = "worker-gone"
"""The code of a leg whose worker died or lost its lease. The ledger learns that at the next claim."""

DRY_RUN = "dry-run"
"""The code of a leg that was only listed, as asked."""


class Legs(Protocol):
    """Describe what is asked of the ledger here."""

    def legs(self, wave: str | None = None, *, of: Collection[str] = ()) -> Iterable[LegRow]:
        """Return the legs of a wave, or only those of some mailboxes."""


def expected(legs: Iterable[LegRow], checked: Mapping[str, int]) -> int:
    """Return how many items there are in all, as far as it is known.

    It is what was listed, or what `kogge check` counted of a mailbox if that is more and not all of it is
    listed: of a verified mailbox the list is whole.

    Args:
        legs: with what was listed.
        checked: what `kogge check` counted, by the mailbox's id.
    """
    listed: Counter[str] = Counter()
    unlisted: set[str] = set()
    for leg in legs:
        listed[leg.mailbox] += leg.items
        if leg.state is not LegState.VERIFIED:
            unlisted.add(leg.mailbox)
    counted = {mailbox: checked.get(mailbox, 0) for mailbox in unlisted}
    return sum(max(count, counted.get(mailbox, 0)) for mailbox, count in listed.items())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold the legs of a run at one moment.

    Attributes:
        at: seconds of this process's monotonic clock.
        unwell: a line for each server that is asked for less than usual, and why.
        news: in words, what a dry run found at the source that the ledger does not have.
    """

    legs: tuple[LegRow, ...]
    at: float = field(default_factory=time.monotonic)
    unwell: tuple[str, ...] = ()
    news: str | None = None

    @property
    def mailboxes(self) -> int:
        """Count the mailboxes."""
        return len({leg.mailbox for leg in self.legs})

    @property
    def items(self) -> int:
        """Count the items that are known."""
        return sum(leg.items for leg in self.legs)

    @property
    def done(self) -> int:
        """Count the items that are done."""
        return sum(leg.done for leg in self.legs)

    @property
    def bytes(self) -> int:
        """Count the bytes that are done."""
        return sum(leg.bytes for leg in self.legs)

    @property
    def states(self) -> Counter[LegState]:
        """Count the legs by state."""
        return Counter(leg.state for leg in self.legs)

    @property
    def open(self) -> tuple[LegRow, ...]:
        """Return the legs that the plan withholds, and those with items that have no fate.

        What a dry run left out was not asked for, so it is not open.
        """
        return tuple(leg for leg in self.legs if not is_settled(leg) and leg.code != DRY_RUN)

    def counts(self) -> dict[str, int]:
        """Return plain counts, which are the result of a flow."""
        states = {str(state): count for state, count in sorted(self.states.items())}
        sums = {"mailboxes": self.mailboxes, "legs": len(self.legs), "items": self.items}
        return {**sums, "done": self.done, "bytes": self.bytes, **states}


def read(
    ledger: Legs, wave: str | None, mailboxes: Collection[str] = (), workloads: Collection[str] = ()
) -> Snapshot:
    """Return the legs of a wave in a stable order, or only those of some mailboxes and workloads.

    Without a choice of mailboxes, those that were taken out of the plan and rolled back are left out.
    """
    legs = list(ledger.legs(wave, of=mailboxes))
    out = frozenset() if mailboxes else left_out(legs)
    chosen = [leg for leg in legs if leg.mailbox not in out and (not workloads or leg.workload in workloads)]
    return Snapshot(tuple(sorted(chosen, key=lambda leg: (leg.mailbox, leg.workload, leg.id))))


def with_deaths(row: LegRow, now: datetime, dead: Callable[[str], bool]) -> LegRow:
    """Return a leg; as waiting if its worker died or its lease has run out.

    Args:
        row: the leg.
        now: by the clock of the ledger.
        dead: returns whether the owner of a lease is known to be dead.
    """
    if row.state is not LegState.RUNNING or row.owner is None:
        return row
    if (row.lease_until is None or row.lease_until >= now) and not dead(row.owner):
        return row
    return replace(row, state=LegState.WAITING, code=WORKER_GONE, detail=None)


def percent(snapshot: Snapshot) -> float:
    """Return how much of what is known so far is done, from 0 to 100.

    The source may still name more. It is 100 only if nothing is open.
    """
    if not snapshot.open:
        return 100.0
    return min(99.0, 100.0 * snapshot.done / snapshot.items) if snapshot.items else 0.0


def share(shot: Snapshot, expected: int) -> float:
    """Return how much is done, from 0 to 100, of what is listed or of what the preflight counted.

    The larger of the two is taken.
    """
    known = percent(shot)
    return min(known, 100.0 * shot.done / expected) if shot.open and expected else known


def verdict(snapshot: Snapshot) -> str:
    """Return one line for the end of a run: whether all is accounted for, or what is open and why."""
    total = len(snapshot.legs)
    listed = sum(leg.code == DRY_RUN for leg in snapshot.legs)
    if not snapshot.open and listed:
        known = many(snapshot.items, "item", "items")
        line = f"dry run: {listed:,} of {many(total, 'workload', 'workloads')} listed, {known} known"
        return line if snapshot.news is None else f"{line}; at the source since: {snapshot.news}"
    if not snapshot.open:
        whole = "1 workload" if total == 1 else f"all {total:,} workloads"
        boxes = many(snapshot.mailboxes, "mailbox", "mailboxes")
        return f"{whole} of {boxes} {'is' if total == 1 else 'are'} verified"
    told = ((_told(leg.state), reason_code(leg) or _untold(leg.state)) for leg in snapshot.open)
    states = Counter(f"{state} ({code})" if code else state for state, code in told)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(states.items()))
    are = "is" if len(snapshot.open) == 1 else "are"
    whole = many(total, "workload", "workloads")
    return f"{len(snapshot.open):,} of {whole} {are} not accounted for: {reasons}"


def _told(state: LegState) -> str:
    """Return the state of an open leg; one that is verified was withheld from this run."""
    return "not run" if state in SETTLED else str(state)


def _untold(state: LegState) -> str | None:
    """Return why a leg is in a state without a code: a run that has ended holds none itself."""
    return HELD_ELSEWHERE if state is LegState.RUNNING else None


def slug(*words: object) -> str:
    """Return a key of an artifact: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(str(word) for word in words).lower()).strip("-")


def size(count: int) -> str:
    """Write bytes for people, in decimal units."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
