"""A real worker, a real Prefect server, and somebody who may write to its API but is nobody to Kogge."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect_api import PATIENCE
from rehearsal.crew import Child, below
from worker_scene import Scene, working

from flows.deploy.brakes import HERE

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]


VARIABLE, SECRET = "KOGGE_SOURCE_PASSWORD", "only-the-worker-knows"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, prefect_state: Callable[[], Path]) -> Iterator[Scene]:
    place = tmp_path_factory.mktemp("place")
    with working(prefect_state(), place, environment={VARIABLE: SECRET}) as made:
        yield made


def test_a_run_names_a_configuration_that_the_worker_offers(scene: Scene) -> None:
    assert scene.ended(scene.start("janitor/janitor"))[0] == "Completed"
    assert scene.ended(scene.start("janitor/janitor", configuration="cloud"))[0] == "Completed"


def test_any_other_configuration_is_refused(scene: Scene) -> None:
    name, message = scene.ended(scene.start("janitor/janitor", configuration="elsewhere"))
    assert (name, "give cloud or kogge" in message) == ("Failed", True)
    path = str(scene.directory / "elsewhere.toml")
    assert scene.ended(scene.start("janitor/janitor", configuration=path))[0] == "Failed"


def test_a_worker_runs_the_brake(scene: Scene) -> None:
    name, message = scene.ended(scene.start("pause/pause", wave="pilot", operator="night shift"))
    assert (name, message) == ("Failed", "misconfigured: wave: unknown; there is none yet")


def test_what_it_and_its_runs_log_is_json(scene: Scene) -> None:
    assert scene.ended(scene.start("janitor/janitor"))[0] == "Completed"
    *whole, _ = scene.worker.log.read_text().split("\n")
    lines = [json.loads(line) for line in whole]
    assert {line["logger"] for line in lines} >= {"prefect.flow_runs"}
    assert any(line["message"].startswith("Finished in state Completed") for line in lines)
    assert all({"time", "level", "message"} <= line.keys() for line in lines)


def test_a_worker_hears_the_brake_between_two_looks_into_its_queues(scene: Scene) -> None:
    """And starts no process for it, which on a busy machine takes most of a minute to load Prefect."""
    scene.worker.kill()
    usual = scene.worker.environment
    scene.worker.environment = {**usual, "PREFECT_WORKER_QUERY_SECONDS": "3600"}
    begun = scene.worker.log.read_text().count("started!") if scene.worker.log.exists() else 0
    scene.worker.start()
    try:
        deadline = time.monotonic() + PATIENCE
        while scene.worker.log.read_text().count("started!") == begun and time.monotonic() < deadline:
            time.sleep(0.2)
        run = scene.start("resume/resume", wave="pilot")
        assert scene.ended(run)[0] == "Failed"  # the wave is unknown
        assert scene.ask("GET", f"/flow_runs/{run}")["infrastructure_pid"] == HERE
    finally:
        scene.worker.kill()
        scene.worker.environment = usual
        scene.worker.start()


def test_a_run_that_was_killed_says_so_in_our_words(scene: Scene) -> None:
    run = scene.start("verify/verify", wave="pilot")
    deadline = time.monotonic() + PATIENCE
    while not (found := engines(scene)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    name, message = scene.ended(run)
    assert (name, message.startswith("its process was killed (SIGKILL): ")) == ("Crashed", True)
    assert message.endswith("Nothing to do: a worker begins it again within minutes")
    until = {"artifacts": {"flow_run_id": {"any_": [run]}}}
    while not (pages := scene.ask("POST", "/artifacts/filter", until)) and time.monotonic() < deadline:
        time.sleep(0.3)
    (page,) = pages
    assert "Its process was killed (SIGKILL): " in page["data"]


def engines(scene: Scene) -> list[int]:
    """The processes of runs that the worker has."""
    own = [(pid, Path(f"/proc/{pid}/cmdline")) for pid in below(scene.worker.pid)]
    return [pid for pid, line in own if line.exists() and b"run_engine" in line.read_bytes()]


def test_a_path_is_no_parameter(scene: Scene) -> None:
    found = scene.ask("GET", "/deployments/name/janitor/janitor")
    given = {"parameters": {"config": str(scene.directory / "elsewhere.toml")}}
    answer = scene.answered("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": given})
    assert answer.status_code in (409, 422)


def test_a_worker_begins_a_wave_again_whose_start_failed(scene: Scene) -> None:
    """Nobody switched the janitor's schedule on."""
    scene.worker.kill()
    failed = scene.start("verify/verify", wave="pilot")
    for state in ("PENDING", "CRASHED"):
        scene.ask("POST", f"/flow_runs/{failed}/set_state", {"state": {"type": state}, "force": True})
    deployment = scene.ask("GET", f"/flow_runs/{failed}")["deployment_id"]
    own = {"deployments": {"id": {"any_": [deployment]}}}

    def runs() -> set[str]:
        return {str(run["id"]) for run in scene.ask("POST", "/flow_runs/filter", own)}

    before = runs()  # another test's, too
    scene.worker.start()
    deadline = time.monotonic() + PATIENCE
    while not (later := runs() - before) and time.monotonic() < deadline:
        time.sleep(1)
    (again,) = later
    assert scene.ended(again) == ("Failed", "misconfigured: wave: unknown; there is none yet")


@pytest.mark.parametrize("name", ["command", "env", "working_dir"])
def test_a_run_chooses_nothing_of_its_process(scene: Scene, name: str) -> None:
    """Prefect's server refuses it while the pool is as `kogge setup` made it."""
    value: object = {"command": f"touch {scene.mark}", "env": {"A": "B"}, "working_dir": "/"}[name]
    found = scene.ask("GET", "/deployments/name/janitor/janitor")
    body = {"parameters": found["parameters"], "job_variables": {name: value}}
    answer = scene.answered("POST", f"/deployments/{found['id']}/create_flow_run", body)
    assert answer.status_code in (409, 422)
    assert not scene.mark.exists()


def loose() -> dict[str, Any]:
    """The template that Prefect gives to every process pool: a run may choose all of it."""
    names = ("command", "env", "labels", "name", "stream_output", "working_dir")
    return {
        "job_configuration": {name: "{{ " + name + " }}" for name in names},
        "variables": {"type": "object", "properties": {name: {} for name in names}},
    }


def test_a_changed_pool_is_noticed_and_gives_a_run_no_power(scene: Scene) -> None:
    """Whoever may write to the API may change the pool. `kogge setup --check` says so; the worker does as
    before."""
    scene.ask("PATCH", "/work_pools/kogge", {"base_job_template": loose()})
    code, said = scene.kogge("setup", "--check")
    assert code == 1
    assert "work pool kogge: is different (base job template)" in said
    scene.worker.kill()
    scene.worker.start()  # a worker that knows no other template
    found = scene.ask("GET", "/deployments/name/janitor/janitor")
    variables = {
        "command": f"touch {scene.mark}",
        "env": {"KOGGE_CONFIGS": str(scene.directory / "elsewhere.toml"), "PREFECT__FLOW_ENTRYPOINT": "os.x"},
        "working_dir": str(scene.directory),
    }
    given = {"parameters": {"configuration": "elsewhere"}}
    body = {"parameters": given, "job_variables": variables}
    run = scene.ask("POST", f"/deployments/{found['id']}/create_flow_run", body)
    name, message = scene.ended(str(run["id"]))
    assert (name, "give cloud or kogge" in message) == ("Failed", True)
    assert not scene.mark.exists()
    assert scene.kogge("setup")[0] == 0
    assert scene.kogge("setup", "--check")[0] == 0


def test_a_changed_pool_does_not_ask_for_what_the_worker_knows(scene: Scene) -> None:
    """Prefect's client fills `{{ $NAME }}` from the worker's environment, and its error holds the value."""
    asking = {
        "job_configuration": {"stream_output": f"{{{{ ${VARIABLE} }}}}"},
        "variables": {"type": "object", "properties": {f"${VARIABLE}": {}}},
    }
    scene.ask("PATCH", "/work_pools/kogge", {"base_job_template": asking})
    scene.worker.kill()
    scene.worker.start()
    run = scene.start("janitor/janitor")
    assert scene.ended(run)[0] == "Completed"
    logs = scene.ask("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
    assert SECRET not in json.dumps([logs, scene.ask("GET", f"/flow_run_states/?flow_run_id={run}")])
    assert SECRET not in scene.worker.log.read_text()
    assert scene.kogge("setup")[0] == 0


def test_steps_of_a_deployment_are_not_taken(scene: Scene) -> None:
    flow = scene.ask("POST", "/flows/", {"name": "janitor"})
    step = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {scene.mark}"}}
    body = {
        "name": "anothers",
        "flow_id": flow["id"],
        "entrypoint": "flows.janitor.janitor",
        "pull_steps": [step],
        "work_pool_name": "kogge",
        "work_queue_name": "waves",
        "parameters": {"parameters": {}},
    }
    scene.ask("POST", "/deployments/", body)
    assert scene.ended(scene.start("janitor/anothers"))[0] == "Completed"
    assert not scene.mark.exists()


def test_a_flow_that_is_not_ours_does_not_run(scene: Scene) -> None:
    code = f"open({str(scene.mark)!r}, 'w')\nfrom flows.janitor import janitor\n"
    (scene.directory / "strange.py").write_text(code)
    flow = scene.ask("POST", "/flows/", {"name": "janitor"})
    body = {
        "name": "strange",
        "flow_id": flow["id"],
        "entrypoint": f"{scene.directory / 'strange.py'}:janitor",
        "path": str(scene.directory),
        "work_pool_name": "kogge",
        "work_queue_name": "waves",
        "parameters": {"parameters": {}},
    }
    scene.ask("POST", "/deployments/", body)
    name, message = scene.ended(scene.start("janitor/strange"))
    assert (name, "none of Kogge's flows" in message) == ("Crashed", True)
    assert not scene.mark.exists()


def test_prefects_own_worker_finds_nothing_to_choose_either(scene: Scene) -> None:
    """The second wall, for somebody who starts that: the pool's template has no variable."""
    scene.worker.kill()
    words = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "kogge", "--limit", "2"]
    environment = scene.environment | {"KOGGE_CONFIG": str(scene.directory / "kogge.toml")}
    other = Child("other", words, environment, scene.directory, scene.directory / "other.log")
    other.start()
    try:
        assert scene.ended(scene.start("janitor/janitor"))[0] == "Completed"
    finally:
        other.kill()
        scene.worker.start()
