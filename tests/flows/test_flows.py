"""The flows against a real local Prefect server, with the work itself scripted."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import poison
import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_api import PrefectApi
from scripted import SIDES, Ended, add, opened, serving
from whole_tables import every_row

from engine.config.load import Config, load
from engine.leg.run_options import RunOptions
from flows import batches, launch, leg_task, migrate
from flows.deploy import prefect_server
from flows.deploy.api import ensure_api
from flows.launch import RunResult
from flows.process import leg_runner
from flows.process.parameters import VerifyParameters, WaveParameters
from ledger.db.rows import LegState
from ledger.store import Ledger
from model.errors import Corrupt, Misconfigured
from model.kinds import Kind
from reports import progress

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PEOPLE = [f"person.number{n}@secret-place.example" for n in range(6)]
TOML = f"""
{SIDES}
[run]
mailboxes_at_once = 2
batch = 4
canary = false
"""


@dataclass
class Script:
    """What each mailbox's leg does, in place of the real work; by the order of PEOPLE."""

    ledger: Ledger
    acts: dict[str, Callable[[int], Ended]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(
        self, _config: Config, leg_id: int, *, stop: threading.Event, through: Any, **asked: Any
    ) -> Ended:
        assert callable(through)
        row = next(row for row in self.ledger.legs() if row.id == leg_id)
        with self.lock:
            self.calls.append((row.mailbox, asked))
            tried = sum(mailbox == row.mailbox for mailbox, _ in self.calls)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            lease = self.ledger.claim(leg_id, f"test/{leg_id}/{tried}", 60)
            assert lease is not None
            stopped = stop.wait(0.05 if row.mailbox in self.acts else 0.01)
            act = self.acts.get(row.mailbox, lambda _tried: Ended(LegState.VERIFIED))
            end = Ended(LegState.PENDING, "stopped") if stopped else act(tried)
            self.ledger.release(lease, end.state, end.code)
            return end
        finally:
            with self.lock:
                self.at_once -= 1


@dataclass
class Stage:
    config: Config
    ledger: Ledger
    ids: list[str]
    script: Script

    def run(self, **asked: Any) -> RunResult:
        return launch.launch(self.config, "pilot", **asked)


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[tuple[prefect_server.Server, Path]]:
    state = prefect_state()
    with serving(state) as running:
        yield running, state


@pytest.fixture
def stage(
    api: tuple[prefect_server.Server, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    monkeypatch.setenv("PREFECT_API_URL", api[0].api)
    monkeypatch.setattr(leg_task, "RETRY_SECONDS", (0.1, 0.1))
    with opened(tmp_path, TOML) as (config, ledger):
        script = Script(ledger)
        monkeypatch.setattr(leg_runner, "_run_leg", script)
        yield Stage(config, ledger, add(ledger, "pilot", [(who, who.upper()) for who in PEOPLE]), script)


def runs(api: prefect_server.Server) -> tuple[list[FlowRun], list[TaskRun]]:
    async def read() -> tuple[list[FlowRun], list[TaskRun]]:
        async with get_client() as client:
            return await client.read_flow_runs(), await client.read_task_runs()

    with temporary_settings({PREFECT_API_URL: api.api}):
        return asyncio.run(read())


def settled(api: prefect_server.Server, ids: list[str]) -> dict[str, tuple[str | None, str | None]]:
    """Name -> (state, message) of these mailboxes' task runs; the server records them with a delay."""
    names, deadline = {f"{id_}/mail" for id_ in ids}, time.monotonic() + 60
    while time.monotonic() < deadline:
        tasks = [task for task in runs(api)[1] if task.name in names and task.state]
        if len(tasks) == len(names) and all(task.state and task.state.is_final() for task in tasks):
            return {task.name: (task.state_name, task.state.message) for task in tasks if task.state}
        time.sleep(0.5)
    pytest.fail("Prefect did not record the end of every task run")


@pytest.mark.prefect
def test_a_whole_wave_completes_and_says_so(stage: Stage, api: tuple[prefect_server.Server, Path]) -> None:
    seen: list[progress.Snapshot] = []
    result = stage.run(on_progress=seen.append)
    assert result.complete
    assert not result.stopped
    assert result.message == "all 6 workloads of 6 mailboxes are verified"
    assert result.counts()["verified"] == 6
    assert sorted(mailbox for mailbox, _ in stage.script.calls) == sorted(stage.ids)
    assert stage.script.most <= 2
    assert seen[-1].states == {LegState.VERIFIED: 6}
    flows, _tasks = runs(api[0])
    names = {run.name for run in flows}
    assert {"wave pilot", "batch pilot 1/2", "batch pilot 2/2"} <= names


@pytest.mark.prefect
def test_no_state_that_somebody_gives_a_run_brings_code_or_a_verdict(
    stage: Stage, api: tuple[prefect_server.Server, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever may write to Prefect's API is faster than the command: its run has a state before it begins."""
    attacker, made, given = PrefectApi(api[0].api), PrefectClient.create_flow_run, [*StateType]
    data, batches = poison.result(attacker, tmp_path / "mark"), list[str]()

    async def forged(client: PrefectClient, *arguments: Any, **named: Any) -> FlowRun:
        run = await made(client, *arguments, **named)
        if named.get("parent_task_run_id") is None and batches:
            return run
        said = {"type": given[0].value, "name": "Forged", "message": "all is verified", "data": data}
        attacker.ask("POST", f"/flow_runs/{run.id}/set_state", {"state": said, "force": True})
        return run

    monkeypatch.setattr(PrefectClient, "create_flow_run", forged)
    for state in StateType:
        given[:] = [state]
        calls = len(stage.script.calls)
        result = stage.run()
        ran = len(stage.script.calls) > calls
        assert result.complete == ran, state
        assert ran or result.message.startswith(launch.NOT_BEGUN), (state, result.message)
    given[:], batches[:] = [StateType.COMPLETED], ["alone"]
    result = stage.run()
    assert (result.complete, migrate.NOT_ALL in result.message) == (False, True), (
        "every leg was verified before"
    )
    assert not (tmp_path / "mark").exists()


@pytest.mark.prefect
def test_what_needs_a_person_fails_by_its_code_and_what_passes_is_tried_again(
    stage: Stage, api: tuple[prefect_server.Server, Path]
) -> None:
    blocked, differs, waiting, defect = stage.ids[:4]

    def broken(_tried: int) -> Ended:
        raise KeyError(PEOPLE[3])

    stage.script.acts = {
        blocked: lambda _tried: Ended(LegState.BLOCKED, "auth-refused"),
        differs: lambda _tried: Ended(LegState.DIFFERS, "verification-differs"),
        waiting: lambda tried: Ended(
            *((LegState.WAITING, "busy") if tried < 3 else (LegState.VERIFIED, None))
        ),
        defect: broken,
    }
    result = stage.run()
    assert not result.complete
    assert result.message.startswith(
        "3 of 6 workloads are not accounted for: 1 blocked (auth-refused), 1 differs"
    )
    tries = Counter(mailbox for mailbox, _ in stage.script.calls)
    assert tries == {id_: 3 if id_ == waiting else 1 for id_ in stage.ids}
    ends = settled(api[0], stage.ids)
    assert ends[f"{blocked}/mail"] == ("Blocked", "auth-refused")
    assert ends[f"{differs}/mail"] == ("Differs", "verification-differs")
    assert ends[f"{defect}/mail"] == ("Unfinished", "internal-error")
    assert ends[f"{waiting}/mail"][0] == "Completed"


@pytest.mark.prefect
def test_a_blocked_leg_is_left_alone_until_it_is_sent_back(stage: Stage) -> None:
    stage.script.acts = {stage.ids[0]: lambda _tried: Ended(LegState.BLOCKED, "auth-refused")}
    assert not stage.run(mailboxes=stage.ids[:2]).complete
    stage.script.calls.clear()
    assert not stage.run(mailboxes=stage.ids[:2]).complete
    assert [mailbox for mailbox, _ in stage.script.calls] == [stage.ids[1]]
    stage.ledger.requeue(mailbox=stage.ids[0])
    stage.script.acts.clear()
    assert stage.run(mailboxes=stage.ids[:2]).complete


@pytest.mark.prefect
def test_a_wave_goes_by_the_list_as_it_is_now(stage: Stage) -> None:
    rows = [f"{who},{who},pilot" for who in PEOPLE[1:]]
    stage.config.file(stage.config.mailboxes).write_text("\n".join(["source,target,wave", *rows]) + "\n")
    assert stage.run().complete
    assert {mailbox for mailbox, _ in stage.script.calls} == set(stage.ids[1:])


@pytest.mark.prefect
def test_a_wave_of_another_configurations_list_is_left_as_it_is(stage: Stage) -> None:
    """Whoever starts it in Prefect may have chosen the wrong configuration."""
    stage.config.file(stage.config.mailboxes).write_text(
        "source,target,wave\na@x.example,a@y.example,other\n"
    )
    result = stage.run()
    assert not result.complete
    assert "has no row of wave pilot" in result.message
    assert not stage.script.calls
    assert {row.withheld for row in stage.ledger.legs("pilot")} == {None}


@pytest.mark.prefect
def test_sigterm_drains(stage: Stage) -> None:
    """Legs at work give their lease back, the others never begin, the next run takes up the rest."""
    begun = threading.Event()

    def linger(_tried: int) -> Ended:
        begun.set()
        return Ended(LegState.VERIFIED)

    stage.script.acts = dict.fromkeys(stage.ids, linger)

    def terminate() -> None:
        begun.wait(30)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    killer = threading.Thread(target=terminate)
    killer.start()
    result = stage.run()
    killer.join()
    assert result.stopped
    assert not result.complete
    assert result.message.startswith("stopped on request; ")
    assert all(row.owner is None for row in stage.ledger.legs())
    assert signal.getsignal(signal.SIGTERM) is before
    stage.script.acts.clear()
    assert stage.run().complete


@pytest.mark.prefect
def test_what_concerns_every_mailbox_ends_the_run(stage: Stage) -> None:
    def corrupt(_tried: int) -> Ended:
        raise Corrupt("event-chain-broken")

    def slow(_tried: int) -> Ended:
        time.sleep(0.5)
        return Ended(LegState.VERIFIED)

    stage.script.acts = {**dict.fromkeys(stage.ids, slow), min(stage.ids): corrupt}
    result = stage.run()
    assert not result.complete
    assert result.message == "event-chain-broken"
    assert len(stage.script.calls) < len(stage.ids)


@pytest.mark.prefect
def test_what_was_asked_reaches_every_leg(stage: Stage) -> None:
    stage.script.acts = dict.fromkeys(stage.ids, lambda _tried: Ended(LegState.PENDING, "dry-run"))
    result = stage.run(options=RunOptions(dry_run=True))
    assert result.complete
    assert result.message == "dry run: 6 of 6 workloads listed, 0 items known"
    stage.script.acts.clear()
    assert stage.run(options=RunOptions(verify_only=True, level="both"), mailboxes=stage.ids[:1]).complete
    asked = [{k: v for k, v in asked.items() if k != "breaker"} for _, asked in stage.script.calls]
    assert asked[0] == {"options": RunOptions(dry_run=True)}
    assert asked[-1] == {"options": RunOptions(verify_only=True, level="both")}


@pytest.mark.prefect
def test_what_was_only_looked_at_is_open_to_a_run_that_is_stopped(stage: Stage) -> None:
    stage.script.acts = dict.fromkeys(stage.ids, lambda _tried: Ended(LegState.PENDING, "dry-run"))
    assert stage.run(options=RunOptions(dry_run=True)).complete

    def corrupt(_tried: int) -> Ended:
        raise Corrupt("event-chain-broken")

    stage.script.acts = dict.fromkeys(stage.ids, corrupt)
    chosen, *others = stage.ids
    assert not stage.run(mailboxes=[chosen]).complete
    assert {leg.mailbox for leg in stage.ledger.legs() if leg.code == progress.DRY_RUN} == {*others}
    assert not stage.run().complete
    assert progress.DRY_RUN not in {leg.code for leg in stage.ledger.legs()}


@pytest.mark.prefect
def test_an_unknown_wave_fails_with_advice(stage: Stage) -> None:
    result = launch.launch(stage.config, "no-such-wave")
    assert not result.complete
    assert result.message == "misconfigured: wave: unknown; there is only pilot"


@pytest.mark.prefect
def test_nothing_of_a_person_reaches_prefect(stage: Stage, api: tuple[prefect_server.Server, Path]) -> None:
    """Runs after every other test of this module, whose runs it looks at as well."""

    def talks(_tried: int) -> Ended:
        raise RuntimeError(f"NO [AUTHENTICATIONFAILED] {PEOPLE[0]} has no access to Gehälter 2024")

    stage.script.acts = {stage.ids[0]: talks}
    stage.run()
    rows = list(every_row(prefect_server.home(api[1]) / "prefect.db"))
    text = "\n".join(rows).lower()
    assert stage.ids[0] in text
    for secret in [*PEOPLE, "secret-place", "gehälter", "geh\\u00e4lter", "AUTHENTICATIONFAILED"]:
        assert secret.lower() not in text
    defects = stage.config.state_directory / "logs" / "defects.log"
    assert "RuntimeError" in defects.read_text()


@pytest.mark.prefect
def test_the_server_is_one_and_its_own(api: tuple[prefect_server.Server, Path]) -> None:
    running, state = api
    assert prefect_server.up(state) == running
    assert prefect_server.status(state) == running
    assert prefect_server.home(state).stat().st_mode & 0o777 == 0o700


def test_no_server_no_status(tmp_path: Path) -> None:
    assert prefect_server.status(tmp_path) is None
    assert prefect_server.down(tmp_path) is False
    prefect_server.home(tmp_path).mkdir()
    (prefect_server.home(tmp_path) / "server.json").write_text('{"pid": 1, "port": 4200, "started": 0}')
    assert prefect_server.status(tmp_path) is None, "process 1 is no Prefect server: a reused process id"


def test_the_server_inherits_no_other_prefect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite:////elsewhere")
    monkeypatch.setenv("PREFECT_API_URL", "https://elsewhere.example/api")
    found = prefect_server.environment(tmp_path, 4321)
    assert "elsewhere" not in " ".join(value for name, value in found.items() if name.startswith("PREFECT_"))
    assert found["DO_NOT_TRACK"] == "1"


def test_the_server_is_given_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_SOURCE_PASSWORD", "hunter2")
    monkeypatch.setenv("OUR_VAULT_TOKEN", "hunter2")
    found = prefect_server.environment(tmp_path, 4321)
    assert "hunter2" not in found.values()
    assert found["PATH"] == os.environ["PATH"]


def test_a_configured_api_must_answer(stage_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(Misconfigured, match="no Prefect API answers"):
        ensure_api(stage_config)


def test_an_api_that_begins_only_now_is_waited_for(
    stage_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Healthy, bind_and_activate=False)
    server.server_bind()  # a port of its own, that nobody answers at yet
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
    monkeypatch.setattr(time, "sleep", lambda _: server.server_activate())
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(server.serve_forever)
        try:
            assert not ensure_api(stage_config, 60.0).local
        finally:
            server.shutdown()
            serving.result()
            server.server_close()


@pytest.fixture
def stage_config(tmp_path: Path) -> Config:
    (tmp_path / "kogge.toml").write_text(TOML)
    return load(tmp_path / "kogge.toml")


def test_batches_share_a_wave_out_without_the_blocked() -> None:
    seen = progress.Snapshot(tuple(row(number) for number in range(7)))
    shards = batches.shared_out(seen.legs, WaveParameters(wave="w", dry_run=True), 3)
    assert [shard.mailboxes for shard in shards] == [["m-1", "m-2", "m-3"], ["m-4", "m-5", "m-6"]]
    assert [(shard.number, shard.of, shard.dry_run, shard.verify_only) for shard in shards] == [
        (1, 2, True, False),
        (2, 2, True, False),
    ]
    (shard,) = batches.shared_out(seen.legs, VerifyParameters(wave="w"), 100)
    assert shard.verify_only


def test_the_rest_is_what_is_not_verified_yet() -> None:
    done = [row(number, state=LegState.VERIFIED) for number in (1, 3)]
    seen = progress.Snapshot((*done, row(2), row(4, state=LegState.COPIED)))
    (shard,) = batches.shared_out(seen.legs, WaveParameters(wave="w", rest=True), 100)
    assert (shard.mailboxes, shard.rest) == (["m-2", "m-4"], True)
    assert not batches.runs(row(2, state=LegState.VERIFIED), shard), "another run came first"
    (shard,) = batches.shared_out(seen.legs, WaveParameters(wave="w"), 100)
    assert (shard.mailboxes, shard.rest) == (["m-1", "m-2", "m-3", "m-4"], False)


def row(number: int, **changes: Any) -> Any:
    from ledger.db.rows import LegRow

    state = LegState.BLOCKED if number == 0 else LegState.PENDING
    values = {"state": state, "code": None, "items": 10, "done": number, "bytes": 1000, **changes}
    fixed = {"owner": None, "lease_until": None, "epoch": 0, "started": None, "finished": None}
    return LegRow(id=number, mailbox=f"m-{number}", workload=Kind.MAIL, **fixed, **values)
