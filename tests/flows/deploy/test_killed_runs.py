"""The run of a command that was killed does not stay "Running" in Prefect."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_client, task
from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Paused, Running
from scripted import SIDES, Ended, add, opened, serving

from flows import launch
from flows.deploy import prefect_server
from flows.deploy.api import Api
from flows.deploy.deployments import TAG
from flows.deploy.killed_runs import KILLED, note_name, settle_killed
from flows.display.from_command import settle_killed_commands
from flows.process import leg_runner, run_note
from flows.process.run_note import FOLDER, KEPT_SECONDS, RunNote
from ledger.db.rows import LegState

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ROOT = Path(__file__).parents[3]
NAMES = "from engine.control.lease import new_owner; print(new_owner())"


@flow(name="wave")
def wave() -> None: ...


@flow(name="batch")
def batch() -> None: ...


@task
def leg() -> None: ...


@pytest.fixture(scope="module")
def server_state(prefect_state: Callable[[], Path]) -> Path:
    return prefect_state()


@pytest.fixture(scope="module")
def server(server_state: Path) -> Iterator[prefect_server.Server]:
    with serving(server_state) as running:
        yield running


@pytest.fixture
def api(server: prefect_server.Server) -> Api:
    return Api(server.api, local=False)


def dead_owner() -> str:
    """The name that a process of this machine had, which has ended."""
    command = [sys.executable, "-c", NAMES]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def leave_note(state: Path, run: UUID, owner: str, api: str) -> Path:
    (state / FOLDER).mkdir(exist_ok=True)
    path = state / FOLDER / str(run)
    path.write_text(json.dumps({"owner": owner, "api": api}))
    return path


async def killed(client: PrefectClient, tags: list[str]) -> tuple[UUID, UUID, UUID]:
    """A wave, its batch and the batch's task, as a killed command leaves them."""
    whole = await client.create_flow_run(wave, tags=tags, state=Running())
    stand_in = await client.create_task_run(leg, whole.id, dynamic_key="0", state=Running())
    part = await client.create_flow_run(batch, tags=tags, parent_task_run_id=stand_in.id, state=Running())
    one = await client.create_task_run(leg, part.id, dynamic_key="0", state=Running())
    return whole.id, part.id, one.id


def asked(api: Api, question: Any) -> Any:
    async def ask() -> Any:
        async with get_client() as client:
            return await question(client)

    with temporary_settings({PREFECT_API_URL: api.url}):
        return asyncio.run(ask())


def settled(state: Path, api: Api) -> int:
    with temporary_settings({PREFECT_API_URL: api.url}):
        return asyncio.run(settle_killed(state, api))


def states(api: Api, whole: UUID, part: UUID, one: UUID) -> list[str]:
    async def read(client: PrefectClient) -> list[str]:
        runs = [await client.read_flow_run(whole), await client.read_flow_run(part)]
        return [str(each.state_name) for each in (*runs, await client.read_task_run(one))]

    found: list[str] = asked(api, read)
    return found


def test_the_run_of_a_dead_process_is_crashed_with_all_that_ran_in_it(tmp_path: Path, api: Api) -> None:
    ids = asked(api, lambda client: killed(client, [TAG]))
    note = leave_note(tmp_path, ids[0], dead_owner(), api.url)
    assert settled(tmp_path, api) == 1
    assert states(api, *ids) == ["Crashed"] * 3
    assert not note.exists()
    run = asked(api, lambda client: client.read_flow_run(ids[0]))
    assert run.state.message == KILLED
    assert settled(tmp_path, api) == 0


def test_what_a_living_process_runs_is_left_alone(tmp_path: Path, api: Api) -> None:
    ids = asked(api, lambda client: killed(client, [TAG]))
    note = RunNote(tmp_path, api.url)
    note.take(ids[0])
    try:
        assert settled(tmp_path, api) == 0
        assert states(api, *ids) == ["Running"] * 3
    finally:
        note.drop(ended=True)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_run_whose_end_prefect_does_not_know_is_settled_next_time(tmp_path: Path, api: Api) -> None:
    ids = asked(api, lambda client: killed(client, [TAG]))
    note = RunNote(tmp_path, api.url)
    note.take(ids[0])
    note.drop(ended=False)
    assert settled(tmp_path, api) == 1
    assert states(api, *ids) == ["Crashed"] * 3


def test_a_batch_that_a_worker_runs_outlives_the_command_that_asked_for_it(tmp_path: Path, api: Api) -> None:
    async def at_work(client: PrefectClient) -> tuple[UUID, UUID]:
        whole = await client.create_flow_run(wave, tags=[TAG], state=Running())
        stand_in = await client.create_task_run(leg, whole.id, dynamic_key="0", state=Running())
        deployment = await client.create_deployment(await client.create_flow(batch), name="batch")
        part = await client.create_flow_run_from_deployment(deployment, parent_task_run_id=stand_in.id)
        await client.set_flow_run_state(part.id, Running(), force=True)
        return whole.id, part.id

    ids = asked(api, at_work)
    leave_note(tmp_path, ids[0], dead_owner(), api.url)
    assert settled(tmp_path, api) == 1
    found = [asked(api, lambda client, run=run: client.read_flow_run(run)).state_name for run in ids]
    assert found == ["Crashed", "Running"]


def test_a_run_of_before_a_restart_of_the_machine_is_settled(
    tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = tmp_path / "machine-id"
    identity.write_text("0123456789abcdef\n")
    monkeypatch.setattr(run_note, "MACHINE_ID", identity)
    before = "a-boot-id-of-before.1/2/3/4"
    there = {
        machine: asked(api, lambda client: killed(client, [TAG])) for machine in ("own", "other", "none")
    }
    for machine, ids in there.items():
        named = {"own": "0123456789abcdef", "other": "fedcba9876543210", "none": ""}[machine]
        note = {"owner": before, "api": api.url, "machine": named}
        (tmp_path / FOLDER).mkdir(exist_ok=True)
        (tmp_path / FOLDER / str(ids[0])).write_text(json.dumps(note))
    assert settled(tmp_path, api) == 1
    assert states(api, *there["own"]) == ["Crashed"] * 3
    for machine in ("other", "none"):
        assert states(api, *there[machine]) == ["Running"] * 3
    identity.write_text("")
    assert settled(tmp_path, api) == 0, "a machine without an id proves nothing"


@pytest.mark.parametrize("how", ["another server", "not ours", "ended", "paused", "deleted"])
def test_what_is_not_ours_to_settle_stays(how: str, tmp_path: Path, api: Api) -> None:
    ids = asked(api, lambda client: killed(client, ["theirs"] if how == "not ours" else [TAG]))
    if how in ("ended", "paused"):
        state: Any = Completed() if how == "ended" else Paused()
        asked(api, lambda client: client.set_flow_run_state(ids[0], state, force=True))
    before = states(api, *ids)
    run = uuid4() if how == "deleted" else ids[0]
    elsewhere = "http://127.0.0.1:1/api" if how == "another server" else api.url
    note = leave_note(tmp_path, run, dead_owner(), elsewhere)
    assert settled(tmp_path, api) == 0
    assert states(api, *ids) == before
    assert note.exists() is (how == "another server")


def test_what_cannot_be_told_is_kept_for_a_while(tmp_path: Path, api: Api) -> None:
    foreign = leave_note(tmp_path, uuid4(), "another-machine.1/2/3/4", api.url)
    torn = leave_note(tmp_path, uuid4(), "", "")
    torn.write_text('{"own')
    other = tmp_path / FOLDER / "README"
    other.write_text("mine")
    assert settled(tmp_path, api) == 0
    assert foreign.exists()
    assert torn.exists()
    long_ago = time.time() - KEPT_SECONDS - 60
    for path in (foreign, torn, other):
        os.utime(path, (long_ago, long_ago))
    assert settled(tmp_path, api) == 0
    assert list((tmp_path / FOLDER).iterdir()) == [other]


def test_the_next_command_settles_it_and_leaves_no_note_of_its_own(
    tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api.url)
    notes: list[int] = []
    with opened(tmp_path, SIDES) as (config, ledger):
        (number,) = add(ledger, "pilot", [("anna@old.example", "anna@new.example")])

        def work(_config: object, leg_id: int, **_asked: object) -> Ended:
            notes.append(len(list((config.state_directory / FOLDER).iterdir())))
            lease = ledger.claim(leg_id, "test/1", 60)
            assert lease is not None
            ledger.release(lease, LegState.VERIFIED, None)
            return Ended(LegState.VERIFIED)

        monkeypatch.setattr(leg_runner, "_run_leg", work)
        ids = asked(api, lambda client: killed(client, [TAG]))
        leave_note(config.state_directory, ids[0], dead_owner(), api.url)
        assert launch.launch(config, "pilot", [number]).complete
    assert states(api, *ids) == ["Crashed"] * 3
    assert notes
    assert set(notes) == {1}, "while it runs there is a note of it, and no other"
    assert list((config.state_directory / FOLDER).iterdir()) == []


def test_the_local_server_settles_it_although_no_command_comes(
    server: prefect_server.Server, server_state: Path
) -> None:
    local = Api(server.api, local=True, login=server.login)
    ids = asked(local, lambda client: killed(client, [TAG]))
    living = RunNote(server_state, note_name(local))
    others = asked(local, lambda client: killed(client, [TAG]))
    living.take(others[0])
    note = leave_note(server_state, ids[0], dead_owner(), "")
    deadline = time.monotonic() + 60
    while note.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert states(local, *ids) == ["Crashed"] * 3
    assert states(local, *others) == ["Running"] * 3
    living.drop(ended=True)


def test_a_command_about_something_else_settles_it(
    tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api.url)
    with opened(tmp_path, SIDES) as (config, _):
        assert settle_killed_commands(config) == 0
        ids = asked(api, lambda client: killed(client, [TAG]))
        leave_note(config.state_directory, ids[0], dead_owner(), api.url)
        assert settle_killed_commands(config) == 1
        assert states(api, *ids) == ["Crashed"] * 3


def test_a_command_about_something_else_goes_on_without_prefect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "http://127.0.0.1:1/api"
    monkeypatch.setenv("PREFECT_API_URL", away)
    with opened(tmp_path, SIDES) as (config, _):
        note = leave_note(config.state_directory, uuid4(), dead_owner(), away)
        assert settle_killed_commands(config) == 0
    assert note.exists()
