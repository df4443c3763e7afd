"""What the flows of one process share: the ledger, the threads of legs, the slots, the wish to stop."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from engine.config.load import Config
from engine.context.shrink_guard import ShrinkBreaker
from engine.control import crash_note, json_log
from engine.control.error_log import INTERNAL
from engine.control.lease import is_dead
from engine.control.ledger_patience import LedgerPatience, log, passes
from engine.control.log_filter import quieten
from engine.control.stop_signal import Stop
from engine.leg.leg_result import LegResult, News
from engine.pacing.admission import Admission, AdmissionEntry
from engine.pacing.leg_slots import LegSlot, Slots
from engine.pacing.login_breaker import REFUSED
from engine.pacing.measured_sides import measured_alone
from engine.pacing.run_legs import Boundary
from engine.pacing.server_names import UNWELL
from engine.pacing.server_notices import one_at_a_time_lines, rate_limit_lines, trouble_lines, unwell
from engine.pacing.shared_budget import RATE_LIMITED
from engine.pacing.watchdog import Watchdog, WavePolicy
from engine.pacing.worker_slots import Through
from ledger import open_ledgers
from ledger.db.rows import LegRow, LegState, Tally
from ledger.store import Ledger
from model.errors import MigrationError, Transient
from reports import progress

if TYPE_CHECKING:
    from engine.leg.run_options import RunOptions

T = TypeVar("T")


class Shutdown:
    """Hold the wish to stop. Legs see it at their next batch, settle, and release their lease."""

    def __init__(self) -> None:
        self.event = Stop()
        self._replaced: Any = None

    @property
    def stopping(self) -> bool:
        """Return True if a stop is wanted."""
        return self.event.is_set()

    def arm(self) -> None:
        """Make SIGTERM drain instead of kill.

        Call it again and again, because Prefect puts its own handler, which raises wherever the program is,
        back for every nested flow. It does nothing outside the main thread, where signals are another's.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        installed = signal.getsignal(signal.SIGTERM)
        if installed != self._drain:
            if self._replaced is None:
                self._replaced = installed
            signal.signal(signal.SIGTERM, self._drain)

    def disarm(self) -> None:
        """Put the earlier handler of SIGTERM back."""
        if self._replaced is not None:
            signal.signal(signal.SIGTERM, self._replaced)
            self._replaced = None

    def _drain(self, _number: int, _frame: FrameType | None) -> None:
        self.event.set()


class LegRunner:
    """Run legs. There is one for each process and wave, made within the event loop that uses it.

    Attributes:
        tally: what its legs did.
        looked: by leg, how a dry run ended that left no trace in the ledger.
        as_before: the legs that were verified, and are again, with nothing new.
        underway: the numbers of the batches whose mailboxes are in line.
        cut: True if the run left out something that it was to do.
        called_off: mailboxes that this run does not begin again: a person cancelled their batch, or a defect
            of Kogge ended a workload of them.
        notice: what prevents work from beginning, in a line for people.
    """

    def __init__(self, config: Config, ledger: Ledger, drain: Shutdown) -> None:
        self.config = config
        self.ledger = ledger
        self.drain = drain
        self.admission = Admission(config, ledger)
        self.watchdog = Watchdog(config, ledger, drain.event, self.admission)
        self.slots = Slots(config.run.mailboxes_at_once)
        self.underway: set[int] = set()
        self.cut = False
        self.called_off: set[str] = set()
        self.pool = ThreadPoolExecutor(config.run.mailboxes_at_once, thread_name_prefix="leg")
        # Before a leg's walk, which contains its own trouble, only what all mailboxes share can fail.
        self.boundary = Boundary(drain.event, concerns_all=(MigrationError,), config=config)
        self.notice: str | None = None
        self.tally = Tally()
        self.looked: dict[int, LegResult] = {}
        self.as_before: set[int] = set()

    @property
    def fault(self) -> MigrationError | None:
        """Return what concerned every mailbox and ended the run."""
        return self.boundary.fault

    @property
    def shut(self) -> bool:
        """Return True if no more legs begin: a stop is wanted, or the wave's window is about to close."""
        return self.drain.stopping or self.watchdog.closing

    def follow(self, wave: str, *, hours: bool = True) -> None:
        """Set which wave is worked on; see engine.pacing.watchdog.Watchdog.follow.

        Args:
            wave: its name.
            hours: False for what writes nothing.
        """
        json_log.note_wave(wave)
        self.watchdog.follow(WavePolicy(wave, hours))

    @property
    def refusal(self) -> Transient | None:
        """Return why the wave may go on only at another time."""
        return self.watchdog.refusal

    def snapshot(
        self, wave: str | None, mailboxes: Collection[str] = (), workloads: Collection[str] = ()
    ) -> progress.Snapshot:
        """Return the legs of a wave as they are now, with what is known of servers."""
        read, now = progress.read(self.ledger, wave, mailboxes, workloads), self.ledger.clock()
        legs = tuple(progress.with_deaths(leg, now, is_dead) for leg in read.legs)
        seen = self._with_looks(replace(read, legs=legs))
        waits = rate_limit_lines(self.admission.rate_limited())
        causes = self.admission.causes()
        halted = unwell(self.admission.seen, causes)  # these lines name the code already
        troubles = {
            system: trouble for system, trouble in self.admission.troubles().items() if system not in causes
        }
        slow = one_at_a_time_lines(self.config)
        return replace(seen, unwell=(*trouble_lines(troubles), *halted, *waits, *slow))

    def _with_looks(self, seen: progress.Snapshot) -> progress.Snapshot:
        """Replace the ledger's state of legs that this process only looked at by what it found."""
        looks = {leg.id: self.looked[leg.id] for leg in seen.legs if leg.id in self.looked}
        if not looks:
            return seen
        news = News()
        for result in looks.values():
            news.add(result.news or News())
        legs = [
            leg if leg.id not in looks else replace(leg, state=looks[leg.id].state, code=looks[leg.id].code)
            for leg in seen.legs
        ]
        return replace(seen, legs=tuple(legs), news=news.in_words())

    async def ask_ledger(self, call: Callable[..., T], *given: object, **named: object) -> T:
        """Return what a question to the ledger returns, in a thread; repeat it while the ledger is away.

        Args:
            call: the question; it must be harmless twice.
            given: its arguments.
            named: its arguments.

        Raises:
            MigrationError: what the question raises, or `ledger-unavailable`.
        """
        return await asyncio.to_thread(self.ledger.patience.ask, functools.partial(call, *given, **named))

    async def run_leg(self, row: LegRow, slot: LegSlot, options: RunOptions) -> tuple[LegState, str | None]:
        """Run one leg to its end in a thread.

        What concerns every mailbox (a wrong configuration, a broken ledger) ends the run: see `fault`. A leg
        that ended because a server is not well gives its place away, and goes on once there is room; after
        too long it is left waiting. A leg whose mailbox was refused in this run is blocked, because another
        try of the same login may lock the account.

        Returns:
            Its state and code.
        """
        loop = asyncio.get_running_loop()
        while self.boundary.refused(row.mailbox) or not self._lost(slot):
            result = await loop.run_in_executor(self.pool, self._run_once, row, slot.entry, options)
            self.tally.add(result.tally)
            if options.writes and _is_as_before(row, result):
                self.as_before.add(row.id)
            if result.news is not None:
                self.looked[row.id] = result
            halted = slot.entry is not None and self.admission.halted(slot.entry)
            again = result.code in (UNWELL, RATE_LIMITED) or (halted and result.state is LegState.WAITING)
            if self.shut or not again:
                return result.state, result.code
            slot.release()
            await slot.acquire()
        causes = self.admission.causes()
        systems = () if slot.entry is None else slot.entry.systems
        why = ", ".join(sorted({causes[one] for one in systems if one in causes}))
        if options.dry_run:
            self.looked[row.id] = _looked(row, LegState.WAITING, UNWELL)
        else:
            put_off = functools.partial(self.ledger.put_off, row.id, UNWELL, why or None)
            await loop.run_in_executor(self.pool, put_off)
        return LegState.WAITING, UNWELL

    def _lost(self, slot: LegSlot) -> bool:
        return slot.entry is not None and self.admission.lost(slot.entry)

    def _run_once(self, row: LegRow, entry: AdmissionEntry | None, options: RunOptions) -> LegResult:
        """Run a leg in this thread, within the boundary of its mailbox."""
        through = measured_alone if entry is None else self.admission.through(entry, self.drain.event)
        act = functools.partial(
            _run_leg,
            self.config,
            row.id,
            options=options,
            stop=self.drain.event,
            breaker=self.boundary.breakers.shrinking,
            through=through,
        )
        failed = functools.partial(self._failed, row, only_looks=options.dry_run)
        return self.boundary.within(row.mailbox, functools.partial(self._begun, row, act), failed)

    def _begun(self, row: LegRow, act: Callable[[], LegResult]) -> LegResult:
        """Run a leg; begin it again if the ledger was away before its walk.

        A run that was asked to stop does not wait for the ledger.
        """
        try:
            return self.ledger.patience.ask(act)
        except Transient as error:
            if not (self.drain.stopping and passes(error)):
                raise
            return LegResult(row.id, row.mailbox, row.workload, LegState.WAITING, error.code)

    def _failed(self, row: LegRow, error: MigrationError, *, only_looks: bool) -> LegResult:
        """Return the outcome of a leg whose walk did not begin.

        It is blocked, because its earlier state would pass for the verdict of this run. What concerns every
        mailbox leaves it as it is, and so does a look.
        """
        if only_looks:
            return _looked(row, LegState.BLOCKED, error.code)
        if error.code not in (INTERNAL, REFUSED):
            state = self.ledger.leg(row.id).state
        elif self.ledger.block(row.id, error.code) or error.code == REFUSED:
            state = LegState.BLOCKED
        else:
            self.called_off.add(row.mailbox)
            state = LegState.RUNNING
        return LegResult(row.id, row.mailbox, row.workload, state, error.code)


def _is_as_before(row: LegRow, result: LegResult) -> bool:
    """Return True if the leg was verified, as this row has it, and is again, with nothing new."""
    both = LegState.VERIFIED, None
    return (row.state, row.code) == both == (result.state, result.code) and result.tally == Tally()


def _looked(row: LegRow, state: LegState, code: str) -> LegResult:
    """Return the outcome of a look that found nothing out."""
    return LegResult(row.id, row.mailbox, row.workload, state, code, news=News())


def _run_leg(
    config: Config, leg_id: int, *, options: RunOptions, stop: Stop, breaker: ShrinkBreaker, through: Through
) -> LegResult:
    # Imported late: a wave that hands its batches to other workers needs no connector.
    from engine.assembly import build_leg

    return build_leg(config, leg_id, options, stop=stop, through=through, breaker=breaker).run()


@contextmanager
def opened(
    config: Config, drain: Shutdown | None = None, say: Callable[[str], None] | None = None
) -> Iterator[LegRunner]:
    """Open the ledger and the threads; wait at the end for legs at work.

    A ledger whose database does not answer is waited for, as long as [run] says.

    Args:
        config: the configuration.
        drain: the wish to stop; None for one of its own.
        say: takes a line when that wait begins and when it ends, from any thread; None for the log.
    """
    with crash_note.noting_crashes(config.state_directory):
        yield from _opened(config, drain or Shutdown(), say or _log())


def _log() -> Callable[[str], None]:
    """Return the log of the run in Prefect; this process's own log outside of a run."""
    try:
        return get_run_logger().warning
    except MissingContextError:
        return log


def _opened(config: Config, drain: Shutdown, say: Callable[[str], None]) -> Iterator[LegRunner]:
    quieten()
    json_log.use(config)
    patience = LedgerPatience(config.run.ledger_patience_seconds, lambda: drain.stopping, say)
    with open_ledgers.opened(config.ledger_url(), upgrade=True, patience=patience) as ledger:
        runner = LegRunner(config, ledger, drain)
        runner.drain.arm()
        runner.watchdog.start()
        try:
            yield runner
        finally:
            runner.watchdog.end()
            runner.drain.event.set()
            runner.pool.shutdown(wait=True)
            runner.admission.close()
            runner.drain.disarm()
