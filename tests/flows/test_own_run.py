"""What somebody asks of a run in Prefect's UI is heard, whatever Prefect's API does in between."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause
from prefect.states import Cancelled, Cancelling, Completed, Running, Suspended

from flows import own_run
from flows.deploy.worker import _last_word
from flows.own_run import mark, watched
from flows.process.background_task import keep_drawing, standing, together
from flows.process.leg_runner import Shutdown


@dataclass
class Api:
    """Prefect's API, which fails as often as it was told to. state: of the one run."""

    state: State[Any] = field(default_factory=Running)
    fails: int = 0
    asked: int = 0
    tags: list[str] = field(default_factory=lambda: ["theirs"])
    children: dict[str, State[Any]] = field(default_factory=dict)

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read_flow_run(self, _number: object) -> Any:
        self.asked += 1
        if self.fails:
            self.fails -= 1
            raise httpx.ConnectError("the API went away")
        return SimpleNamespace(state=self.state, state_type=self.state.type, tags=self.tags)

    async def read_flow_runs(self, *, flow_run_filter: Any) -> list[Any]:
        assert flow_run_filter.parent_flow_run_id is not None
        return [
            SimpleNamespace(id=name, state=state, deployment_id=uuid4() if "worker" in name else None)
            for name, state in self.children.items()
        ]

    async def set_flow_run_state(self, number: Any, state: State[Any], force: bool = False) -> None:
        assert force
        if number in self.children:
            self.children[number] = state
        else:
            self.state = state

    async def update_flow_run(self, _number: object, *, tags: list[str]) -> None:
        self.tags = tags


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    monkeypatch.setattr(own_run, "get_client", lambda: made)
    number = str(uuid4())
    own = SimpleNamespace(get_id=lambda: number, get_flow_name=lambda: "wave")
    monkeypatch.setattr(own_run.runtime, "flow_run", own)
    monkeypatch.setattr(own_run.runtime, "deployment", SimpleNamespace(get_name=lambda: "start pilot"))
    monkeypatch.setattr(own_run, "TICK_SECONDS", 0.001)
    monkeypatch.setattr(own_run, "ASK_SECONDS", 0.0)
    return made


async def until(what: Callable[[], bool]) -> None:
    while not what():
        await asyncio.sleep(0.001)


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def test_cancelling_is_heard_although_the_api_failed_before(api: Api) -> None:
    api.fails = 3
    drain = Shutdown()

    async def wave() -> None:
        async with watched(drain):
            await until(lambda: api.asked > 5)
            assert not drain.stopping
            api.state = Cancelling()
            await until(lambda: drain.stopping)

    run(wave())


def test_sigterm_stays_ours_although_the_api_fails(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.fails = 10**6
    armed: list[int] = []
    drain = Shutdown()
    monkeypatch.setattr(drain, "arm", lambda: armed.append(1))

    async def wave() -> None:
        async with watched(drain):
            await until(lambda: len(armed) > 5)

    run(wave())
    assert not drain.stopping


def test_suspending_stops_the_legs_and_the_state_says_how_far_it_came(api: Api) -> None:
    drain = Shutdown()
    api.children = {
        "ended": Completed(),
        "ended by the suspension": Running(),
        "a worker's": Running(),
    }

    async def wave() -> None:
        async with watched(drain) as own:
            api.state = Suspended(timeout_seconds=60)
            await until(lambda: drain.stopping)
        assert own.suspended is not None
        await own.leave(own.suspended, "6 of 30 workloads are not accounted for")

    with pytest.raises(Pause):
        run(wave())
    assert api.state.name == "Suspended"
    assert api.state.message == (
        "suspended; 6 of 30 workloads are not accounted for; "
        '*Resume*, or a new run of the deployment "start pilot", goes on from here'
    )
    assert [state.name for state in api.children.values()] == ["Completed", "Stopped", "Running"]
    assert api.state.state_details.pause_reschedule, "else nobody could resume it"


@pytest.mark.parametrize("seen", ["while it still watched", "afterwards", "suspended once more"])
def test_what_somebody_resumed_meanwhile_stays_at_work(api: Api, seen: str) -> None:
    drain = Shutdown()
    again = Suspended(timeout_seconds=60) if seen == "suspended once more" else Running()

    async def wave() -> None:
        async with watched(drain) as own:
            api.state = Suspended(timeout_seconds=60)
            await until(lambda: drain.stopping)
            if seen == "while it still watched":
                api.state, asked = Running(), api.asked
                await until(lambda: api.asked > asked + 2)
        api.state, api.children = again, {"of the second process": Running()}
        assert own.suspended is not None
        await own.leave(own.suspended, "3 of 9 mailboxes are not accounted for")

    with pytest.raises(Pause):
        run(wave())
    assert api.state is again
    assert [state.name for state in api.children.values()] == ["Running"]


@pytest.mark.parametrize("begun_again", [False, True])
def test_the_last_word_of_a_worker_is_of_a_cancelled_run_that_nobody_began_again(
    api: Api, begun_again: bool
) -> None:
    far, cancelled = Cancelled(name="Stopped", message="3 of 9 mailboxes"), Cancelled()
    api.state = Running() if begun_again else cancelled

    async def read_flow_run_states(_number: object) -> list[State[Any]]:
        return [far, cancelled]

    api.read_flow_run_states = read_flow_run_states  # type: ignore[attr-defined]
    one: Any = SimpleNamespace(id=uuid4())
    run(_last_word(api, one))  # type: ignore[arg-type]
    assert api.state.name == ("Running" if begun_again else "Stopped")


def test_a_suspension_that_a_task_met_first_ends_the_block_and_no_more(api: Api) -> None:
    drain = Shutdown()
    suspended = Suspended(timeout_seconds=60)

    async def wave() -> State[Any] | None:
        async with watched(drain) as own:
            raise Pause(state=suspended)
        return own.suspended

    assert run(wave()) is suspended
    assert drain.stopping


def test_what_watches_and_dies_of_a_defect_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    died = threading.Event()

    async def look() -> None:
        raise KeyError("person@secret-place.example")

    async def wave() -> None:
        async with standing("a look", look, 0.001, died=died.set):
            await until(died.is_set)

    with caplog.at_level(logging.ERROR, "kogge.defect"):
        run(wave())
    (record,) = caplog.records
    assert "a look: KeyError at" in record.getMessage()
    assert "secret-place" not in record.getMessage()


@pytest.mark.parametrize("entered", [standing, keep_drawing])
def test_a_fault_that_lasts_is_logged_once_and_so_is_its_end(
    entered: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[int] = []
    fails = [httpx.ConnectError, httpx.ReadTimeout, httpx.ConnectError, None, None, httpx.ConnectError, None]

    async def look() -> None:
        looks.append(len(looks))
        fault = fails[looks[-1]] if looks[-1] < len(fails) else None
        if fault is not None:
            raise fault("secret-place")

    async def wave() -> None:
        async with entered("a look", look, 0.001):
            await until(lambda: len(looks) > len(fails))

    with caplog.at_level(logging.INFO, "kogge.standing"):
        run(wave())
    assert [record.getMessage() for record in caplog.records] == [
        "a look: ConnectError",
        "a look: ReadTimeout",
        "a look: works again",
        "a look: ConnectError",
        "a look: works again",
    ]


def test_of_several_all_have_ended_before_the_error_of_one_is_raised() -> None:
    stop = threading.Event()
    ended: list[str] = []

    async def fails() -> None:
        raise OSError("first")

    async def works() -> None:
        await until(stop.is_set)
        await asyncio.sleep(0.02)
        ended.append("settled")

    with pytest.raises(OSError, match="first"):
        run(together([works(), fails(), works()], stop))
    assert ended == ["settled", "settled"]


def test_a_run_is_tagged_with_its_wave_once(api: Api) -> None:
    run(mark("pilot"))
    run(mark("pilot"))
    assert api.tags == ["theirs", "kogge", "wave:pilot"]
    api.fails = 1
    run(mark("other"))
    assert api.tags == ["theirs", "kogge", "wave:pilot"], "an API that fails ends no wave"


def test_what_somebody_stopped_says_which_run_goes_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made: State[Any] = Cancelled(name="Stopped", message="stopped on request; 6 of 30 are open")
    told = 'stopped on request; 6 of 30 are open; a new run of the deployment "start pilot" goes on'
    assert own_run.stopped(made).message == told
    assert own_run.stopped(Completed(message="all")).message == "all"
    monkeypatch.setattr(own_run.runtime, "deployment", SimpleNamespace(get_name=lambda: None))
    assert own_run.stopped(made) is made, "a command says itself what comes next"


def test_cancelling_a_batch_of_a_command_stops_the_command(api: Api) -> None:
    drain = Shutdown()

    async def batch() -> None:
        async with watched(drain, nested=True) as own:
            api.state = Cancelling()
            await until(lambda: drain.stopping)
        assert own.suspended is None

    run(batch())
