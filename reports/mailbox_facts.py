"""Facts of a mailbox that the terminal and Prefect's UI both show, a row each. They only draw them.

Everything here is safe for anyone to see: random ids, workloads, states, counts and codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.db.rows import NEEDS_PERSON, SCORE_LOW, URGENCY, LegRow, LegState, Phase, State
from model.kinds import KINDS, Kind
from reports.plan_gaps import is_settled, reason_code
from reports.progress import DRY_RUN

if TYPE_CHECKING:
    from engine.cutover.stopped import Stop
    from ledger.views.reports import LegSummary

OPEN_STATES = frozenset({State.SEEN, State.WRITING, State.CHANGED, State.LEAVING})
"""The states of an item without a fate."""


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """Describe one workload of a mailbox.

    Attributes:
        kind: the workload.
        state: of the workload.
        items: how many items it has.
        done: how many of them have a fate.
        code: why it is in this state; None if the state says all.
        detail: what is known with the code.
        withheld: why the plan withholds it; None if it does not.
        rejected: how many items are rejected.
        open: how many items have no fate yet.
        bytes: the size of what is at the target.
        rate: items a second; None if it is not known.
    """

    kind: Kind
    state: LegState
    items: int
    done: int
    code: str | None = None
    detail: str | None = None
    withheld: str | None = None
    rejected: int = 0
    open: int = 0
    bytes: int = 0
    rate: float | None = None

    @property
    def reason(self) -> str | None:
        """Return its code, or why the plan withholds it; see reports.plan_gaps.reason_code."""
        return reason_code(self)


def workload_of(leg: LegRow, rejected: int = 0, rate: float | None = None) -> WorkloadFacts:
    """Return the facts of a leg, by its running totals."""
    return WorkloadFacts(
        leg.workload,
        leg.state,
        leg.items,
        leg.done,
        leg.code,
        leg.detail,
        leg.withheld,
        rejected,
        bytes=leg.bytes,
        rate=rate,
    )


def workload_counted(leg: LegSummary) -> WorkloadFacts:
    """Return the facts of a leg, by its items."""
    waiting = sum(leg.counts.get(state, 0) for state in OPEN_STATES)
    return WorkloadFacts(
        leg.workload,
        leg.state,
        leg.items,
        leg.items - waiting,
        leg.code,
        leg.detail,
        leg.withheld,
        leg.counts.get(State.REJECTED, 0),
        waiting,
        leg.bytes,
    )


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    """Describe a mailbox.

    Attributes:
        mailbox: its random id.
        wave: its wave.
        phase: its phase.
        workloads: by their kind.
        checked: items that `kogge check` counted; they are more as long as not all is listed.
        pace: items a second over the last minute; None if it was not measured.
        stop: why only a person moves it on, whatever its workloads say; None if there is no such reason.
        low: True if a cutover would stop for its score.
        instead: what its run says of it in place of every other code; it needs a person then.
    """

    mailbox: str
    wave: str
    phase: Phase
    workloads: Mapping[Kind, WorkloadFacts] = field(default_factory=dict)
    checked: int = 0
    pace: float | None = None
    stop: Stop | None = None
    low: bool = False
    instead: tuple[str, ...] = ()

    @property
    def items(self) -> int:
        """Count the items: those that are listed, or as reports.progress.expected counts before all are."""
        listed = sum(one.items for one in self.workloads.values())
        return listed if self.state is LegState.VERIFIED else max(self.checked, listed)

    @property
    def done(self) -> int:
        """Count the items that have a fate."""
        return sum(one.done for one in self.workloads.values())

    @property
    def rejected(self) -> int:
        """Count the rejected items."""
        return sum(one.rejected for one in self.workloads.values())

    @property
    def open(self) -> int:
        """Count the items that have no fate yet."""
        return sum(one.open for one in self.workloads.values())

    @property
    def bytes(self) -> int:
        """Count the bytes at the target."""
        return sum(one.bytes for one in self.workloads.values())

    @property
    def state(self) -> LegState:
        """Return the most urgent state of its workloads."""
        states = {one.state for one in self.workloads.values()}
        return next((one for one in URGENCY if one in states), LegState.VERIFIED)

    @property
    def percent(self) -> float:
        """Return how much is done, 0 to 100, as reports.progress.share counts it: 100 if nothing is open."""
        if all(is_settled(one) or one.code == DRY_RUN for one in self.workloads.values()):
            return 100.0
        if self.state is LegState.VERIFIED:
            return 100.0
        return min(99.0, 100.0 * self.done / self.items) if self.items else 0.0

    @property
    def only(self) -> tuple[Kind, ...]:
        """Return the workloads in its state, where others are further; otherwise none."""
        own = {kind for kind, one in self.workloads.items() if one.state is self.state}
        return tuple(kind for kind in KINDS if kind in own) if len(own) < len(self.workloads) else ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Return why it is in its state: the code of its stop, then those of the workloads in that state."""
        if self.instead:
            return self.instead
        state = self.state
        own = {one.code for one in self.workloads.values() if one.state is state and one.code}
        if state is LegState.VERIFIED:
            own = {SCORE_LOW} if self.low else set()
        rest = own - {DRY_RUN} - ({self.stop.code} if self.stop is not None else set())
        return (*([self.stop.code] if self.stop is not None else []), *sorted(rest))

    @property
    def reasons(self) -> frozenset[str]:
        """Return the code of its stop, and those of all its workloads."""
        own = {reason for one in self.workloads.values() if (reason := one.reason)}
        return frozenset(own | ({self.stop.code} if self.stop is not None else set()))

    @property
    def needs_person(self) -> bool:
        """Return True if only a person moves it on."""
        low = self.low and self.state is LegState.VERIFIED
        return self.stop is not None or self.state in NEEDS_PERSON or low or bool(self.instead)

    @property
    def locked(self) -> bool:
        """Return True if a cutover stopped, and its user may be kept from the mailbox."""
        return self.stop is not None and self.stop.locked

    @property
    def stands(self) -> Phase:
        """Return how it stands, for people: its first freeze hook locks out before the phase changes."""
        return Phase.FROZEN if self.locked and self.phase is Phase.STAGING else self.phase

    @property
    def cutover_begun(self) -> bool:
        """Return True if its cutover has begun, so that a page reports it."""
        return self.phase is not Phase.STAGING or (self.stop is not None and bool(self.stop.step))

    @property
    def rate(self) -> float | None:
        """Return items a second: over the last minute, or else the sum of its workloads; None if unknown."""
        if self.pace is not None:
            return self.pace
        rates = [one.rate for one in self.workloads.values() if one.rate is not None]
        return sum(rates) if rates else None

    @property
    def left(self) -> float | None:
        """Return the seconds left at this rate; None if it is not known, or if nothing is left to copy."""
        rate, owed = self.rate, self.items - self.done
        return owed / rate if rate and owed > 0 else None


@dataclass(frozen=True, slots=True)
class MailboxCounts:
    """Count mailboxes.

    Attributes:
        mailboxes: how many there are.
        verified: mailboxes that are verified whole.
        person: mailboxes that need a person.
        frozen: mailboxes that stand frozen.
        other: mailboxes that are neither verified nor need a person.
    """

    mailboxes: int
    verified: int
    person: int
    frozen: int
    other: int


def count(boxes: Iterable[MailboxFacts], stopped: Iterable[str] = ()) -> MailboxCounts:
    """Count mailboxes.

    Args:
        boxes: the mailboxes.
        stopped: ids of mailboxes that need a person, whatever their facts say.
    """
    every, more = list(boxes), frozenset(stopped)
    verified = {one.mailbox for one in every if one.state is LegState.VERIFIED}
    person = {one.mailbox for one in every if one.needs_person or one.mailbox in more}
    frozen = sum(one.stands is Phase.FROZEN for one in every)
    return MailboxCounts(len(every), len(verified), len(person), frozen, len(every) - len(verified | person))
