"""PostgreSQL is killed in the middle of a wave and comes back: the wave ends verified without a hand."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from commands import run as command
from prefect.settings import PREFECT_API_URL, temporary_settings
from scripted import SIDES, Ended, add, opened
from servers.postgres import Postgres, serve
from services import need_postgres
from sqlalchemy import select

from engine.config.load import Config
from engine.control import lease
from flows import janitor, launch, leg_task, pause
from flows.process import leg_runner
from ledger import open_ledgers
from ledger.db.engine import writing
from ledger.db.rows import LegState
from ledger.plan.waves import Waves
from ledger.store import Ledger
from model.errors import Transient

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.prefect,
    pytest.mark.timeout(200),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

BOXES = 5
RUN = "[run]\nmailboxes_at_once = 2\nbatch = 2\ncanary = false\nledger_patience_seconds = {}\n"
AWAY_SECONDS = 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One that this module may kill."""
    need_postgres()
    with serve() as running:
        yield running


@dataclass
class Outage:
    """Kills the server once, and starts it again after `seconds`; never if that is None."""

    server: Postgres
    seconds: float | None = AWAY_SECONDS
    timer: threading.Timer | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        with self.lock:
            if self.timer is None:
                self.server.stop()
                self.timer = threading.Timer(self.seconds or 0.0, self.server.start)
                if self.seconds is not None:
                    self.timer.start()


@dataclass
class Legs:
    """In place of the real work: claims, does something to the database's server, releases."""

    before_claim: Callable[[], None] = lambda: None
    in_hand: Callable[[], None] = lambda: None
    released: Callable[[], None] = lambda: None

    def __call__(self, config: Config, leg_id: int, **_asked: Any) -> Ended:
        owner = lease.new_owner()
        try:
            with open_ledgers.opened(config.ledger_url()) as ledger:
                self.before_claim()
                held = ledger.claim(leg_id, owner, 60, dead=lease.is_dead)
                if held is None:
                    return Ended(LegState.RUNNING, "claimed-elsewhere")
                self.in_hand()
                ledger.release(held, LegState.VERIFIED)
                self.released()
                return Ended(LegState.VERIFIED)
        except Transient as error:
            return Ended(LegState.WAITING, error.code)
        finally:
            lease.retire(owner)


@dataclass
class Wave:
    config: Config
    ledger: Ledger

    def run(self) -> launch.RunResult:
        return launch.launch(self.config, "w")

    def states(self) -> set[str]:
        return {str(leg.state) for leg in self.ledger.legs()}


@pytest.fixture
def wave_of(
    server: Postgres, api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Wave]]:
    monkeypatch.setenv("PREFECT_API_URL", api)
    monkeypatch.setattr(leg_task, "RETRY_SECONDS", (0.1, 0.1))
    made = []

    def wave(legs: Legs, patience: int = 60) -> Wave:
        monkeypatch.setattr(leg_runner, "_run_leg", legs)
        url = server.create(f"kogge{tmp_path.name.replace('-', '_')}".lower()[:50])
        text = f'[ledger]\nurl = "{url}"\n{SIDES}{RUN.format(patience)}'
        opening = opened(tmp_path, text)
        config, ledger = opening.__enter__()
        made.append(opening)
        add(ledger, "w", [(f"{n}@a.example", f"{n}@b.example") for n in range(BOXES)])
        return Wave(config, ledger)

    yield wave
    for opening in made:
        opening.__exit__(None, None, None)


@pytest.mark.parametrize("when", ["before_claim", "in_hand", "released"])
def test_a_wave_outlasts_it(server: Postgres, wave_of: Callable[..., Wave], when: str) -> None:
    outage = Outage(server)
    wave = wave_of(Legs(**{when: outage.begin}))
    result = wave.run()
    assert result.message == "all 5 workloads of 5 mailboxes are verified"
    assert result.complete
    assert wave.states() == {"verified"}


def test_it_is_away_before_the_wave_begins(server: Postgres, wave_of: Callable[..., Wave]) -> None:
    wave = wave_of(Legs())
    Outage(server).begin()
    assert wave.run().complete


def test_one_that_stays_away_ends_the_wave_with_its_code(
    server: Postgres, wave_of: Callable[..., Wave]
) -> None:
    outage = Outage(server, None)
    wave = wave_of(Legs(in_hand=outage.begin), patience=2)
    try:
        with pytest.raises(Transient, match="ledger-unavailable"):
            wave.run()
    finally:
        server.start()
    assert wave.run().complete, "a run once it is back goes on"


def run(flow: Any) -> Any:
    """The state with which a flow ends at the server of PREFECT_API_URL."""
    with temporary_settings({PREFECT_API_URL: os.environ["PREFECT_API_URL"]}):
        return asyncio.run(flow)


def came_back(outage: Outage) -> bool:
    """Waits until the server is there again; False if it was never killed."""
    if outage.timer is not None:
        outage.timer.join()
    return outage.timer is not None


def cut_off_in(
    module: ModuleType, step: str, place: Wave, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> Outage:
    """Let the server be killed in a transaction of this step of a flow, once."""
    outage, real = Outage(server), getattr(module, step)

    def cut_off(*given: Any, **named: Any) -> Any:
        if outage.timer is None:
            with writing(place.ledger.engine) as connection:
                outage.begin()
                connection.execute(select(1))
        return real(*given, **named)

    monkeypatch.setattr(module, step, cut_off)
    return outage


@pytest.mark.parametrize("step", ["requeue_expired", "forget_health", "stopped_waves"])
def test_the_janitor_outlasts_it(
    server: Postgres, wave_of: Callable[..., Wave], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL is killed in the middle of one of its transactions."""
    place = wave_of(Legs())
    outage = cut_off_in(janitor, step, place, server, monkeypatch)
    monkeypatch.setenv("KOGGE_CONFIG", str(place.config.path))
    ended = run(janitor.janitor(janitor.JanitorParameters(), return_state=True))
    assert (came_back(outage), ended.name) == (True, "Completed"), ended.message


@pytest.mark.parametrize("given", ["pause", "resume"])
def test_the_brake_outlasts_it(
    server: Postgres, wave_of: Callable[..., Wave], given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = wave_of(Legs())
    outage = cut_off_in(pause, "set_paused", place, server, monkeypatch)
    monkeypatch.setenv("KOGGE_CONFIG", str(place.config.path))
    ended = run(getattr(pause, given)(pause.PauseParameters(wave="w"), return_state=True))
    assert (came_back(outage), ended.name) == (True, "Completed"), ended.message


@pytest.mark.parametrize("given", ["pause", "resume"])
def test_the_command_of_the_brake_outlasts_it(
    server: Postgres, wave_of: Callable[..., Wave], given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is away for longer than other commands wait, which is shortened here, and before it is asked."""
    place = wave_of(Legs())
    outage = Outage(server, 3.0)
    with mock.patch("engine.control.ledger_patience.COMMAND_SECONDS", 0.5):
        outage.begin()
        assert command("status", "-c", str(place.config.path)) == 3
        assert command(given, "--wave", "w", "--by", "Night shift", "-c", str(place.config.path)) == 0
    assert came_back(outage)
    told = capsys.readouterr().err
    assert "the ledger's database does not answer; it is asked again for 60 seconds" in told
    assert "the ledger's database answers again" in told
    assert Waves(place.ledger).read("w").paused is (given == "pause")


def test_a_stop_is_heard_while_it_is_away(server: Postgres, wave_of: Callable[..., Wave]) -> None:
    outage = Outage(server, None)

    def stopped() -> None:
        if outage.timer is not None:
            return
        outage.begin()
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()

    wave = wave_of(Legs(in_hand=stopped), patience=100)
    began = time.monotonic()
    try:
        result = wave.run()
    finally:
        took = time.monotonic() - began
        server.start()
    assert result.stopped
    assert took < 40
    assert wave.run().complete, "a run once it is back goes on"
