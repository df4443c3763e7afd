"""What dies under Prefect, and what becomes of it, with a real server, a real process worker, real runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prefect_api import PrefectApi
from proving import KOGGE, Place, until
from rehearsal.crew import Child, below, kill_all
from servers.faulty import plan as faults
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import FaultPlan, Kind

from flows.deploy import prefect_server
from flows.deploy.dead_runs import LOOK_SECONDS, SILENT
from practice.world.world import World

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.soak,
    pytest.mark.dovecot,
    pytest.mark.prefect,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MakePlace = Callable[[FaultyExchange], Place]
PATIENCE = 150.0
SLOW_SECONDS = 60.0
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LIMIT = "a-limit"


@dataclass
class Scene(PrefectApi):
    """A worker, mailboxes that nobody has touched, and an Exchange that can be made to hang."""

    place: Place
    worker: Child
    mailboxes: list[str]

    def under_way(self, seconds: float = SLOW_SECONDS) -> tuple[str, str]:
        """A batch in the middle of a mailbox: its run and that mailbox."""
        plan = self.place.exchange.faults = FaultPlan(seed=1)
        plan.script("GetItem", 1, faults.slow(seconds))
        mailbox = self.mailboxes.pop()
        run = self.start("batch/batch", wave="pilot", mailboxes=[mailbox])
        until(lambda: plan.struck.get(Kind.SLOW, 0) > 0, seconds=PATIENCE)
        return run, mailbox

    def ended(self, run: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while (found := self.ask("GET", f"/flow_runs/{run}"))["state_type"] not in ENDED:
            assert time.monotonic() < deadline, (found["state"], self.worker.log.read_text()[-2000:])
            time.sleep(0.3)
        return str(found["state_name"])

    def tasks(self, run: str) -> list[str]:
        """The types of its task runs' states."""
        asked = {"task_runs": {"flow_run_id": {"any_": [run]}}}
        return [str(one["state_type"]) for one in self.ask("POST", "/task_runs/filter", asked)]

    def leg(self, mailbox: str) -> tuple[object, ...]:
        """State and owner in the ledger."""
        query = f"SELECT state, owner FROM leg WHERE mailbox = '{mailbox}' AND workload = 'mail'"
        return self.place.query(query)[0]


@pytest.fixture(scope="module")
def state(prefect_state: Callable[[], Path]) -> Iterator[Path]:
    """A server that was killed while somebody held a slot for a minute, and started again."""
    directory = prefect_state()
    first = prefect_server.up(directory, port=0)
    limit = {"name": LIMIT, "limit": 1, "active": True}
    asked = PrefectApi(first.api)
    asked.ask("POST", "/v2/concurrency_limits/", limit)
    held = {"names": [LIMIT], "slots": 1, "lease_duration": 60}
    asked.ask("POST", "/v2/concurrency_limits/increment-with-lease", held)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not prefect_server.answers(first.api))
    with suppress(ChildProcessError):
        os.waitpid(first.pid, 0)
    prefect_server.up(directory, port=first.port)
    yield directory
    prefect_server.down(directory)


@pytest.fixture(scope="module")
def scene(state: Path, make_place: MakePlace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    running = prefect_server.status(state)
    assert running is not None
    with FaultyExchange(World(seed=47, people=5, items=12)) as exchange:
        place = make_place(exchange)
        place.environment |= {"PREFECT_API_URL": running.api, "PREFECT_HOME": str(state / "client")}
        place.tables["run"] = {"lease_seconds": "10", "write_grace_seconds": "1", "canary": "false"}
        place.configure()
        assert place.run("migrate", "--wave", "pilot", "--dry-run").code == 0
        assert place.run("setup").code == 0
        words = [KOGGE, "worker", "--config", str(place.directory / "kogge.toml"), "--limit", "5"]
        environment = place.environment | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
        home = tmp_path_factory.mktemp("worker")
        worker = Child("worker", words, environment, home, home / "log")
        worker.start()
        ids = [str(row[0]) for row in place.query("SELECT id FROM mailbox")]
        yield Scene(running.api, place, worker, ids)
        worker.kill()


def test_the_process_of_a_batch_is_killed_and_the_janitor_settles_the_rest(scene: Scene) -> None:
    run, mailbox = scene.under_way()
    until(lambda: scene.tasks(run) == ["RUNNING"], seconds=30)
    kill_all(below(scene.worker.pid))
    assert scene.ended(run) == "Crashed"
    time.sleep(11)  # the ledger's lease ends
    assert scene.leg(mailbox)[0] == "running"
    assert scene.ended(scene.start("janitor/janitor", minutes=0)) == "Completed"
    assert scene.tasks(run) == ["CRASHED"]
    assert scene.leg(mailbox)[0] == "pending"
    assert "lease-expired" in scene.place.events()


def test_a_worker_alone_is_killed(scene: Scene) -> None:
    run, mailbox = scene.under_way(8)
    assert scene.worker.process is not None
    scene.worker.process.kill()
    scene.worker.process.wait()
    assert scene.ended(run) in ("Crashed", "Completed")
    scene.worker.start()
    time.sleep(11)
    assert scene.ended(scene.start("batch/batch", wave="pilot", mailboxes=[mailbox])) == "Completed"
    assert scene.leg(mailbox) == ("verified", None)


def test_a_cancelled_batch_gives_everything_back(scene: Scene) -> None:
    run, mailbox = scene.under_way(5)
    state = {"type": "CANCELLING", "name": "Cancelling"}
    scene.ask("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": False})
    assert scene.ended(run) in ("Cancelled", "Stopped")
    until(lambda: set(scene.tasks(run)) <= ENDED, seconds=30)
    until(lambda: scene.leg(mailbox) == ("pending", None), seconds=30)


def test_a_worker_and_its_run_are_killed_and_another_worker_notices(scene: Scene) -> None:
    """The other one takes no batch: it works for another queue."""
    run, _ = scene.under_way()
    scene.worker.kill()
    command = [*scene.worker.command, "--queue", "waves"]
    other = replace(scene.worker, name="other", command=command, process=None)
    other.start()
    try:
        time.sleep(LOOK_SECONDS)
        assert scene.ask("GET", f"/flow_runs/{run}")["state_type"] == "RUNNING"
        assert scene.ended(run) == "Crashed"
        assert scene.ask("GET", f"/flow_runs/{run}")["state"]["message"] == SILENT
    finally:
        other.kill()


def test_a_slot_whose_holder_went_with_the_server_comes_back(scene: Scene) -> None:
    """Held since before this module's server was killed; with leases in memory it would be gone for good."""
    until(lambda: scene.ask("GET", f"/v2/concurrency_limits/{LIMIT}")["active_slots"] == 0, seconds=PATIENCE)
