"""When a leg of a rollback, a repair, a cutover begins and goes on: as servers bear it, in its hours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clocks import Clock
from memory.doubles import MemoryMailbox, MemorySource, MemoryStore, MemoryTarget
from scripted import SIDES, add, opened

from engine.config.load import Config, load
from engine.context.leg_context import Opener
from engine.control.stop_signal import Stop
from engine.pacing import admission, watchdog
from engine.pacing import worker_slots as worker_slots
from engine.pacing.admission import Admission
from engine.pacing.watchdog import Watchdog, WavePolicy
from engine.pacing.worker_slots import Through, WorkerSlots, open_worker_slots
from ledger.plan.wave_control import set_paused
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Transient
from model.kinds import Kind

NIGHTS = """
[windows.nights]
spans = ["mon-sun 20:00-06:00"]
last_start_minutes = 20
[admission]
source_at_once = 1
"""
NIGHT = datetime(2026, 12, 1, 22, tzinfo=UTC)


@dataclass
class Stage:
    config: Config
    ledger: Ledger
    worker_slots: WorkerSlots
    stop: Stop
    clock: Clock
    looks: Watchdog
    began: list[str] = field(default_factory=list)

    def act(self, code: str | None = None) -> Callable[[Through], str | None]:
        def act(_through: Through) -> str | None:
            self.began.append(code or "done")
            return code

        return act


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(worker_slots, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(admission, "TICK_SECONDS", 0.01)
    with opened(tmp_path, SIDES + NIGHTS) as (config, ledger):
        add(ledger, "w", [("a@x.example", "a@y.example")])
        Waves(ledger).put([WaveRow("w", window="nights")])
        stop, clock = Stop(), Clock(NIGHT)
        held = Admission(config, ledger)
        looks = Watchdog(config, ledger, stop, held, clock)
        yield Stage(config, ledger, WorkerSlots(held, looks, stop), stop, clock, looks)


def halt(stage: Stage) -> None:
    """The target answers nothing, and was just tried."""
    with stage.worker_slots.admission._changed:
        gate = stage.worker_slots.admission._gate("target.mail")
        gate.throttle.pace = 0.0
        gate.probed = float("inf")


def heal(stage: Stage) -> None:
    stage.worker_slots.admission._gate("target.mail").throttle.pace = 1.0


def walking(stage: Stage, ended: list[str | None], *, going: bool = False) -> threading.Thread:
    def walk() -> None:
        ended.append(stage.worker_slots.walk(Kind.MAIL, stage.act(), source=False, going=going))

    thread = threading.Thread(target=walk)
    thread.start()
    return thread


def test_what_asks_nothing_of_the_source_needs_no_place_there(stage: Stage) -> None:
    held = stage.worker_slots.admission
    held.join(Kind.MAIL)
    held.period()
    others = held.join(Kind.MAIL)
    assert held.begin(held._legs.coming[0])
    assert not held.begin(others)  # the one place there is taken
    assert stage.worker_slots.walk(Kind.MAIL, stage.act(), source=False) is None
    assert stage.began == ["done"]
    assert not [entry for entry in held._legs.working if entry.patient]


def test_it_waits_while_a_server_is_halted(stage: Stage) -> None:
    halt(stage)
    ended: list[str | None] = []
    thread = walking(stage, ended)
    thread.join(0.2)
    assert (ended, stage.began) == ([], [])
    heal(stage)
    thread.join(30)
    assert (ended, stage.began) == ([None], ["done"])


def test_somebody_who_stops_is_heard_while_it_waits(stage: Stage) -> None:
    halt(stage)
    ended: list[str | None] = []
    thread = walking(stage, ended)
    stage.stop.ask("paused")
    thread.join(30)
    assert (ended, stage.began) == (["paused"], [])
    assert not stage.worker_slots.admission._legs.coming


def test_what_failed_while_a_server_is_halted_is_tried_again(stage: Stage) -> None:
    codes = iter(["timeout", "timeout", None])

    def act(_through: Through) -> str | None:
        code = next(codes)
        stage.began.append(str(code))
        gate = stage.worker_slots.admission._gate("target.mail")
        gate.throttle.pace, gate.probed = (0.0, 0.0) if code else (1.0, 0.0)
        return code

    assert stage.worker_slots.walk(Kind.MAIL, act, source=False) is None
    assert stage.began == ["timeout", "timeout", "None"]
    heal(stage)
    assert stage.worker_slots.walk(Kind.MAIL, stage.act("timeout"), source=False) == "timeout"
    assert stage.worker_slots.walk(Kind.MAIL, stage.act("over-quota"), source=False) == "over-quota"


def test_one_with_a_thread_of_its_own_waits_as_long_as_it_takes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "HOLD_SECONDS", 0.0)
    codes: list[str | None] = []
    between = threading.Event()

    def act(through: Through) -> str | None:
        store = MemoryStore()
        opener = through(
            Opener(lambda: MemorySource(MemoryMailbox()), lambda guard, _: MemoryTarget(store, guard))
        )
        codes.append(opener.turn())  # it has just begun
        halt(stage)
        between.set()
        codes.append(opener.turn())
        return None

    thread = threading.Thread(target=lambda: stage.worker_slots.walk(Kind.MAIL, act, source=False))
    thread.start()
    assert between.wait(30)
    thread.join(0.2)
    assert codes == [None]
    heal(stage)
    thread.join(30)
    assert codes == [None, None]


def test_what_it_asks_of_the_target_is_timed(stage: Stage) -> None:
    def act(through: Through) -> str | None:
        store = MemoryStore()
        opener = through(
            Opener(lambda: MemorySource(MemoryMailbox()), lambda guard, _: MemoryTarget(store, guard))
        )
        opener.source().identity()
        opener.target(lambda: None, NIGHT).identity()
        return None

    stage.worker_slots.walk(Kind.MAIL, act, source=False)
    gates = stage.worker_slots.admission._gates
    assert list(gates) == ["target.mail"]
    assert gates["target.mail"].meter.take(60).calls == 1  # asked whose it is; to open it asks nothing


def test_nothing_begins_when_the_window_is_about_to_close(stage: Stage) -> None:
    stage.looks.follow(WavePolicy("w"))
    stage.clock.now = NIGHT + timedelta(hours=7, minutes=41)
    stage.looks.look()
    assert stage.worker_slots.walk(Kind.MAIL, stage.act(), source=False) == "window-closed"
    assert not stage.began
    assert stage.worker_slots.walk(Kind.MAIL, stage.act(), source=False, going=True) is None


@pytest.mark.parametrize(("ends", "stopped"), [(True, True), (False, False)])
def test_whether_what_is_at_work_ends_with_the_window(stage: Stage, ends: bool, stopped: bool) -> None:
    stage.looks.follow(WavePolicy("w", ends=ends))
    stage.clock.now = NIGHT + timedelta(hours=9)
    stage.looks.look()
    assert stage.worker_slots.shut
    assert stage.stop.is_set() is stopped
    assert stage.worker_slots.why == "window-closed"
    set_paused(stage.ledger, "w", True, "night shift")
    stage.looks.look()
    assert stage.stop.is_set(), "a pause stops it in any case"


def test_waves_that_closed_are_left_out_and_the_others_go_on(stage: Stage) -> None:
    add(stage.ledger, "x", [("b@x.example", "b@y.example")])
    add(stage.ledger, "y", [("c@x.example", "c@y.example")])
    set_paused(stage.ledger, "x", True, "night shift")
    duties = [WavePolicy("w"), WavePolicy("x"), WavePolicy("y")]
    worked = []
    for policy in stage.worker_slots.heeded(duties):
        worked.append(policy.wave)
        if policy.wave == "w":
            stage.clock.now = NIGHT + timedelta(hours=7, minutes=41)
            stage.looks.look()
    assert worked == ["w", "y"]
    assert [error.code for error in stage.worker_slots.refusals] == ["window-closed", "paused"]
    assert "wave w" in str(stage.worker_slots.refusals[0])
    assert "wave x" in str(stage.worker_slots.refusals[1])
    with pytest.raises(Transient, match="paused"):
        stage.looks.follow(WavePolicy("x"))
    stage.looks.follow(WavePolicy("x", hours=False, pause=False))
    assert not stage.worker_slots.shut


def test_a_process_without_a_runner_looks_out_itself(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "ASK_SECONDS", 0.01)
    Waves(stage.ledger).put([WaveRow("w")])
    stop = Stop()
    config = load(stage.config.path)
    with open_worker_slots(config, stage.ledger, stop) as own:
        own.watchdog.follow(WavePolicy("w"))
        assert own.walk(Kind.MAIL, stage.act()) is None  # the budget was shared out meanwhile
        set_paused(stage.ledger, "w", True, "night shift")
        assert stop.wait(30)
        assert own.walk(Kind.MAIL, stage.act()) == "paused"
    assert stage.began == ["done"]
