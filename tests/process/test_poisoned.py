"""Who may write to Prefect's API gives runs results, blocks and serializers that are code where they are
loaded. Nothing of ours loads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import poison
import pytest
from prefect.client.schemas.objects import StateType
from rehearsal.crew import below
from worker_scene import PATIENCE, Scene, working

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]

STATES = [*(str(one.value) for one in StateType), "PAUSED/Suspended"]
UNTAKEN = {"SCHEDULED", "PENDING"}
QUIET = 10
"""How many looks in a row find no process: the worker starts one a moment after it took the run."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, prefect_state: Callable[[], Path]) -> Iterator[Scene]:
    directory, modules = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("modules")
    poison.module(modules, directory / "mark-import")
    environment = {"PYTHONPATH": str(modules)}
    with working(prefect_state(), directory, limit=12, environment=environment) as made:
        yield made


def poisoned(scene: Scene, run: str, state: str, data: object) -> None:
    """Gives a run a state, however it stands."""
    kind, _, name = state.partition("/")
    said: dict[str, object] = {"type": kind, "name": name or kind.capitalize(), "data": data}
    scene.ask("POST", f"/flow_runs/{run}/set_state", {"state": said, "force": True})


def as_they_are_taken(scene: Scene, states: dict[str, tuple[str, object]]) -> None:
    """Gives each run its state as soon as the worker has taken it, before its process asks for it."""
    waiting, deadline = dict(states), time.monotonic() + PATIENCE
    while waiting:
        assert time.monotonic() < deadline, [*waiting.values()]
        for run in [*waiting]:
            if scene.ask("GET", f"/flow_runs/{run}")["state_type"] != "SCHEDULED":
                poisoned(scene, run, *waiting.pop(run))


def left_by_all(scene: Scene, runs: Sequence[str]) -> list[str]:
    """The marks that are there once none of the runs waits and no run has had a process for a while."""
    deadline, quiet = time.monotonic() + 2 * PATIENCE, 0
    while quiet < QUIET:
        processes = below(scene.worker.pid)
        states = [scene.ask("GET", f"/flow_runs/{run}")["state_type"] for run in runs]
        quiet = 0 if processes or UNTAKEN.intersection(states) else quiet + 1
        assert time.monotonic() < deadline, (processes, states, scene.worker.log.read_text()[-4000:])
        time.sleep(0.5)
    return sorted(one.name for one in scene.directory.glob("mark-*"))


def test_no_state_of_any_type_brings_code(scene: Scene) -> None:
    states: dict[str, tuple[str, object]] = {}
    for state in STATES:
        mark = scene.directory / f"mark-{state.replace('/', '-')}"
        states[scene.start("verify/verify", wave="pilot")] = (state, poison.result(scene, mark))
    states[scene.start("verify/verify", wave="pilot")] = ("RUNNING", poison.importing())
    as_they_are_taken(scene, states)
    # A run whose process had ended before it was made to wait waits for ever.
    ending = [run for run, (state, _) in states.items() if state not in UNTAKEN]
    assert left_by_all(scene, ending) == []
    assert scene.ended(scene.start("janitor/janitor"))[0] == "Completed", "the worker goes on"


def test_the_servers_own_place_of_results_gets_no_file(scene: Scene) -> None:
    """Prefect keeps the exception that ended a flow where its server says: here a folder of this machine. A
    parameter that names a block ends a flow that way."""
    place = scene.directory / "mark-results"
    of = poison.block(scene, "local-file-system", {"basepath": str(place)})
    scene.ask("PUT", "/admin/storage", {"default_result_storage_block_id": of})
    deployment = scene.ask("GET", "/deployments/name/pause/pause")["id"]
    scene.ask("PATCH", f"/deployments/{deployment}", {"enforce_parameter_schema": False})
    given = {"parameters": {"$ref": {"block_document_id": of}}}
    run = scene.ask("POST", f"/deployments/{deployment}/create_flow_run", {"parameters": given})
    name, message = scene.ended(str(run["id"]))
    scene.ask("DELETE", "/admin/storage")
    assert (name, "Failed to resolve block references" in message) == ("Failed", True)
    assert left_by_all(scene, [str(run["id"])]) == []
