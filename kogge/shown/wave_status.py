"""Describe all mailboxes and legs of a wave at one moment, with rate and time left.

It is safe for anyone to see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kogge.shown.mailbox_rows import urgency
from ledger.db.rows import NEEDS_PERSON, URGENCY, LegRow, LegState, MailboxRow, Phase, State
from model.kinds import Kind
from reports.mailbox_facts import MailboxFacts, workload_of
from reports.pace import Pace
from reports.plan_gaps import is_settled, left_out, reason_code
from reports.progress import expected, with_deaths

if TYPE_CHECKING:
    from engine.cutover.stopped import Stop
    from ledger.views.reports import LegSummary

RATE_LEAST_SECONDS = 2.0
RATE_MOST_SECONDS = 86_400.0
"""A leg that first began longer ago was not at work all the time, so that its mean rate says nothing."""
WATCHED_SECONDS = 60.0
ALL = ""
"""Stands for all mailboxes together."""


@dataclass(frozen=True, slots=True)
class LegStatus:
    """Describe one leg.

    Attributes:
        wave: the wave of its mailbox.
        phase: the phase of its mailbox.
        row: the leg.
        rejected: how many of its items are rejected.
        rate: items a second; None if it is not known.
        left: seconds until it is copied; None if it is not known.
        stop: the stop of its mailbox; see reports.mailbox_facts.MailboxFacts.
    """

    wave: str
    phase: Phase
    row: LegRow
    rejected: int
    rate: float | None
    left: float | None
    stop: Stop | None = None

    @property
    def locked(self) -> bool:
        """Return True if the cutover of its mailbox stopped, and its user may be locked out."""
        return self.stop is not None and self.stop.locked

    @property
    def goes_back(self) -> bool:
        """Return True if the stop of its mailbox says what to do in place of its own code."""
        return self.stop is not None and self.row.code is not None and self.stop.covers(self.row.code)

    @property
    def needs_person(self) -> bool:
        """Return True if only a person moves it on."""
        return self.stop is not None or self.row.state in NEEDS_PERSON

    def document(self) -> dict[str, object]:
        """Return the leg as plain data, for --json."""
        row = self.row
        return {
            "mailbox": row.mailbox,
            "wave": self.wave,
            "phase": str(self.phase),
            "workload": str(row.workload),
            "state": str(row.state),
            "code": row.code,
            "detail": row.detail,
            "items": row.items,
            "done": row.done,
            "bytes": row.bytes,
            "rejected": self.rejected,
            "rate": None if self.rate is None else round(self.rate, 1),
            "seconds_left": None if self.left is None else round(self.left),
            "started": row.started,
            "finished": row.finished,
        }


@dataclass(frozen=True, slots=True)
class WaveStatus:
    """Describe the legs of a wave, or of several.

    Attributes:
        ships: the legs, in order of urgency: what needs a person first, what is verified last.
        fates: items by state.
        checked: how many items `kogge check` counted, by mailbox id.
        paces: items a second of each mailbox over the last minute; empty if they were not measured.
        pace: items a second of all together over the last minute; None if it was not measured.
        left_out: mailboxes that are not among the ships, because the list does not name them any more and
            everything of them was rolled back.
    """

    ships: tuple[LegStatus, ...]
    fates: Mapping[State, int] = field(default_factory=dict)
    checked: Mapping[str, int] = field(default_factory=dict)
    paces: Mapping[str, float] = field(default_factory=dict)
    pace: float | None = None
    left_out: frozenset[str] = frozenset()

    @property
    def states(self) -> Counter[LegState]:
        """Count the legs by state."""
        return Counter(ship.row.state for ship in self.ships)

    @property
    def uncounted(self) -> frozenset[str]:
        """Return the mailboxes of which no run has listed an item, and no check counted any."""
        known = {
            ship.row.mailbox for ship in self.ships if ship.row.items or ship.row.state != LegState.PENDING
        }
        return frozenset({ship.row.mailbox for ship in self.ships} - known - self.checked.keys())

    @property
    def stopped(self) -> Mapping[str, Stop]:
        """Return the cutovers that stopped, by mailbox id: their users may be locked out."""
        return {ship.row.mailbox: ship.stop for ship in self.ships if ship.stop and ship.stop.locked}

    @property
    def codes(self) -> Counter[str]:
        """Count the codes of the workloads and of the stops.

        A stop counts if its user may be locked out, or if no workload of its mailbox has its code. A
        workload's code does not count if the stop says what to do in its place.
        """
        own = Counter(ship.row.code for ship in self.ships if ship.row.code and not ship.goes_back)
        said = {(ship.row.mailbox, ship.row.code) for ship in self.ships}
        stops = {ship.row.mailbox: ship.stop for ship in self.ships if ship.stop is not None}
        more = (stop.code for box, stop in stops.items() if stop.locked or (box, stop.code) not in said)
        return own + Counter(more)

    @property
    def phases(self) -> Counter[Phase]:
        """Count the mailboxes by phase."""
        return Counter({ship.row.mailbox: ship.phase for ship in self.ships}.values())

    @property
    def rate(self) -> float:
        """Return items a second of all that are at work: over the last minute, or else on average."""
        if self.pace is not None:
            return self.pace
        return sum(ship.rate for ship in self.ships if ship.rate is not None)

    @property
    def left(self) -> float | None:
        """Return the seconds until all is copied, at the rate of the last minute.

        None means that the rate is not known or zero, or that nothing is left to copy.
        """
        if not self.pace:
            return None
        rows = [ship.row for ship in self.ships]
        owed = expected(rows, self.checked) - sum(row.done for row in rows)
        return owed / self.pace if owed > 0 else None

    def lines(self) -> list[MailboxFacts]:
        """Return a row for each mailbox; those that need a person come first."""
        boxes: dict[str, list[LegStatus]] = {}
        for ship in self.ships:
            boxes.setdefault(ship.row.mailbox, []).append(ship)
        lines = [
            MailboxFacts(
                number,
                own[0].wave,
                own[0].phase,
                {ship.row.workload: workload_of(ship.row, ship.rejected, ship.rate) for ship in own},
                self.checked.get(number, 0),
                self.paces.get(number),
                own[0].stop,
            )
            for number, own in boxes.items()
        ]
        return sorted(lines, key=urgency)

    @property
    def settled(self) -> bool:
        """Return True if each leg is verified and in the plan, and no cutover stopped or was refused.

        Without any leg it is False, unless mailboxes are left out because everything of them was rolled back.
        """
        whole = all(is_settled(ship.row) and ship.stop is None for ship in self.ships)
        return bool(self.ships or self.left_out) and whole

    def totals(self) -> dict[str, object]:
        """Return the totals as plain data, for --json."""
        rows = [ship.row for ship in self.ships]
        return {
            "mailboxes": len({row.mailbox for row in rows}),
            "legs": len(rows),
            "items": sum(row.items for row in rows),
            "expected": expected(rows, self.checked),
            "done": sum(row.done for row in rows),
            "bytes": sum(row.bytes for row in rows),
            "rejected": sum(ship.rejected for ship in self.ships),
            "rate": round(self.rate, 1),
            "states": {str(state): count for state, count in sorted(self.states.items())},
            "codes": dict(sorted(self.codes.items())),
            "cutovers_stopped": len(self.stopped),
            "left_out": len(self.left_out),
            "fates": {state.name.lower(): count for state, count in sorted(self.fates.items())},
        }


def _cannot_tell(_owner: str) -> bool:
    """Return False: only the lease tells whether a worker is still there."""
    return False


def gather(
    mailboxes: Iterable[MailboxRow],
    legs: Iterable[LegRow],
    summaries: Iterable[LegSummary],
    now: datetime,
    wanted: frozenset[str] | None = None,
    kinds: frozenset[Kind] | None = None,
    dead: Callable[[str], bool] = _cannot_tell,
    checked: Mapping[str, int] | None = None,
    stopped: Mapping[str, Stop] | None = None,
) -> WaveStatus:
    """Return the status, with the most urgent legs first.

    Args:
        mailboxes: the mailboxes.
        legs: their legs; those of other mailboxes are passed over.
        summaries: the legs in numbers.
        now: the time by the ledger's clock.
        wanted: only these mailbox ids; None means all.
        kinds: only these workloads; None means all.
        dead: tells whether the owner of a lease is known to have ended.
        checked: see WaveStatus.
        stopped: the stops, by mailbox id; see engine.cutover.stopped.
    """
    boxes = {row.id: row for row in mailboxes if wanted is None or row.id in wanted}
    every = [leg for leg in legs if leg.mailbox in boxes]
    out = left_out(every)
    counts = {one.leg: one.counts for one in summaries}
    ships = []
    fates: Counter[State] = Counter()
    for leg in every:
        row, box = _withheld(with_deaths(leg, now, dead)), boxes[leg.mailbox]
        if row.mailbox in out or (kinds is not None and row.workload not in kinds):
            continue
        own = counts.get(row.id, {})
        fates.update(own)
        rate, left = _pace(row, now)
        stop = (stopped or {}).get(box.id)
        ships.append(LegStatus(box.wave, box.phase, row, own.get(State.REJECTED, 0), rate, left, stop))
    return WaveStatus(tuple(sorted(ships, key=_urgency)), fates, checked or {}, left_out=out)


class RateWindow:
    """Measure the rates of a status that is looked at repeatedly, over the last WATCHED_SECONDS.

    A rate since a leg first began would be wrong, because that may have been in another night.
    """

    def __init__(self) -> None:
        self._seen: dict[int | str, Pace] = {}
        self._worked: dict[str, datetime] = {}

    def paced(self, fleet: WaveStatus, now: datetime) -> WaveStatus:
        """Return the status with the rates of all together, of each mailbox and of each leg at work.

        What is seen for the first time has no rate yet. Each call is one measurement.

        Args:
            fleet: the status as it is now.
            now: the time of this status.
        """
        ships = tuple(self._paced(ship, now) for ship in fleet.ships)
        done = sum(ship.row.done for ship in fleet.ships)
        rates = {number: self._rate(number, own, now) for number, own in self._busy(fleet, now).items()}
        known = {number: rate for number, rate in rates.items() if rate is not None}
        return replace(fleet, ships=ships, paces=known, pace=self._rate(ALL, done, now) or 0.0)

    def _busy(self, fleet: WaveStatus, now: datetime) -> dict[str, int]:
        """Return how much is done of each mailbox that was at work within the last WATCHED_SECONDS.

        For a moment between two of its workloads no worker holds a mailbox; it still counts.
        """
        for ship in fleet.ships:
            if ship.row.state is LegState.RUNNING:
                self._worked[ship.row.mailbox] = now
        for number, last in list(self._worked.items()):
            if (now - last).total_seconds() >= WATCHED_SECONDS:
                del self._worked[number]
                self._seen.pop(number, None)
        done: Counter[str] = Counter()
        for ship in fleet.ships:
            if ship.row.mailbox in self._worked:
                done[ship.row.mailbox] += ship.row.done
        return done

    def _paced(self, ship: LegStatus, now: datetime) -> LegStatus:
        row = ship.row
        if row.state is not LegState.RUNNING:
            self._seen.pop(row.id, None)
            return ship
        rate = self._rate(row.id, row.done, now)
        return replace(ship, rate=rate, left=max(0, row.items - row.done) / rate if rate else None)

    def _rate(self, name: int | str, done: int, now: datetime) -> float | None:
        """Return items a second of what has this name; see reports.pace.Pace."""
        seen = self._seen.setdefault(name, Pace(WATCHED_SECONDS, RATE_LEAST_SECONDS))
        return seen.add(now.timestamp(), done)


def _withheld(row: LegRow) -> LegRow:
    """Return the leg; if the plan withholds it, with the code that says why."""
    return row if row.withheld is None else replace(row, code=reason_code(row))


def _urgency(ship: LegStatus) -> tuple[bool, bool, int, str, str, str]:
    whose = ship.wave, ship.row.mailbox, str(ship.row.workload)
    return not ship.locked, not ship.needs_person, URGENCY.index(ship.row.state), *whose


def _pace(row: LegRow, now: datetime) -> tuple[float | None, float | None]:
    if row.state is not LegState.RUNNING or row.started is None or not row.done:
        return None, None
    started = row.started if row.started.tzinfo else row.started.replace(tzinfo=UTC)
    passed = (now - started).total_seconds()
    if not RATE_LEAST_SECONDS <= passed <= RATE_MOST_SECONDS:
        return None, None
    rate = row.done / passed
    return rate, max(0, row.items - row.done) / rate
