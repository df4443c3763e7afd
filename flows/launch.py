"""Runs a wave from the command line: finds or starts a Prefect API, runs the flow here, watches the ledger.

The flow's event loop lives in a thread of its own. Signals arrive in the main thread, where they ask the
legs to stop at their next batch boundary; Prefect would raise an exception wherever the program just is.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from engine.config.load import Config
from engine.config.registry import name_of
from engine.control import json_log
from engine.control.error_log import defect_log, spare
from engine.control.stop_signal import STOPPED, reason
from engine.leg.run_options import AS_CONFIGURED, RunOptions
from flows.deploy import prefect_server
from flows.deploy.api import Api, ensure_api, environment_of
from flows.deploy.deployments import HEARTBEAT_SECONDS
from flows.display import prefect_events
from flows.display.api_watch import ApiWatch
from ledger.db.patience import UNAVAILABLE
from model.errors import MigrationError, Transient
from reports import progress

if TYPE_CHECKING:
    from flows.process.leg_runner import LegRunner, Shutdown
    from flows.process.parameters import Level, VerifyParameters, WaveParameters
    from flows.process.run_note import RunNote
    from ledger.db.rows import Tally

OnProgress = Callable[[progress.Snapshot], None]
POLL_SECONDS = 0.5
PROGRESS_SHARE = 20
"""How far the wave is, is asked for at most a twentieth of the time."""
NOT_BEGUN = "somebody ended this run in Prefect before it began, so nothing was done; run it again"
STOPPING = "stopping: what is at work ends with its batch, within seconds; run it again to go on"


@dataclass(frozen=True, slots=True)
class RunResult:
    """Hold how a run ended.

    Attributes:
        complete: every item of the run has a fate.
        stopped: a stop was asked for before that.
        message: one line, safe to show.
        seen: the legs at the end.
        fault: what concerned every mailbox and ended the run.
        tally: what was done at the targets; None if workers elsewhere did it.
    """

    complete: bool
    stopped: bool
    message: str
    api: Api
    seen: progress.Snapshot
    fault: MigrationError | None = None
    tally: Tally | None = None

    def counts(self) -> dict[str, int]:
        """Return plain counts."""
        return self.seen.counts()


def launch(
    config: Config,
    wave: str,
    mailboxes: Sequence[str] = (),
    *,
    workloads: Sequence[str] = (),
    options: RunOptions = AS_CONFIGURED,
    planned: bool = False,
    on_progress: OnProgress | None = None,
    on_api: Callable[[Api], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> RunResult:
    """Run a wave, or a part of it, to its end; SIGINT and SIGTERM end it early.

    Args:
        config: the configuration.
        wave: its name.
        mailboxes: random ids; none for all.
        workloads: their names; none for all.
        options: of the run.
        planned: the list of mailboxes was read in this run, and is not read again.
        on_progress: gets a snapshot of the ledger twice a second, or less often if that takes long.
        on_api: is called with the place where the run can be watched, before it begins.
        on_notice: gets what prevents work from beginning, and when Prefect's server is away and back.

    Raises:
        Misconfigured: the run cannot begin.
        Transient: "prefect-unavailable": the Prefect API went away. The ledger is intact, and the next run
            resumes.
    """
    json_log.use(config)  # before Prefect is loaded: it leaves the console to us then
    api = ensure_api(config)
    if on_api is not None:
        on_api(api)
    _load_prefect(api, config.state_directory)
    from flows.process.leg_runner import Shutdown, opened

    drain = Shutdown()
    # Signals first: an exception raised inside a library's own code may come out as something else.
    with (
        signals(drain),
        defect_log(config.state_directory),
        _quiet(),
        opened(config, drain, on_notice) as runner,
        ApiWatch(api) as watch,
    ):
        form = _form(config, wave, mailboxes, workloads, options)
        run = _Flow(form, api, runner, planned=planned)
        run.start()
        noticed: str | None = None
        hears = False
        due = 0.0
        while not run.ended(POLL_SECONDS):
            if runner.notice != noticed:
                noticed = runner.notice
                if on_notice is not None and noticed is not None:
                    on_notice(noticed)
            if on_notice is not None and (news := watch.news()) is not None:
                on_notice(news)
            if drain.stopping and not hears and on_notice is not None:
                hears = True
                if reason(drain.event) == STOPPED and runner.fault is None:  # a person asked for it
                    on_notice(STOPPING)
            if on_progress is not None and time.monotonic() >= due:
                began = time.thread_time()
                with suppress(Transient):  # the ledger is away: the run waits for it, and says so
                    shot = runner.snapshot(wave, mailboxes, workloads)
                    with spare("the progress of a command"):
                        on_progress(shot)
                due = time.monotonic() + PROGRESS_SHARE * (time.thread_time() - began)
        seen = _last(runner, drain, lambda: runner.snapshot(wave, mailboxes, workloads))
        if on_progress is not None:
            with spare("the progress of a command"):
                on_progress(seen)
        return run.result(seen)


def _last(runner: LegRunner, drain: Shutdown, snapshot: Callable[[], progress.Snapshot]) -> progress.Snapshot:
    """Return the legs at the end; none of them if a person stopped the run while the ledger is away."""
    try:
        return runner.ledger.patience.ask(snapshot)
    except Transient as error:
        is_asked = drain.stopping and runner.fault is None and reason(drain.event) == STOPPED
        if error.code != UNAVAILABLE or not is_asked:
            raise
        return progress.Snapshot(())


def _load_prefect(api: Api, state_directory: Path) -> None:
    """Load Prefect, unless it is loaded, with the settings of this run in its environment.

    It reads its settings as it is loaded. Whoever changes one later has all of them read and built again.
    """
    if "prefect" in sys.modules:
        return
    more = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": f"{HEARTBEAT_SECONDS}"}
    if api.local:
        more["PREFECT_HOME"] = f"{prefect_server.home(state_directory)}"
    with environment_of(api, more):
        importlib.import_module("prefect.main")


@contextmanager
def _settings(updates: Mapping[Any, Any]) -> Iterator[None]:
    """Have these settings of Prefect in force during the block."""
    from prefect.settings import temporary_settings

    if all(f"{setting.value()}" == f"{value}" for setting, value in updates.items()):
        yield
        return
    with temporary_settings(updates):
        yield


def _form(
    config: Config,
    wave: str,
    mailboxes: Sequence[str],
    workloads: Sequence[str],
    options: RunOptions,
) -> WaveParameters | VerifyParameters:
    from flows.process.parameters import VerifyParameters, WaveParameters

    name, boxes = name_of(config.path), list(mailboxes)
    chosen = cast("Level", options.level or "configured")
    kinds = [str(one) for one in workloads]  # the form refuses any other
    if options.verify_only:
        return VerifyParameters(wave=wave, mailboxes=boxes, workloads=kinds, level=chosen, configuration=name)
    return WaveParameters(
        wave=wave,
        mailboxes=boxes,
        workloads=kinds,
        level=chosen,
        dry_run=options.dry_run,
        rest=options.rest,
        configuration=name,
    )


class _Flow:
    """Run the flow in a thread that sees this thread's context, in which Prefect has its settings."""

    def __init__(
        self, form: WaveParameters | VerifyParameters, api: Api, runner: LegRunner, *, planned: bool
    ) -> None:
        self._planned = planned
        self._form = form
        self._api = api
        self._runner = runner
        self._ends: list[Any] = []
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="flow")

    def start(self) -> None:
        self._thread.start()

    def ended(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self, seen: progress.Snapshot) -> RunResult:
        runner = self._runner
        if self._error is not None:
            raise self._error
        complete = any(end.is_completed() for end in self._ends)
        told = [end.message for end in self._ends] or [f"{NOT_BEGUN}; {progress.verdict(seen)}"]
        message = told[0] or progress.verdict(seen)
        fault = runner.fault or (None if complete else runner.refusal)
        stopped = runner.drain.stopping and fault is None and not complete
        here = runner.config.prefect.dispatch == "inline"
        tally = runner.tally if here else None
        return RunResult(complete, stopped, message, self._api, seen, fault, tally)

    def _run(self) -> None:
        import httpx
        from prefect import settings

        from flows.process.refused_loads import refuse_loads

        refuse_loads()
        updates: dict[Any, Any] = {
            settings.PREFECT_API_URL: self._api.url,
            settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT_SECONDS,
        }
        if self._api.login:
            updates[settings.PREFECT_API_AUTH_STRING] = self._api.login
        if self._api.local:
            updates[settings.PREFECT_HOME] = prefect_server.home(self._runner.config.state_directory)
        from flows.deploy.killed_runs import note_name
        from flows.process.run_note import RunNote

        note = RunNote(self._runner.config.state_directory, note_name(self._api))
        try:
            with _settings(updates):
                try:
                    asyncio.run(self._flow(note))
                finally:
                    prefect_events.farewell()
        except httpx.HTTPError:
            advice = "the Prefect API went away; nothing is lost, run it again"
            self._error = Transient("prefect-unavailable", advice)
        except BaseException as error:  # noqa: BLE001 (raised in the thread that asked)
            self._error = error
        finally:
            note.drop(ended=self._error is None)

    async def _flow(self, note: RunNote) -> None:
        from prefect import tags

        from flows.deploy.deployments import TAG
        from flows.deploy.killed_runs import settle_killed
        from flows.migrate import verify_flow, wave_flow
        from flows.process.background_task import draw
        from flows.process.parameters import WaveParameters

        form, runner = self._form, self._runner
        await draw("runs of killed commands", lambda: settle_killed(runner.config.state_directory, self._api))
        with tags(TAG, f"wave:{form.wave}"):
            if isinstance(form, WaveParameters):
                told = self._ends.append
                wave = wave_flow(runner, planned=self._planned, begun=note.take, ended=told)
                await wave(form, return_state=True)
            else:
                await verify_flow(runner, note.take, self._ends.append)(form, return_state=True)


@contextmanager
def signals(drain: Shutdown) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM drain; a second SIGINT interrupts as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        drain.event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Prefect's log off the terminal, which is for our own progress; its API and UI have it."""
    from prefect.logging.configuration import ensure_logging_setup
    from prefect.logging.handlers import PrefectConsoleHandler

    importlib.import_module("prefect.main")  # it sets logging up, even if something else did so before
    ensure_logging_setup()
    names = ["", *logging.root.manager.loggerDict]
    found = {handler for name in names for handler in logging.getLogger(name).handlers}
    levels = {handler: handler.level for handler in found if isinstance(handler, PrefectConsoleHandler)}
    for handler in levels:
        handler.setLevel(logging.CRITICAL)
    # Prefect prints lines of the log that could not be sent to its server.
    complains, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = complains
        for handler, level in levels.items():
            handler.setLevel(level)
