"""A wave is paused, its window closes, its mailboxes have priorities: the flows against a local Prefect
server, with the work itself scripted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from clocks import Clock
from prefect import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Pending, Running, Scheduled, Suspended
from scripted import SIDES, Ended, add, opened

from engine.config.load import Config, load
from engine.control.stop_signal import Stop, reason
from engine.leg.run_options import RunOptions
from engine.pacing import watchdog
from engine.pacing.watchdog import Watchdog, WavePolicy
from flows import batch_watch, dispatch, launch, leg_task, migrate, own_run, pause
from flows.batch_watch import BatchWatch
from flows.launch import RunResult
from flows.process import leg_runner
from flows.process.leg_runner import Shutdown
from flows.process.parameters import BatchParameters
from kogge.run.migrate import Changes
from ledger.db.rows import LegState
from ledger.plan.wave_control import override, put_priorities, set_paused
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from ledger.views.server_health import Health, report
from model.errors import Transient
from reports import progress

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

BOXES = 6
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TOML = f"""
{SIDES}
[run]
mailboxes_at_once = 1
batch = 4
canary = false
[windows.never-today]
spans = ["DAY 00:00-24:00"]
"""


@dataclass
class Script:
    """In place of the real work: a leg takes `seconds`, unless it is to stop. begun: is called by each."""

    ledger: Ledger
    seconds: float = 0.01
    begun: list[str] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)

    def __call__(self, _config: Config, leg_id: int, *, stop: threading.Event, **_asked: Any) -> Ended:
        lease = self.ledger.claim(leg_id, f"test/{leg_id}/{len(self.begun)}", 60)
        assert lease is not None
        self.begun.append(lease.mailbox)
        self.started.set()
        stopped = stop.wait(self.seconds)
        end = Ended(LegState.PENDING, reason(stop)) if stopped else Ended(LegState.VERIFIED)
        self.ledger.release(lease, end.state, end.code)
        return end


@dataclass
class Stage:
    config: Config
    ledger: Ledger
    ids: list[str]
    script: Script

    def run(self, **asked: Any) -> RunResult:
        return launch.launch(self.config, "w", **asked)

    def codes(self) -> list[tuple[str, str | None]]:
        return sorted(
            ((str(leg.state), leg.code) for leg in self.ledger.legs()), key=lambda one: one[1] or ""
        )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    tomorrow = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    with opened(tmp_path, TOML.replace("DAY", tomorrow)) as (_, ledger):
        yield ledger


@pytest.fixture
def stage(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Stage:
    ids = add(ledger, "w", [(f"{n}@x.example", f"{n}@y.example") for n in range(BOXES)])
    script = Script(ledger)
    monkeypatch.setattr(leg_runner, "_run_leg", script)
    monkeypatch.setattr(watchdog, "ASK_SECONDS", 0.1)
    return Stage(load(tmp_path / "kogge.toml"), ledger, ids, script)


@pytest.mark.prefect
def test_a_pause_stops_the_wave_at_work_and_resuming_goes_on(
    stage: Stage, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api)
    stage.script.seconds = 250

    def pause() -> None:
        stage.script.started.wait(60)
        set_paused(stage.ledger, "w", True, "night shift")

    person = threading.Thread(target=pause)
    person.start()
    result = stage.run()
    person.join()
    assert not result.complete
    assert not result.stopped
    assert isinstance(result.fault, Transient)
    assert result.fault.code == "paused"
    assert stage.codes() == [("pending", None)] * 5 + [("pending", "paused")]
    assert len(stage.script.begun) == 1
    again = stage.run()
    assert again.fault is not None
    assert again.fault.code == "paused"
    assert len(stage.script.begun) == 1
    set_paused(stage.ledger, "w", False, "day shift")
    stage.script.seconds = 0.01
    assert stage.run().complete


@pytest.mark.prefect
def test_a_wave_outside_of_its_window_is_refused_but_may_be_looked_at(
    stage: Stage, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api)
    Waves(stage.ledger).put([WaveRow("w", window="never-today")])
    refused = stage.run()
    assert refused.fault is not None
    assert refused.fault.code == "window-closed"
    assert not stage.script.begun
    assert stage.run(options=RunOptions(verify_only=True)).complete
    stage.script.begun.clear()
    override(stage.ledger, "w", "night shift")
    time.sleep(0.05)  # by this machine's clock it is to be said before the run
    assert stage.run().complete
    assert len(stage.script.begun) == BOXES


@pytest.mark.prefect
def test_mailboxes_of_a_higher_priority_go_first(
    stage: Stage, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api)
    ranked = sorted(stage.ids, reverse=True)
    put_priorities(stage.ledger, {number: 10 - place for place, number in enumerate(ranked)})
    assert stage.run().complete
    assert stage.script.begun == ranked


@pytest.mark.prefect
def test_prefect_says_that_a_server_is_slowed_down(
    stage: Stage, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api)
    monkeypatch.setattr(migrate, "ARTIFACT_SECONDS", 0.2)
    report(stage.ledger, [Health("target.mail", "elsewhere", 10, 1, 2.34, 0.5, 2)])
    stage.script.seconds = 3
    assert stage.run(mailboxes=stage.ids[:1]).complete

    async def told() -> list[str]:
        async with get_client() as client:
            return [str(one.data) for one in await client.read_artifacts() if one.key == "batch-w-1-servers"]

    with temporary_settings({PREFECT_API_URL: api}):
        found = asyncio.run(told())
    assert any("- target.mail: slowed to 50 %, 2.3 s a call, 1 of 10 failed" in text for text in found)


def test_a_window_that_closes_lets_nothing_begin_and_then_stops_what_is_at_work(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "nights.toml").write_text(
        TOML.replace("DAY", "mon")
        + '[windows.nights]\nspans = ["mon-sun 20:00-06:00"]\nlast_start_minutes = 20\n'
    )
    Waves(stage.ledger).put([WaveRow("w", window="nights")])
    clock = Clock(datetime(2026, 12, 1, 22, tzinfo=UTC))
    stop = Stop()
    out = Watchdog(load(tmp_path / "nights.toml"), stage.ledger, stop, clock=clock)
    out.follow(WavePolicy("w"))
    assert not out.closing
    clock.now = datetime(2026, 12, 2, 5, 41, tzinfo=UTC)
    out.look()
    assert out.closing
    assert not stop.is_set()
    assert out.refusal is not None
    assert "Wed 2026-12-02 20:00 UTC" in out.refusal.advice
    clock.now = datetime(2026, 12, 2, 6, tzinfo=UTC)
    out.look()
    assert stop.is_set()
    assert reason(stop) == "window-closed"


def test_the_first_reason_to_stop_stays() -> None:
    drain = Shutdown()
    drain.event.set()
    drain.event.ask("paused")
    assert reason(drain.event) == "stopped"
    asked = Stop()
    asked.ask("paused")
    asked.ask("window-closed")
    assert reason(asked) == "paused"
    assert reason(threading.Event()) == "stopped"


@dataclass
class Prefect:
    """What is asked of Prefect's API about runs. ends: the one that is at work and stops by itself."""

    states: dict[UUID, State[Any]]
    ends: UUID
    asked: int = 0

    async def __aenter__(self) -> Prefect:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read_flow_run(self, number: UUID) -> SimpleNamespace:
        return SimpleNamespace(state=self.states[number])

    async def read_flow_runs(self, *, flow_run_filter: Any) -> list[SimpleNamespace]:
        self.asked += 1
        if self.asked > 3:
            self.states[self.ends] = Cancelled()
        return [SimpleNamespace(id=one, state=self.states[one]) for one in flow_run_filter.id.any_]

    async def set_flow_run_state(self, number: UUID, state: State[Any]) -> None:
        self.states[number] = state


def watch_of(runs: list[UUID], said: list[str]) -> BatchWatch:
    shards = [
        BatchParameters(wave="w", mailboxes=["m-1"], number=number, of=len(runs))
        for number in range(1, len(runs) + 1)
    ]
    return BatchWatch(dict(zip(runs, shards, strict=True)), said.append)


def test_batches_that_wait_are_called_off_and_those_at_work_stop_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits, works = uuid4(), uuid4()
    api = Prefect({waits: Scheduled(), works: Running()}, works)
    for module in (dispatch, batch_watch):
        monkeypatch.setattr(module, "get_client", lambda: api)
    monkeypatch.setattr(dispatch, "ASK_SECONDS", 0.01)
    said: list[str] = []
    assert asyncio.run(dispatch._drained(watch_of([waits, works], said), "Paused"))
    assert said == [
        "batch 1/2 ended: Paused: not begun: its wave ends",
        "batch 2/2 begun",
        "batch 2/2 ended: Cancelled",
    ]
    assert api.states[waits].name == "Paused", "as its wave's run is called"
    assert api.states[works].is_cancelled()
    stuck = Prefect({works: Running()}, uuid4())
    for module in (dispatch, batch_watch):
        monkeypatch.setattr(module, "get_client", lambda: stuck)
    monkeypatch.setattr(dispatch, "DRAIN_SECONDS", 0.05)
    assert not asyncio.run(dispatch._drained(watch_of([works], said), "Closed"))
    assert stuck.states[works].is_running()


@pytest.mark.prefect
def test_prefect_lets_batches_be_called_off_before_a_worker_began_them(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a window's end finds them: one waits for its queue, one for its process, one is at work."""
    monkeypatch.setattr(dispatch, "ASK_SECONDS", 0.05)
    begun: dict[str, State[Any]] = {"queue": Scheduled(), "process": Pending(), "work": Running()}

    async def drained() -> list[str]:
        async with get_client() as client:
            runs = [await client.create_flow_run(migrate.batch, state=one) for one in begun.values()]
            numbers = [run.id for run in runs]

            async def states() -> list[State[Any]]:
                found = [(await client.read_flow_run(number)).state for number in numbers]
                return [one for one in found if one is not None]

            draining = asyncio.create_task(dispatch._drained(watch_of(numbers, []), "Closed"))
            while [one.is_cancelled() for one in await states()] != [True, True, False]:
                assert not draining.done()
                await asyncio.sleep(0.05)
            await client.set_flow_run_state(
                numbers[-1], leg_task.leg_state(LegState.PENDING, "window-closed")
            )
            assert await draining
            return [f"{one.type.value} {one.name}" for one in await states()]

    with temporary_settings({PREFECT_API_URL: api}):
        found = asyncio.run(asyncio.wait_for(drained(), 200))
    assert found == ["CANCELLED Closed", "CANCELLED Closed", "CANCELLED Stopped"]


def test_a_defect_of_one_look_deafens_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "ASK_SECONDS", 0.01)
    looks: list[str] = []
    done = threading.Event()

    def look() -> None:
        looks.append("look")
        if len(looks) == 1:
            raise RuntimeError("dictionary changed size during iteration")
        done.set()

    out = Watchdog(stage.config, stage.ledger, Stop())
    monkeypatch.setattr(out, "look", look)
    out.start()
    try:
        assert done.wait(10)
    finally:
        out.end()


def test_what_does_not_change_is_said_once_a_minute() -> None:
    told: list[int] = []
    now = [0.0]
    changes = Changes(lambda snapshot: told.append(len(snapshot.legs)), 10.0, clock=lambda: now[0])
    leg: Any = SimpleNamespace(state=LegState.RUNNING, code=None)
    for second in range(200):
        now[0] = second / 2
        changes.show(progress.Snapshot((leg,) if second < 100 else (leg, leg)))
    assert told == [1, 2]
    now[0] = 111.0
    changes.show(progress.Snapshot((leg, leg)))
    assert told == [1, 2, 2]


@pytest.mark.prefect
def test_suspending_a_run_stops_its_legs_and_its_state_says_so(
    stage: Stage, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As somebody does in the UI, of a run that a deployment started."""
    monkeypatch.setenv("KOGGE_CONFIG", str(stage.config.path))
    monkeypatch.setattr(own_run, "ASK_SECONDS", 0.1)
    stage.script.seconds = 250

    async def suspended() -> tuple[State[Any] | None, list[str]]:
        async with get_client() as client:
            flow = await client.create_flow(migrate.wave)
            deployment = await client.create_deployment(flow, name=f"wave-{uuid4()}")
            form = {"parameters": {"wave": "w"}}
            run = await client.create_flow_run_from_deployment(deployment, parameters=form)

            async def person() -> None:
                while not stage.script.started.is_set():
                    await asyncio.sleep(0.1)
                await client.set_flow_run_state(run.id, Suspended(timeout_seconds=3600))

            asks = asyncio.create_task(person())
            with pytest.raises(Pause):
                await run_flow(migrate.wave, flow_run=run, return_type="state")
            await asks
            seen = await client.read_flow_run(run.id)
            return seen.state, seen.tags

    with temporary_settings({PREFECT_API_URL: api}):
        seen, tags = asyncio.run(asyncio.wait_for(suspended(), 500))
    assert seen is not None
    assert (seen.name, seen.is_paused()) == ("Suspended", True)
    assert str(seen.message).startswith("suspended; ")
    assert '*Resume*, or a new run of the deployment "wave-' in str(seen.message)
    assert "6 of 6 workloads are not accounted for" in str(seen.message)
    assert {"kogge", "wave:w"} <= {*tags}
    assert {leg.owner for leg in stage.ledger.legs()} == {None}


@pytest.mark.prefect
def test_the_brake_of_prefects_ui_is_that_of_the_command(
    stage: Stage, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOGGE_CONFIG", str(stage.config.path))

    async def begun() -> list[str]:
        runs = [
            await pause.pause(pause.PauseParameters(wave="w", operator=" night shift "), return_state=True),
            await pause.pause(pause.PauseParameters(wave="w"), return_state=True),
            await pause.resume(pause.PauseParameters(wave="w"), return_state=True),
            await pause.pause(pause.PauseParameters(wave="ww"), return_state=True),
        ]
        assert not Waves(stage.ledger).read("w").paused
        return [f"{one.name}: {one.message}" for one in runs]

    with temporary_settings({PREFECT_API_URL: api}):
        told = asyncio.run(begun())
    assert told[0].startswith("Completed: wave w is paused: ")
    assert told[0].endswith('To go on: the deployment "resume w", then "start w"')
    assert told[1].startswith("Completed: wave w was paused already")
    assert told[2] == 'Completed: wave w may run again. Nothing runs yet: the deployment "start w" starts it'
    assert told[3] == "Failed: misconfigured: wave: unknown; did you mean w?"
    events = [(one.kind, dict(one.detail)) for one in stage.ledger.events("w")]
    typed = {"by": "night shift", "through": "prefect"}  # anybody with Prefect's one login could type it
    assert events == [("paused", typed), ("resumed", {"by": "prefect"})]


def test_a_pause_that_only_the_batches_heard_is_how_the_wave_ends(stage: Stage) -> None:
    runner: Any = SimpleNamespace(watchdog=Watchdog(stage.config, stage.ledger, Stop()))
    runner.watchdog.follow(WavePolicy("w"))
    set_paused(stage.ledger, "w", True, "night shift")
    assert runner.watchdog.refusal is None
    asyncio.run(migrate._hear_what_ended_batches(runner))
    assert runner.watchdog.refusal is not None
    assert runner.watchdog.refusal.code == "paused"
