"""Prefect's API does not answer for a while: a batch is created, or begins, a little later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Completed, Crashed, Running, Scheduled

from engine.control.stop_signal import Stop
from engine.pacing.run_legs import Boundary
from flows import batch_watch, dispatch, migrate, queue_watch
from flows.process.parameters import BatchParameters
from flows.process.prefect_retry import PrefectPatience
from ledger.store import Ledger
from model.errors import Transient
from reports.progress import Snapshot

AWAY = 300
"""Seconds for which Prefect may be away."""
SHARD = BatchParameters(wave="pilot", mailboxes=["m-1"], number=1, of=1)


def answer(status: int) -> PrefectHTTPStatusError:
    request = httpx.Request("POST", "http://127.0.0.1/api")
    return PrefectHTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def failing(*errors: Exception) -> Callable[[], Any]:
    left = list(errors)

    async def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def test_a_503_is_asked_again_and_the_log_says_so_once(clock: Clock) -> None:
    said: list[str] = []
    patience = PrefectPatience(AWAY, lambda: False, said.append, lambda: clock.now)
    call = failing(answer(503), httpx.ConnectError("no"), answer(503))
    assert asyncio.run(patience.ask(call)) == "done"
    assert said == ["Prefect does not answer (503); it is asked again", "Prefect answers again"]


def test_after_some_minutes_it_is_a_passing_fault(clock: Clock) -> None:
    patience = PrefectPatience(AWAY, lambda: False, lambda _line: None, lambda: clock.now)
    with pytest.raises(Transient) as caught:
        asyncio.run(patience.ask(failing(*[answer(503)] * 99)))
    assert caught.value.code == "prefect-unavailable"
    assert AWAY / 2 < clock.now <= AWAY


def test_what_prefect_refuses_is_asked_once(clock: Clock) -> None:
    patience = PrefectPatience(AWAY, lambda: False, lambda _line: None, lambda: clock.now)
    with pytest.raises(PrefectHTTPStatusError):
        asyncio.run(patience.ask(failing(answer(422))))


def test_what_has_begun_is_not_begun_again_and_nobody_waits_after_a_stop(clock: Clock) -> None:
    patience = PrefectPatience(AWAY, lambda: False, lambda _line: None, lambda: clock.now)
    with pytest.raises(Transient):
        asyncio.run(patience.ask(failing(answer(503)), begun=lambda: True))
    hasty = PrefectPatience(AWAY, lambda: True, lambda _line: None, lambda: clock.now)
    with pytest.raises(Transient):
        asyncio.run(hasty.ask(failing(answer(503))))
    assert clock.now == 0


class Place:
    """A wave's run, and Prefect's API: what creating a batch answers, and how its runs end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
        self.answers: list[Exception] = []
        self.ends: list[Any] = []
        self.runs: dict[Any, Any] = {}
        self.said: list[str] = []
        self.runner: Any = SimpleNamespace(
            ledger=ledger,
            boundary=Boundary(Stop()),
            config=SimpleNamespace(
                prefect=SimpleNamespace(work_pool="kogge"), run=SimpleNamespace(ledger_patience_seconds=AWAY)
            ),
            drain=SimpleNamespace(stopping=False),
            refusal=None,
            notice=None,
            cut=False,
            called_off=set(),
            shut=False,
            underway=set(),
        )
        log = SimpleNamespace(info=self.said.append, warning=self.said.append)
        for module in (dispatch, queue_watch):
            monkeypatch.setattr(module, "get_run_logger", lambda: log)
        for module in (dispatch, batch_watch, queue_watch):
            monkeypatch.setattr(module, "get_client", lambda: self)
        monkeypatch.setattr(dispatch, "arun_deployment", self.create)
        flow_run = SimpleNamespace(get_id=lambda: "run")
        deployment = SimpleNamespace(get_name=lambda: None)
        monkeypatch.setattr(dispatch, "runtime", SimpleNamespace(flow_run=flow_run, deployment=deployment))

    async def __aenter__(self) -> Place:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def create(self, _name: str, *, idempotency_key: str, **_: Any) -> Any:
        if self.answers:
            raise self.answers.pop(0)
        run = SimpleNamespace(id=uuid4(), state=Scheduled(), run_count=0, key=idempotency_key)
        run.end = self.ends.pop(0)
        self.runs[run.id] = run
        return run

    async def read_flow_runs(self, *, flow_run_filter: Any, **_: Any) -> list[Any]:
        if flow_run_filter.id is not None:
            found = [self.runs[one] for one in flow_run_filter.id.any_]
            for run in found:
                run.state, run.run_count = run.end
            return found
        return [one for one in self.runs.values() if one.key in flow_run_filter.idempotency_key.any_]

    async def read_flow_run(self, number: Any) -> Any:
        return self.runs[number]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    yield Place(monkeypatch, ledger)
    ledger.close()


async def nothing(_shard: BatchParameters) -> object:
    raise AssertionError("a batch of workers does not run here")


FAILED_TO_SUBMIT = (Crashed(message="Failed to submit flow run to infrastructure"), 0)
BEGAN = (Completed(), 1)


def test_a_batch_that_prefect_does_not_create_at_once_is_created_later(place: Place) -> None:
    place.answers, place.ends = [answer(503), answer(503)], [BEGAN]
    asyncio.run(dispatch.deployed(nothing, [SHARD], place.runner))  # type: ignore[arg-type]
    assert [one.state.name for one in place.runs.values()] == ["Completed"]
    assert not place.runner.cut
    assert place.said[0].startswith("Prefect does not answer (503)")


def test_a_batch_that_its_worker_could_not_begin_is_begun_anew(place: Place) -> None:
    place.ends = [FAILED_TO_SUBMIT, FAILED_TO_SUBMIT, BEGAN]
    asyncio.run(dispatch.deployed(nothing, [SHARD], place.runner))  # type: ignore[arg-type]
    assert [one.state.name for one in place.runs.values()] == ["Crashed", "Crashed", "Completed"]
    assert not place.runner.cut
    assert any("had not begun" in line for line in place.said)


def test_a_prefect_that_stays_away_ends_the_wave_as_incomplete(place: Place) -> None:
    """It is waited for as long as the ledger, whose PostgreSQL may be the same."""
    place.runner.config.run.ledger_patience_seconds = 0
    place.answers = [answer(503)]
    asyncio.run(dispatch.deployed(nothing, [SHARD], place.runner))  # type: ignore[arg-type]
    assert place.runner.cut
    place.runner.fault = place.runner.boundary.fault
    state = migrate.end_state(Snapshot(()), place.runner)
    assert state.name == "Incomplete"
    assert str(state.message).startswith("prefect-unavailable: ")


def test_a_batch_that_begins_here_waits_for_prefect_too(place: Place) -> None:
    begun = failing(answer(503))

    async def batch(_shard: BatchParameters, *, return_state: bool) -> Any:
        assert return_state
        await begun()
        place.runner.underway.add(SHARD.number)
        return Completed()

    asyncio.run(dispatch.inline(batch, [SHARD], place.runner))  # type: ignore[arg-type]
    assert place.runner.boundary.fault is None
    assert place.said[-1] == "batch 1/1 ended: Completed"


@pytest.mark.parametrize(
    ("state", "left"), [(Scheduled(), "CANCELLED Stopped"), (Running(), "CANCELLING Cancelling")]
)
def test_a_batch_of_a_stopped_wave_says_whether_it_had_begun(
    state: Any, left: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.runs["one"] = SimpleNamespace(state=state)
    states: list[Any] = []

    async def set_state(_number: Any, state: Any) -> None:
        states.append(state)

    monkeypatch.setattr(place, "set_flow_run_state", set_state, raising=False)
    asyncio.run(dispatch._cancel(["one"]))  # type: ignore[list-item]
    (told,) = states
    assert f"{told.type.value} {told.name}" == left
    assert (told.message == dispatch.NOT_BEGUN) is state.is_scheduled()
