"""Handing batches to workers: where the deployment is missing, the run says which command comes next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.states import (
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    Running,
    Scheduled,
    Suspended,
)

from engine.control.stop_signal import Stop
from engine.pacing.run_legs import Boundary
from flows import batch_watch, dispatch, migrate, queue_watch
from flows.deploy.worker import BRAKE_PLACES, admitted
from flows.process.parameters import BatchParameters
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Misconfigured, Transient
from reports.progress import Snapshot

SHARD = BatchParameters(wave="pilot", mailboxes=["m-1"], number=1, of=1)


@pytest.fixture
def runner(tmp_path: Path) -> Any:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    drain = SimpleNamespace(stopping=True, arm=lambda: None)
    yield SimpleNamespace(
        config=SimpleNamespace(run=SimpleNamespace(ledger_patience_seconds=1)),
        ledger=ledger,
        boundary=Boundary(Stop()),
        refusal=None,
        notice=None,
        drain=drain,
        cut=False,
        called_off=set(),
    )
    ledger.close()


async def nothing(_shard: BatchParameters) -> object:
    raise AssertionError("a batch of workers does not run here")


async def unknown(_key: str) -> None:
    """No batch of that key was begun."""


def test_without_a_deployment_the_run_ends_and_names_setup(
    runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(*_: Any, **__: Any) -> None:
        raise ObjectNotFound(Exception())

    monkeypatch.setattr(dispatch, "arun_deployment", missing)
    monkeypatch.setattr(dispatch, "_known", unknown)
    asyncio.run(dispatch.deployed(nothing, [SHARD], runner))
    assert isinstance(runner.boundary.fault, Misconfigured)
    assert "kogge setup" in str(runner.boundary.fault)


def test_a_wave_with_a_priority_waits_before_others(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Waves(runner.ledger).put([WaveRow("pilot", priority=5)])
    queues: list[str] = []

    async def run(_name: str, *, work_queue_name: str, **__: Any) -> Any:
        queues.append(work_queue_name)
        return SimpleNamespace(id=1, state=None)

    async def cancel(_runs: Any, *_: Any) -> None:
        queues.append("cancelled")

    monkeypatch.setattr(dispatch, "arun_deployment", run)
    monkeypatch.setattr(dispatch, "_known", unknown)
    monkeypatch.setattr(dispatch, "_cancel", cancel)
    monkeypatch.setattr(dispatch, "_drained", cancel)
    asyncio.run(dispatch.deployed(nothing, [SHARD], runner))
    assert queues == ["urgent", "cancelled", "cancelled"]


class Server:
    """Runs by their keys, as Prefect keeps them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: dict[str, Any] = {}
        monkeypatch.setattr(dispatch, "arun_deployment", self.run)
        monkeypatch.setattr(dispatch, "_known", self.known)
        monkeypatch.setattr(dispatch, "_wait", self.wait)
        monkeypatch.setattr(queue_watch, "get_client", lambda: pytest.fail("nobody waits"))
        flow_run = SimpleNamespace(get_id=lambda: "run")
        deployment = SimpleNamespace(get_name=lambda: None)
        monkeypatch.setattr(dispatch, "runtime", SimpleNamespace(flow_run=flow_run, deployment=deployment))

    async def run(self, _name: str, *, idempotency_key: str, parameters: Any, **_: Any) -> Any:
        given = parameters["parameters"]["mailboxes"]
        new = SimpleNamespace(id=len(self.runs), state=Running(), mailboxes=given)
        assert idempotency_key not in self.runs, "it would leave another task in the timeline"
        self.runs[idempotency_key] = new
        return new

    async def known(self, key: str) -> Any:
        return self.runs.get(key)

    async def wait(self, runner: Any, _ended: Any) -> None:
        runner.drain.stopping = False

    def end(self) -> None:
        for run in self.runs.values():
            run.state = Completed()

    def start(self, runner: Any, *parts: list[str]) -> list[list[str]]:
        """Starts the wave; the mailboxes of the batches that it made."""
        before = len(self.runs)
        shards = [
            BatchParameters(wave="pilot", mailboxes=part, number=number, of=len(parts))
            for number, part in enumerate(parts, 1)
        ]
        asyncio.run(dispatch.deployed(nothing, shards, runner))
        return [run.mailboxes for run in self.runs.values()][before:]


def test_a_wave_that_is_started_again_finds_its_batches(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    assert server.start(runner, ["m-1", "m-2"], ["m-3"]) == [["m-1", "m-2"], ["m-3"]]
    assert server.start(runner, ["m-1", "m-2"], ["m-3"]) == []


def test_what_ended_or_is_cut_otherwise_is_begun_anew(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first mailbox has passed since, or has failed, or the window closed."""
    server = Server(monkeypatch)
    server.start(runner, ["m-1"])
    assert server.start(runner, ["m-1", "m-2"], ["m-3"]) == [["m-1", "m-2"], ["m-3"]]
    server.end()
    assert server.start(runner, ["m-1", "m-2"], ["m-3"]) == [["m-1", "m-2"], ["m-3"]]
    assert server.start(runner, ["m-1", "m-2"], ["m-3"]) == [], "those run"


@dataclass
class Runs:
    """Prefect's API, which has these runs."""

    there: list[Any]

    async def __aenter__(self) -> Runs:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read_flow_runs(self, *, flow_run_filter: Any) -> list[Any]:
        return [one for one in self.there if one.id in flow_run_filter.id.any_]


def run_in(state: State[Any], run_count: int = 1) -> Any:
    return SimpleNamespace(id=uuid4(), state=state, run_count=run_count)


@pytest.mark.parametrize(
    ("state", "word", "ended"),
    [
        (Scheduled(), None, False),
        (Pending(), None, False),
        (Running(), "begun", False),
        (Cancelling(), "is being cancelled", False),
        (Completed(message="all are verified"), "ended: Completed: all are verified", True),
        (Failed(name="Incomplete", message="2 are not"), "ended: Incomplete: 2 are not", True),
        (Crashed(), "ended: Crashed", True),
        (Cancelled(name="Paused", message="paused: wave pilot"), "ended: Paused: wave pilot", True),
        (Suspended(timeout_seconds=1_000_000), "is suspended", False),
        (Suspended(timeout_seconds=-600), "is suspended", True),
    ],
)
def test_what_the_log_of_a_wave_says_of_its_batches(state: State[Any], word: str | None, ended: bool) -> None:
    run = run_in(state)
    told = batch_watch.word_of(run)
    assert (told or "").startswith(word or "")
    assert (told is None) is (word is None)
    assert batch_watch.has_ended(run, datetime.now(UTC)) is ended


def test_a_batch_that_somebody_deleted_is_waited_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [run_in(Running()), run_in(Running())]
    monkeypatch.setattr(batch_watch, "get_client", lambda: Runs(there))
    said: list[str] = []
    watch = batch_watch.BatchWatch({one.id: SHARD for one in there}, said.append)
    assert not asyncio.run(watch.all_ended())
    kept = there.pop()
    assert not asyncio.run(watch.all_ended())
    assert watch.left == [there[0].id]
    assert "deleted" in said[-1]
    assert watch.cut
    there[0].state = Completed()
    assert asyncio.run(watch.all_ended())
    assert len(said) == 4, "each is said once"
    assert kept.id not in watch.left


def waiting(*tags: str) -> Any:
    return SimpleNamespace(flow_run=SimpleNamespace(tags=["kogge", *tags]))


def test_a_brake_begins_although_all_places_of_a_worker_are_taken() -> None:
    batch, brake, lift = waiting("batch", "wave:resume"), waiting("pause", "wave:pilot"), waiting("resume")
    asked = [batch, brake, batch, lift]
    assert admitted(asked, BRAKE_PLACES) == [brake, lift]
    assert admitted(asked, BRAKE_PLACES + 1) == [brake, lift, batch]
    assert admitted(asked, 1) == [brake, lift], "no batch takes the last place of a brake"
    assert admitted(asked, None) == [brake, lift, batch, batch]


@pytest.mark.parametrize(
    ("ends", "cut"), [((Completed(), Completed()), False), ((Completed(), Crashed()), True)]
)
def test_a_batch_that_ends_early_leaves_something_out(
    ends: tuple[State[Any], ...], cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [run_in(one) for one in ends]

    monkeypatch.setattr(batch_watch, "get_client", lambda: Runs(there))
    watch = batch_watch.BatchWatch({one.id: SHARD for one in there}, lambda _line: None)
    assert asyncio.run(watch.all_ended())
    assert watch.cut is cut


@pytest.mark.parametrize(
    ("refusal", "stopping", "ended"),
    [
        (None, True, "CANCELLED Stopped"),
        (Transient("paused", "later"), True, "CANCELLED Paused"),
        (None, False, "FAILED Incomplete"),
    ],
)
def test_what_an_earlier_run_verified_is_not_this_runs_success(
    refusal: Transient | None, stopping: bool, ended: str
) -> None:
    """A pass over what is verified already, which ends before it has looked at all of it again."""
    drain = SimpleNamespace(stopping=stopping)
    runner: Any = SimpleNamespace(fault=None, refusal=refusal, drain=drain, cut=False, called_off=set())
    assert migrate.end_state(Snapshot(()), runner).is_completed()
    runner.cut = True
    state = migrate.end_state(Snapshot(()), runner)
    assert f"{state.type.value} {state.name}" == ended
    assert str(state.message).endswith(migrate.NOT_ALL)
