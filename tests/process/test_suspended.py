"""Suspend and Cancel in Prefect's UI, with a real server, a real worker, and a wave at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from prefect_api import PrefectApi
from proving import KOGGE, Place, until
from rehearsal.crew import Child
from servers.faulty import plan as faults
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import FaultPlan, Kind

from engine.config.load import load
from engine.planning.load_plan import plan
from ledger.store import Ledger
from practice.world.world import World

pytestmark = [pytest.mark.soak, pytest.mark.dovecot, pytest.mark.prefect, pytest.mark.timeout(900)]
PATIENCE = 400.0
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class Scene(PrefectApi):
    place: Place
    worker: Child

    def begun(self, seconds: float) -> str:
        """A wave of which a mailbox is under way, at a source that hangs for so long."""
        plan = self.place.exchange.faults = FaultPlan(seed=1)
        plan.script("GetItem", 1, faults.slow(seconds))
        run = self.start("wave/wave", wave="pilot")
        until(lambda: plan.struck.get(Kind.SLOW, 0) > 0, seconds=PATIENCE)
        return run

    def put(self, run: str, state: dict[str, object]) -> None:
        self.ask("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": False})

    def message(self, run: str, begins: str, types: set[str]) -> tuple[str, str]:
        """Type and message of its state, once that has one of these types and begins so."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.ask("GET", f"/flow_runs/{run}")["state"]
            if found["type"] in types and str(found["message"]).startswith(begins):
                return str(found["type"]), str(found["message"])
            assert time.monotonic() < deadline, (found, self.worker.log.read_text()[-3000:])
            time.sleep(0.5)

    def log(self, run: str) -> list[tuple[int, str]]:
        wanted = {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200}
        return [(one["level"], one["message"]) for one in self.ask("POST", "/logs/filter", wanted)]

    def batches(self, run: str) -> list[str]:
        """The states of the batches on a run's timeline."""
        wanted = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
        return sorted(one["state"]["name"] for one in self.ask("POST", "/flow_runs/filter", wanted))

    def legs(self) -> set[tuple[object, ...]]:
        return {*self.place.query("SELECT state, owner FROM leg")}


@pytest.fixture(scope="module")
def scene(
    make_place: Callable[[FaultyExchange], Place], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with FaultyExchange(World(seed=51, people=4, items=20)) as exchange:
        place = make_place(exchange)
        place.tables["run"] = {
            "mailboxes_at_once": "1",
            "batch": "2",
            "canary": "false",
            "write_grace_seconds": "1",
        }
        place.configure()
        config = load(place.directory / "kogge.toml")
        config.state_directory.mkdir(exist_ok=True)
        ledger = Ledger(config.ledger_url())
        ledger.migrate()
        plan(config, ledger, "pilot")
        ledger.close()
        home = tmp_path_factory.mktemp("worker")
        setup = place.run("setup")
        assert setup.code == 0, setup
        words = [KOGGE, "worker", "--config", str(place.directory / "kogge.toml"), "--limit", "2"]
        environment = place.environment | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
        worker = Child("worker", words, environment, home, home / "log")
        worker.start()
        yield Scene(place.environment["PREFECT_API_URL"], place, worker)
        worker.kill()


def test_suspend_stops_a_wave_and_resume_goes_on(scene: Scene) -> None:
    run = scene.begun(8)
    details = {
        "pause_reschedule": True,
        "pause_timeout": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    scene.put(run, {"type": "PAUSED", "name": "Suspended", "state_details": details})
    _, message = scene.message(run, "suspended; ", {"PAUSED"})
    assert "workloads are not accounted for" in message
    assert {owner for _, owner in scene.legs()} == {None}
    assert "pending" in {state for state, _ in scene.legs()}
    assert not [text for level, text in scene.log(run) if level >= 40 or "NoneType" in text]
    found = scene.ask("GET", f"/flow_runs/{run}")
    assert {"kogge", "wave:pilot"} <= {*found["tags"]}
    scene.ask("POST", f"/flow_runs/{run}/resume", {})
    assert scene.message(run, "all ", ENDED)[0] == "COMPLETED"
    assert {state for state, _ in scene.legs()} == {"verified"}


def test_cancel_stops_a_wave_and_the_last_word_says_how_far_it_came(scene: Scene) -> None:
    run = scene.begun(8)
    assert scene.batches(run)[-1] == "Running", "the timeline of a wave shows its batches"
    scene.put(run, {"type": "CANCELLING", "name": "Cancelling"})
    kind, message = scene.message(run, "stopped on request; ", {"CANCELLED"})
    assert (kind, "workload" in message) == ("CANCELLED", True)
    until(lambda: {owner for _, owner in scene.legs()} == {None}, seconds=PATIENCE)
    time.sleep(5)  # a worker has its say after the run's own
    assert scene.message(run, "", {"CANCELLED"})[1] == message


def test_the_brake_stops_a_wave_although_every_place_of_the_worker_is_taken(scene: Scene) -> None:
    """One place has the wave, the other its batch."""
    run = scene.begun(45)
    brake = scene.start("pause/pause pilot")
    assert scene.message(run, "paused: ", {"CANCELLED"})[0] == "CANCELLED"
    assert scene.message(brake, "wave pilot is paused", ENDED)[0] == "COMPLETED"
    assert {owner for _, owner in scene.legs()} == {None}
    until(lambda: any("ended: Paused" in text for _, text in scene.log(run)), seconds=PATIENCE)
    scene.message(scene.start("resume/resume pilot"), "wave pilot may run again", ENDED)
    assert scene.message(scene.start("wave/start pilot"), "all ", ENDED)[0] == "COMPLETED"
