"""Handing batches to workers: where the deployment is missing, the run says which command comes next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Running

from engine.control.stop_signal import Stop
from engine.pacing.run_legs import Boundary
from flows import dispatch
from flows.deploy import queue_watch
from flows.process.parameters import BatchParameters
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Misconfigured

SHARD = BatchParameters(wave="pilot", mailboxes=["m-1"], number=1, of=1)


@pytest.fixture
def runner(tmp_path: Path) -> Any:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    drain = SimpleNamespace(stopping=True, arm=lambda: None)
    yield SimpleNamespace(ledger=ledger, boundary=Boundary(Stop()), refusal=None, notice=None, drain=drain)
    ledger.close()


async def nothing(_shard: BatchParameters) -> object:
    raise AssertionError("a batch of workers does not run here")


def test_without_a_deployment_the_run_ends_and_names_setup(
    runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(*_: Any, **__: Any) -> None:
        raise ObjectNotFound(Exception())

    monkeypatch.setattr(dispatch, "arun_deployment", missing)
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
    monkeypatch.setattr(dispatch, "_cancel", cancel)
    monkeypatch.setattr(dispatch, "_drained", cancel)
    asyncio.run(dispatch.deployed(nothing, [SHARD], runner))
    assert queues == ["urgent", "cancelled", "cancelled"]


class Server:
    """Runs by their keys, as Prefect keeps them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: dict[str, Any] = {}
        monkeypatch.setattr(dispatch, "arun_deployment", self.run)
        monkeypatch.setattr(dispatch, "_wait", self.wait)
        monkeypatch.setattr(queue_watch, "get_client", lambda: pytest.fail("nobody waits"))
        flow_run = SimpleNamespace(get_id=lambda: "run")
        deployment = SimpleNamespace(get_name=lambda: None)
        monkeypatch.setattr(dispatch, "runtime", SimpleNamespace(flow_run=flow_run, deployment=deployment))

    async def run(self, _name: str, *, idempotency_key: str, parameters: Any, **_: Any) -> Any:
        given = parameters["parameters"]["mailboxes"]
        new = SimpleNamespace(id=len(self.runs), state=Running(), mailboxes=given)
        return self.runs.setdefault(idempotency_key, new)

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
