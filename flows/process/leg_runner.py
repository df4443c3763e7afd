"""What the flows of one process share: the ledger, the threads of legs, the slots, the wish to stop."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.config.load import Config
from engine.control import crash_note
from engine.control.error_log import INTERNAL, describe
from engine.control.log_filter import quieten
from engine.control.stop_signal import Stop
from engine.pacing.admission import UNWELL, Admission
from engine.pacing.leg_slots import LegSlot, Slots
from engine.pacing.login_breaker import REFUSED
from engine.pacing.run_breakers import RunBreakers
from engine.pacing.server_notices import unwell
from engine.pacing.watchdog import Watchdog, WavePolicy
from ledger import open_ledgers
from ledger.db.rows import LegRow, LegState, Tally
from ledger.store import Ledger
from model.errors import MigrationError, Transient
from reports import progress

if TYPE_CHECKING:
    from engine.leg.run import LegResult
    from engine.leg.run_options import RunOptions

LOGGED_IN = frozenset({LegState.VERIFIED, LegState.COPIED, LegState.DIFFERS})
"""States of a leg that both sides have let in."""

LegEnd: TypeAlias = tuple[LegState, str | None, Tally]


class Shutdown:
    """The wish to stop. Legs see it at their next batch boundary, settle, and release their lease."""

    def __init__(self) -> None:
        self.event = Stop()
        self._replaced: Any = None

    @property
    def stopping(self) -> bool:
        return self.event.is_set()

    def arm(self) -> None:
        """Makes SIGTERM drain instead of kill; to be called again and again, because Prefect puts its
        own handler (which raises wherever the program is) back for every nested flow. Does nothing
        outside the main thread, where signals are another's."""
        if threading.current_thread() is not threading.main_thread():
            return
        installed = signal.getsignal(signal.SIGTERM)
        if installed != self._drain:
            if self._replaced is None:
                self._replaced = installed
            signal.signal(signal.SIGTERM, self._drain)

    def disarm(self) -> None:
        if self._replaced is not None:
            signal.signal(signal.SIGTERM, self._replaced)
            self._replaced = None

    def _drain(self, _number: int, _frame: FrameType | None) -> None:
        self.event.set()


class LegRunner:
    """Runs legs. One a process and wave; made within the event loop that uses it. tally: what its
    legs did. underway: the numbers of the batches whose mailboxes are in line. notice: what keeps work from
    beginning, in a line for people."""

    def __init__(self, config: Config, ledger: Ledger, drain: Shutdown) -> None:
        self.config = config
        self.ledger = ledger
        self.drain = drain
        self.admission = Admission(config, ledger)
        self.watchdog = Watchdog(config, ledger, drain.event, self.admission)
        self.slots = Slots(config.run.legs)
        self.underway: set[int] = set()
        self.pool = ThreadPoolExecutor(config.run.legs, thread_name_prefix="leg")
        self.fault: MigrationError | None = None
        self.notice: str | None = None
        self.tally = Tally()
        self.breakers = RunBreakers()

    @property
    def shut(self) -> bool:
        """Whether no more legs begin: somebody wants to stop, or the wave's window is about to close."""
        return self.drain.stopping or self.watchdog.closing

    def follow(self, wave: str, *, hours: bool = True) -> None:
        """Says which wave is worked on; see engine.pacing.watchdog.Watchdog.follow. hours=False: what writes
        nothing."""
        self.watchdog.follow(WavePolicy(wave, hours))

    @property
    def refusal(self) -> Transient | None:
        """Why the wave may go on another time only."""
        return self.watchdog.refusal

    def snapshot(
        self, wave: str | None, mailboxes: Collection[str] = (), workloads: Collection[str] = ()
    ) -> progress.Snapshot:
        seen = progress.read(self.ledger, wave, mailboxes, workloads)
        return replace(seen, unwell=tuple(unwell(self.admission.seen, self.admission.causes())))

    async def run_leg(self, row: LegRow, slot: LegSlot, options: RunOptions) -> tuple[LegState, str | None]:
        """Runs one leg to its end in a thread: its state and code. What concerns every mailbox (a wrong
        configuration, a broken ledger) ends the run: see fault. A leg that ended because a server is not well
        gives its place away, and goes on once there is room; after too long it is left waiting. One whose
        mailbox was refused in this run is blocked: another try of the same login may lock the account."""
        if self.breakers.logins.refused(row.mailbox):
            await asyncio.get_running_loop().run_in_executor(self.pool, self.ledger.block, row.id, REFUSED)
            return LegState.BLOCKED, REFUSED
        call = functools.partial(
            _run_leg,
            self.config,
            row.id,
            options=options,
            stop=self.drain.event,
            breaker=self.breakers.shrinking,
        )
        while not self._lost(slot):
            state, code = await self._run_once(call, row, slot)
            halted = slot.entry is not None and self.admission.halted(slot.entry)
            again = code == UNWELL or (halted and state is LegState.WAITING)
            if self.shut or not again:
                return state, code
            slot.release()
            await slot.acquire()
        causes = self.admission.causes()
        systems = () if slot.entry is None else slot.entry.systems
        why = ", ".join(sorted({causes[one] for one in systems if one in causes}))
        put_off = functools.partial(self.ledger.put_off, row.id, UNWELL, why or None)
        await asyncio.get_running_loop().run_in_executor(self.pool, put_off)
        return LegState.WAITING, UNWELL

    def _lost(self, slot: LegSlot) -> bool:
        return slot.entry is not None and self.admission.lost(slot.entry)

    async def _run_once(
        self, call: Callable[..., LegResult], row: LegRow, slot: LegSlot
    ) -> tuple[LegState, str | None]:
        if slot.entry is not None:
            call = functools.partial(call, through=self.admission.through(slot.entry, self.drain.event))
        loop = asyncio.get_running_loop()
        try:
            state, code, tally = await loop.run_in_executor(self.pool, _guarded, self.ledger, call, row.id)
        except MigrationError as error:
            self._end_run(error)
            return (await loop.run_in_executor(self.pool, self.ledger.leg, row.id)).state, error.code
        self.tally.add(tally)
        accepted = state in LOGGED_IN
        fault = self.breakers.note(row.mailbox, code, accepted=accepted)
        if fault is not None:
            self._end_run(fault)
        return state, code

    def _end_run(self, fault: MigrationError) -> None:
        """The other legs end with the code of the first fault."""
        self.fault = self.fault or fault
        self.drain.event.ask(fault.code)


def _run_leg(config: Config, leg_id: int, **asked: Any) -> LegResult:
    # Imported late: a wave that hands its batches to other workers needs no connector.
    from engine.leg.run import run_leg

    return run_leg(config, leg_id, **asked)


def _guarded(ledger: Ledger, call: Callable[[], LegResult], leg_id: int) -> LegEnd:
    """The boundary of one mailbox: a defect in our own code must not end the others, and its text, which
    may carry anything, must reach neither Prefect nor a log. A leg that had not begun is blocked: what it was
    before would pass for the verdict of this run."""
    try:
        result = call()
    except MigrationError:
        raise
    except Exception as error:  # noqa: BLE001 (the mailbox boundary)
        logging.getLogger("kogge.defect").error("leg %s: %s", leg_id, describe(error))
        state = LegState.BLOCKED if ledger.block(leg_id, INTERNAL) else LegState.RUNNING
        return state, INTERNAL, Tally()
    return result.state, result.code, result.tally


@contextmanager
def opened(config: Config, drain: Shutdown | None = None) -> Iterator[LegRunner]:
    """Opens the ledger and the threads. Waits at the end for legs at work."""
    with crash_note.kept(config.state_directory):
        yield from _opened(config, drain)


def _opened(config: Config, drain: Shutdown | None) -> Iterator[LegRunner]:
    quieten()
    with open_ledgers.opened(config.ledger_url(), upgrade=True) as ledger:
        runner = LegRunner(config, ledger, drain or Shutdown())
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
