"""Decide how many legs may be at work against each server, and when the next batch may go to it.

A system is a server (engine.pacing.server_names): "source.ews", or "target.calendar-contacts". For each
system, this worker has a pace (engine.pacing.throttle); for the source, also a share of the budget that all
workers keep. A leg that is one too many waits between two batches, where nothing is in doubt. It does not
wait long, because it holds a place that another server's legs could use: it ends as pending, `target-unwell`,
and begins again later. The same holds for a leg that waits for its target's rate limit
(engine.pacing.shared_budget), if a leg of another server is in line; else it keeps its place.
"""

from __future__ import annotations

import bisect
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from engine.config.load import Config
from engine.control.stop_signal import StopRequested, reason
from engine.pacing.call_metrics import OUTAGE, Clock, Meter, MetricsSample
from engine.pacing.measured_sides import measured
from engine.pacing.server_names import UNWELL, sides_of
from engine.pacing.shared_budget import RATE_LIMITED, SharedBudget, budget_of
from engine.pacing.throttle import FULL, Throttle, shares
from ledger.db.counters import CALL_SECONDS, CALLS, FAULTS, counters_of
from ledger.db.patience import ConnectPatience
from ledger.store import Ledger
from ledger.views import server_health
from ledger.views.server_health import Health, newest, report
from model.errors import MigrationError
from model.kinds import Kind
from model.protocols import Source

if TYPE_CHECKING:
    from engine.context.leg_context import Opener

T = TypeVar("T")
PERIOD_SECONDS = 5.0
HOLD_SECONDS = 30.0
"""How long a leg waits between two batches before it gives its place away, if it has one."""

LOST_SECONDS = 600.0
"""How long a server may be unwell, halted again and again, before its legs are left for another run."""

PROBE_SECONDS = 15.0
PROBE_FIRST = 2.0
PROBE_SHARE = 5
"""How often one leg tries a server that is halted: in a fifth of the time for which it has been away, between
these seconds."""

RECOVERY_SECONDS = 1.0
"""How often a server is judged that is away or comes back. It is no period for the others."""

LET_GO_SECONDS = 5.0
"""How long after a request to stop a call is waited for that has no answer."""

SILENT_SECONDS = 10.0
"""A call that has no answer after so many seconds is reported to whoever watches the run."""

REST_MOST = 30.0
TICK_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class AdmissionEntry:
    """Represent a leg that is at work, or waits to be.

    Attributes:
        systems: the systems that it asks; the target's comes last.
        rank: see engine.pacing.leg_slots.
        patient: True if it has a thread of its own and holds no place of others while it waits.
        budgets: by system, the budget of its rate limit; nothing of systems without one.
        fresh: True if it has just begun: the permission to begin covers its first turn.
        since: when it last went on, by the monotonic clock.
        busy: seconds for which it had been at work before that.
    """

    systems: tuple[str, ...]
    rank: tuple[int, int] = (0, 0)
    patient: bool = False
    budgets: Mapping[str, SharedBudget] = field(default_factory=dict)
    fresh: bool = False
    since: float = 0.0
    busy: float = 0.0

    @property
    def limited(self) -> bool:
        """True if a rate limit of one of its systems is used up."""
        return any(budget.spent for budget in self.budgets.values())


@dataclass(frozen=True, slots=True)
class Trouble:
    """Say what keeps a system from answering.

    Attributes:
        seconds: for how long a call has had no answer; 0.0 if none has waited for long.
        code: the code of the newest passing fault since its last answer; None if there was none.
    """

    seconds: float
    code: str | None


@dataclass(slots=True)
class _Gate:
    """Hold what this worker knows of one system.

    Attributes:
        meter: measures the calls.
        throttle: sets the pace.
        share: this worker's share of the budget; None if the system has no budget.
        probed: when the next leg may try it while it is halted.
        known: True once other workers' reports about it were read.
        unwell: since when it has been halted again and again; None once it is at half its pace again.
    """

    meter: Meter
    throttle: Throttle
    share: int | None = None
    probed: float = 0.0
    known: bool = False
    unwell: float | None = None


@dataclass(slots=True)
class _Legs:
    """Hold the legs of this process.

    Attributes:
        working: legs that are at work against the servers now.
        held: legs that wait between two batches.
        coming: legs that have not begun, in their order.
    """

    working: list[AdmissionEntry] = field(default_factory=list)
    held: list[AdmissionEntry] = field(default_factory=list)
    coming: list[AdmissionEntry] = field(default_factory=list)

    def at_work(self, system: str) -> int:
        """Return how many legs are at work against a system."""
        return sum(system in entry.systems for entry in self.working)

    def count(self, system: str) -> int:
        """Return how many legs ask a system, at work or waiting."""
        return sum(system in entry.systems for entry in self.all())

    def all(self) -> list[AdmissionEntry]:
        """Return all legs."""
        return [*self.working, *self.held, *self.coming]

    def forget(self, entry: AdmissionEntry) -> None:
        """Remove a leg from all lists."""
        for entries in (self.working, self.held, self.coming):
            if entry in entries:
                entries.remove(entry)


class Admission:
    """Admit the legs of one process to the servers. Thread-safe.

    Attributes:
        seen: how all workers found the servers at the end of the last period.
    """

    def __init__(self, config: Config, ledger: Ledger, clock: Clock = time.monotonic) -> None:
        self._config = config
        self._ledger = ledger
        self._clock = clock
        self._changed = threading.Condition()
        self._legs = _Legs()
        self._gates: dict[str, _Gate] = {}
        self._worker = secrets.token_hex(8)
        self.seen: tuple[Health, ...] = ()

    # Called for a leg

    def join(
        self, workload: Kind, rank: tuple[int, int] = (0, 0), *, source: bool = True, patient: bool = False
    ) -> AdmissionEntry:
        """Put a leg in line, behind those with a lower rank and those that came before.

        Args:
            workload: the workload of the leg.
            rank: see engine.pacing.leg_slots.
            source: True if the source is asked for anything.
            patient: see AdmissionEntry.
        """
        sides = list(sides_of(self._config, workload).items())[0 if source else 1 :]
        found = {system: budget_of(self._config, settings) for system, settings in sides}
        budgets = {system: budget for system, budget in found.items() if budget is not None}
        entry = AdmissionEntry(tuple(found), rank, patient, budgets)
        with self._changed:
            for system in entry.systems:
                self._gate(system)
            bisect.insort(self._legs.coming, entry, key=lambda other: other.rank)
        return entry

    def begin(self, entry: AdmissionEntry) -> bool:
        """Let a leg begin if there is room; legs that are held, and legs before it in line, go first.

        Returns:
            True if it may begin; it counts as at work then.
        """
        with self._changed:
            legs = self._legs
            ahead = legs.coming[: legs.coming.index(entry)]
            if not self._has_room(entry, [*legs.held, *ahead]):
                return False
            self._go(entry)
            entry.fresh = True
        return True

    def leave(self, entry: AdmissionEntry) -> None:
        """Remove a leg that has ended or will not begin."""
        with self._changed:
            self._legs.forget(entry)
            self._changed.notify_all()

    def turn(self, entry: AdmissionEntry, stop: threading.Event) -> str | None:
        """Wait, before a batch and in the leg's thread, until the leg may go on.

        Returns:
            None if it may go on. A code if the leg is to end with it, because it is to stop or has waited
                long enough.
        """
        if not self._await_room(entry, stop):
            return reason(stop) if stop.is_set() else self._away(entry)
        self._rest(entry, stop)
        return reason(stop) if stop.is_set() else None

    def through(self, entry: AdmissionEntry, stop: threading.Event) -> Callable[[Opener], Opener]:
        """Return a wrapper of openers.

        It opens both sides in the leg's turn, and measures how long their calls take.
        """
        *sources, target = (self._gate(system).meter for system in entry.systems)

        def open_in_turn(opener: Opener) -> Source:
            code = self.turn(entry, stop)
            if code is not None:
                raise StopRequested(code)
            return opener.source()

        def watched(opener: Opener) -> Opener:
            in_turn = replace(
                opener,
                source=lambda: open_in_turn(opener),
                turn=lambda: self.turn(entry, stop),
                is_away=lambda: self.is_away(entry),
            )
            return measured(in_turn, sources[0] if sources else None, target)

        return watched

    def let_go(self) -> None:
        """Close the sides whose calls have waited for an answer for LET_GO_SECONDS.

        A leg hears a request to stop at its next batch, and a server that hangs would keep it from getting
        there. A large item that is under way has the time that it takes. What was sent and not answered is in
        doubt then, as after a cut connection: the next run settles it.
        """
        with self._changed:
            gates = list(self._gates.values())
        for gate in gates:
            for close in gate.meter.hung(LET_GO_SECONDS):
                close()

    def troubles(self) -> dict[str, Trouble]:
        """Return what keeps each system from answering, of those where something does."""
        with self._changed:
            gates = dict(self._gates)
        found = {
            system: Trouble(gate.meter.silent(SILENT_SECONDS), gate.meter.trouble())
            for system, gate in gates.items()
        }
        return {system: trouble for system, trouble in found.items() if trouble.seconds or trouble.code}

    def is_away(self, entry: AdmissionEntry) -> bool:
        """Return True if one of the leg's servers is away: whoever may try it next, turn() decides."""
        with self._changed:
            return any(self._is_away(self._gates[system]) for system in entry.systems)

    def halted(self, entry: AdmissionEntry) -> bool:
        """Return True if one of the leg's servers is halted."""
        return any(self._gate(system).throttle.halted for system in entry.systems)

    def lost(self, entry: AdmissionEntry) -> bool:
        """Return True if a server has been unwell for so long that this leg is left for another run."""
        since = [self._gates[system].unwell for system in entry.systems]
        return any(candidate is not None and self._clock() - candidate >= LOST_SECONDS for candidate in since)

    def rate_limited(self) -> dict[str, float]:
        """Return until when legs of this worker wait for a rate limit, by system, in seconds since 1970."""
        with self._changed:
            entries = self._legs.all()
        budgets = [side for entry in entries for side in entry.budgets.items()]
        waits = ((system, budget.waits_until) for system, budget in budgets)
        return {system: until for system, until in waits if until is not None}

    def causes(self) -> dict[str, str]:
        """Return the code of the newest fault of each system that is halted, as this worker met it."""
        gates = dict(self._gates)
        return {
            system: gate.meter.code
            for system, gate in gates.items()
            if gate.throttle.halted and gate.meter.code is not None
        }

    # The exchange among workers

    def due(self) -> float:
        """Return the length of a period in seconds; 0 while other workers' shares of a budget are unknown."""
        with self._changed:
            return PERIOD_SECONDS if all(gate.known for gate in self._gates.values()) else 0.0

    def period(self) -> None:
        """End a period: what was measured decides the pace of the next one.

        Raises:
            MigrationError: what the ledger raises; the pace then stays as it was, and the measurements are
                lost.
        """
        with self._changed:
            gates = dict(self._gates)
        if not gates:
            return
        self._judge(gates)

    def recovery(self) -> None:
        """Judge the servers that are away or come back, between two periods.

        Raises:
            MigrationError: as period().
        """
        with self._changed:
            gates = {
                system: gate
                for system, gate in self._gates.items()
                if gate.known and (self._is_away(gate) or gate.throttle.recovers)
            }
        if gates:
            self._judge(gates)

    def _judge(self, gates: Mapping[str, _Gate]) -> None:
        rows = [row for row in newest(self._ledger) if row.worker != self._worker]
        own = [self._judge_period(system, gate, rows) for system, gate in gates.items()]
        report(self._ledger, own)
        with self._changed:
            others = [row for row in self.seen if row.worker == self._worker and row.system not in gates]
            self.seen = (*rows, *others, *own)
            self._share_out()
            self._changed.notify_all()

    @property
    def patience(self) -> ConnectPatience:
        """Return the patience of the ledger."""
        return self._ledger.patience

    def close(self) -> None:
        """Remove this worker's reports from the ledger, and count its last calls, if it can be reached."""
        for system, gate in self._gates.items():
            gate.meter.take(gate.throttle.slow)
            self._count(system, gate.meter.ended)
        with suppress(MigrationError):
            server_health.leave(self._ledger, self._worker)

    def _judge_period(self, system: str, gate: _Gate, rows: Iterable[Health]) -> Health:
        others = [row for row in rows if row.system == system]
        reading = gate.meter.take(gate.throttle.slow)
        self._count(system, gate.meter.ended)
        with self._changed:
            if self._waited_itself(system):
                reading = replace(reading, seconds=0.0)
            if not gate.known:
                gate.known = True
                paces = [row.pace for row in others] if self._config.admission.regulate else []
                gate.throttle.pace = min(paces, default=gate.throttle.pace)
            elif self._config.admission.regulate:
                # Who halted says that it is away, and nothing of how many calls fail.
                gate.throttle.judge(reading, [_reading(row) for row in others if row.pace])
            if gate.throttle.halted and gate.unwell is None:
                gate.unwell = self._clock()
            elif gate.throttle.pace >= FULL / 2:
                gate.unwell = None
            legs_wanted = min(self._config.run.mailboxes_at_once, self._legs.count(system))
        return Health(
            system,
            self._worker,
            reading.calls,
            0 if reading.outage else reading.errors,
            reading.latency,
            gate.throttle.pace,
            legs_wanted,
        )

    def _count(self, system: str, sample: MetricsSample) -> None:
        counters = counters_of(self._ledger.engine)
        counters.add(CALLS, system, amount=sample.calls)
        counters.add(FAULTS, system, amount=sample.errors)
        counters.add(CALL_SECONDS, system, amount=sample.seconds)

    def _share_out(self) -> None:
        budget = self._config.admission.source_at_once
        for system, gate in self._gates.items():
            if budget is not None and system.startswith("source."):
                legs_wanted = {row.worker: row.legs for row in self.seen if row.system == system}
                gate.share = shares(budget, legs_wanted).get(self._worker, 0)

    # Called with the lock held

    def _waited_itself(self, system: str) -> bool:
        """Return True if legs waited for a rate limit: the time of their calls is not the server's."""
        budgets = [entry.budgets[system] for entry in self._legs.all() if system in entry.budgets]
        return any(budget.waited_within(2 * PERIOD_SECONDS) for budget in budgets)

    def _is_wanted(self, entry: AdmissionEntry) -> bool:
        """Return True if a leg in line could use the place of this one."""
        return any(
            other.budgets != entry.budgets and self._has_room(other, ()) for other in self._legs.coming
        )

    def _away(self, entry: AdmissionEntry) -> str:
        """Return the code of a leg that gives its place away."""
        return RATE_LIMITED if entry.limited else UNWELL

    def _gate(self, system: str) -> _Gate:
        if system not in self._gates:
            settings = self._config.admission
            throttle = Throttle(settings.slow_seconds(system), settings.errors_percent / 100)
            budgeted = settings.source_at_once is not None and system.startswith("source.")
            self._gates[system] = _Gate(Meter(self._clock), throttle, 0 if budgeted else None)
        return self._gates[system]

    def _most(self, system: str) -> float:
        """Return how many legs may be at work against a system."""
        gate = self._gates[system]
        share = float("inf") if gate.share is None else gate.share
        if self._is_away(gate):
            return min(share, 1 if self._clock() >= gate.probed else 0)
        if gate.throttle.pace == FULL:
            return share
        return min(share, max(1, int(gate.throttle.pace * self._config.run.mailboxes_at_once)))

    def _is_away(self, gate: _Gate) -> bool:
        """Return True if a server is halted, or is about to be: nothing has been answered of late."""
        return gate.throttle.halted or (self._config.admission.regulate and gate.meter.failures >= OUTAGE)

    def _has_room(self, entry: AdmissionEntry, before: Sequence[AdmissionEntry]) -> bool:
        """Return True if there is room for a leg.

        Args:
            entry: the leg.
            before: legs that were queued before it. Those that wait for another, full server do not count.
        """
        if entry.limited:
            return False
        full = {system for system in self._gates if self._legs.at_work(system) >= self._most(system)}
        if full.intersection(entry.systems):  # hundreds in line ask again and again: none goes through all
            return False
        for system in entry.systems:
            ahead = sum(system in other.systems and not full.intersection(other.systems) for other in before)
            if self._legs.at_work(system) + ahead >= self._most(system):
                return False
        return True

    def _go(self, entry: AdmissionEntry) -> None:
        self._legs.forget(entry)
        self._legs.working.append(entry)
        entry.since = now = self._clock()
        for gate in (self._gates[system] for system in entry.systems):
            away = 0.0 if gate.unwell is None else now - gate.unwell
            gate.probed = now + min(PROBE_SECONDS, max(PROBE_FIRST, away / PROBE_SHARE))

    # Called without the lock

    def _await_room(self, entry: AdmissionEntry, stop: threading.Event) -> bool:
        """Wait for room. Return False if there was none in time."""
        until = float("inf") if entry.patient else self._clock() + HOLD_SECONDS
        with self._changed:
            if entry.fresh:
                entry.fresh = False
                return True
            busy = self._clock() - entry.since
            self._legs.forget(entry)
            self._legs.held.append(entry)
            while not stop.is_set():
                held = self._legs.held
                if self._has_room(entry, held[: held.index(entry)]):
                    self._go(entry)
                    entry.busy = busy
                    return True
                limited = self._away(entry) == RATE_LIMITED
                if self._clock() >= until and (not limited or self._is_wanted(entry)):
                    break
                self._changed.wait(TICK_SECONDS)
            self._legs.forget(entry)
        return False

    def _rest(self, entry: AdmissionEntry, stop: threading.Event) -> None:
        """Rest in between, if the pace allows less than one leg at work."""
        with self._changed:
            throttles = [self._gates[system].throttle for system in entry.systems]
            paces = [throttle.pace for throttle in throttles if not throttle.recovers]
        legs = min((pace * self._config.run.mailboxes_at_once for pace in paces if pace), default=1.0)
        if legs < 1:
            stop.wait(min(REST_MOST, entry.busy * (1 / legs - 1)))
            entry.since = self._clock()


def _reading(row: Health) -> MetricsSample:
    return MetricsSample(row.calls, row.errors, row.latency * row.calls)
