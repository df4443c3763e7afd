"""What Prefect shows of a leg is what its own engine of tasks would tell, in fewer events and rows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client, runtime, task
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import TaskRun
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Failed
from scripted import serving

from engine.control.error_log import INTERNAL
from flows import leg_task
from flows.deploy.prefect_server import Server
from flows.display.prefect_events import farewell
from ledger.db.rows import LegState

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
VERIFIED = (LegState.VERIFIED, None)
WAITING = (LegState.WAITING, "busy")
End = tuple[LegState, str | None]


class Place:
    """The place of a leg; how often it was taken, and is held."""

    def __init__(self) -> None:
        self.taken = 0
        self.held = 0

    async def acquire(self) -> None:
        self.taken += 1
        self.held += 1

    def release(self) -> None:
        self.held -= 1


@pytest.fixture(scope="module")
def server(prefect_state: Callable[[], Path]) -> Iterator[Server]:
    with serving(prefect_state()) as running:
        yield running


@pytest.fixture
def sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Event]]:
    """The events that are sent, as they leave."""
    found: list[Event] = []
    handle = EventsWorker._handle

    async def kept(worker: EventsWorker, event: Event) -> None:
        await handle(worker, event)
        found.append(event)

    monkeypatch.setattr(EventsWorker, "_handle", kept)
    monkeypatch.setattr(leg_task, "RETRY_SECONDS", (0.1, 0.1))
    with temporary_settings({PREFECT_API_URL: server.api}):
        farewell()
        yield found


def ended(ends: Sequence[End | BaseException]) -> Callable[[], Awaitable[End]]:
    """Work that ends so, one after the other."""
    left = list(ends)

    async def work() -> End:
        await asyncio.sleep(0)
        end = left.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end

    return work


def run(
    *ends: End | BaseException, shut: Callable[[], bool] = lambda: False, is_as_before: bool = False
) -> tuple[str, Place]:
    """Runs a leg whose work ends so: the id of its flow's run."""
    place = Place()

    @flow(name="batch")
    async def batch() -> str:
        await leg_task.leg(
            "m-1",
            "mail",
            "pilot",
            place,
            ended(ends),
            shut,
            is_as_before=lambda: is_as_before,  # type: ignore[arg-type]
        )
        return str(runtime.flow_run.get_id())

    number = asyncio.run(batch())
    assert farewell()
    return str(number), place


def shown(number: str, name: str) -> TaskRun:
    """The only task run of this flow's run, once Prefect has recorded that state."""

    async def read() -> TaskRun:
        own = FlowRunFilter(id=FlowRunFilterId(any_=[number]))  # type: ignore[list-item]
        for _ in range(300):
            async with get_client() as client:
                found = await client.read_task_runs(flow_run_filter=own)
            assert len(found) <= 1
            if found and found[0].state_name == name and found[0].state is not None:  # a row each
                return found[0]
            await asyncio.sleep(0.2)
        pytest.fail(f"no task run is {name}")

    return asyncio.run(read())


def of_tasks(events: Sequence[Event]) -> list[Event]:
    return [one for one in events if one.event.startswith("prefect.task-run.")]


def test_a_short_leg_is_one_event_and_shows_with_its_start_and_end(sent: list[Event]) -> None:
    number, place = run(VERIFIED)
    found = shown(number, "Completed")
    assert (found.name, found.run_count, {*found.tags}) == ("m-1/mail", 1, {"kogge", "wave:pilot"})
    assert found.start_time is not None
    assert found.end_time is not None
    assert found.total_run_time == found.end_time - found.start_time
    assert found.state is not None
    assert found.state.message == "verified"
    assert [one.event for one in of_tasks(sent)] == ["prefect.task-run.Completed"]
    assert (place.taken, place.held) == (1, 0)


def test_of_a_leg_with_nothing_new_nothing_is_told(sent: list[Event]) -> None:
    number, place = run(VERIFIED, is_as_before=True)
    assert (place.taken, place.held) == (1, 0)
    assert not of_tasks(sent)
    assert not [one for one in sent if one.event.startswith("kogge.")]
    assert number


def test_a_leg_with_nothing_new_that_shows_already_shows_its_end(sent: list[Event]) -> None:
    number, _place = run(WAITING, VERIFIED, is_as_before=True)
    assert shown(number, "Completed").run_count == 2
    assert not [one for one in sent if one.event.startswith("kogge.")]


def test_a_leg_that_takes_longer_shows_while_it_runs(
    sent: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leg_task, "SHORT_SECONDS", 0.01)
    seen: list[TaskRun] = []

    async def work() -> End:
        number = str(runtime.flow_run.get_id())
        seen.append(await asyncio.to_thread(shown, number, "Running"))
        return VERIFIED

    monkeypatch.setattr("test_leg_task.ended", lambda _ends: work)
    number, _place = run()
    assert (seen[0].state_type, seen[0].run_count, seen[0].end_time) == ("RUNNING", 1, None)
    found = shown(number, "Completed")
    assert (found.id, found.start_time) == (seen[0].id, seen[0].start_time)
    assert [one.event for one in of_tasks(sent)] == ["prefect.task-run.Running", "prefect.task-run.Completed"]


def test_what_waits_is_tried_again_without_a_place_and_says_so(sent: list[Event]) -> None:
    number, place = run(WAITING, WAITING, VERIFIED)
    assert shown(number, "Completed").run_count == 3
    assert (place.taken, place.held) == (3, 0)
    assert [one.event.rpartition(".")[2] for one in of_tasks(sent)] == [
        "AwaitingRetry",
        "AwaitingRetry",
        "Completed",
    ]


def test_what_waits_for_too_long_stays_waiting(sent: list[Event]) -> None:
    number, place = run(WAITING, WAITING, WAITING, VERIFIED)
    found = shown(number, "Waiting")
    assert (found.state_type, place.taken) == ("FAILED", 3)
    assert found.state is not None
    assert found.state.message == "busy"


@pytest.mark.parametrize("state", [state for state in LegState if state is not LegState.WAITING])
def test_nothing_else_is_tried_again(sent: list[Event], state: LegState) -> None:
    _number, place = run((state, "code"))
    assert place.taken == 1
    assert len(of_tasks(sent)) == 1


def test_a_defect_ends_its_leg_alone_and_its_text_is_told_to_nobody(sent: list[Event]) -> None:
    number, place = run(KeyError("ada@old.example"))
    found = shown(number, "Unfinished")
    assert found.state is not None
    assert found.state.message == INTERNAL
    assert place.held == 0
    assert "ada@old.example" not in json.dumps([one.model_dump(mode="json") for one in sent])


def test_a_leg_that_is_cut_off_has_crashed(sent: list[Event]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(KeyboardInterrupt())
    assert farewell()
    (told,) = of_tasks(sent)
    assert told.event == "prefect.task-run.Crashed"
    assert told.payload["validated_state"]["type"] == "CRASHED"


def test_an_event_is_related_to_its_flows_run_and_its_wave_alone(sent: list[Event]) -> None:
    """Prefect's server keeps a row for each resource, and looks at each automation with it."""
    number, _place = run((LegState.BLOCKED, "auth-refused"))
    roles = {one.event: [related.role for related in one.related] for one in sent}
    assert roles["prefect.task-run.Blocked"] == ["flow-run"]
    assert roles["kogge.mailbox.blocked"] == ["wave", "flow-run"]
    ids = {related.id for one in sent for related in one.related if related.role == "flow-run"}
    assert ids == {f"prefect.flow-run.{number}"}


def test_it_is_told_as_prefects_own_engine_tells_a_task(
    sent: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of Prefect that tells it otherwise fails here."""
    monkeypatch.setattr(leg_task, "SHORT_SECONDS", 0.01)

    @task(name="leg", retries=2, task_run_name="m-1/mail", persist_result=False)
    async def theirs() -> Any:
        return Failed(name="Blocked", message="auth-refused")

    @flow(name="batch")
    async def batch() -> None:
        await theirs.with_options(retries=0)(return_state=True)

    asyncio.run(batch())
    assert farewell()
    known = {one.event: one for one in of_tasks(sent)}
    sent.clear()

    async def slow() -> End:
        await asyncio.sleep(0.3)
        return LegState.BLOCKED, "auth-refused"

    monkeypatch.setattr("test_leg_task.ended", lambda _ends: slow)
    run()
    told = {one.event: one for one in of_tasks(sent)}
    assert {*told} == {*known} - {"prefect.task-run.Pending"}
    for name, ours in told.items():
        own = known[name]
        assert {*ours.resource.root} == {*own.resource.root}, name
        assert {*ours.payload} == {*own.payload}, name
        for part, needs in (("validated_state", {"data"}), ("task_run", {"task_inputs", "task_version"})):
            assert {*ours.payload[part]} <= {*own.payload[part]}, (name, part)
            missing = {*own.payload[part]} - {*ours.payload[part]} - needs
            assert missing <= {"labels", "estimated_run_time", "total_run_time"}, (name, part)
        assert ours.payload["intended"]["to"] == own.payload["intended"]["to"], name
        assert ours.resource["prefect.orchestration"] == own.resource["prefect.orchestration"]
    end = told["prefect.task-run.Blocked"].payload["task_run"]
    assert timedelta(seconds=end["total_run_time"]) > timedelta()


def test_a_leg_that_waits_is_not_tried_again_once_somebody_wants_to_stop(
    sent: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wish comes during a wait of an hour; there is no second end that the work could have."""
    monkeypatch.setattr(leg_task, "RETRY_SECONDS", (3600.0, 3600.0))
    monkeypatch.setattr(leg_task, "TICK_SECONDS", 0.05)
    asked = iter([False, False, False])
    number, _ = run((LegState.WAITING, "busy"), shut=lambda: next(asked, True))
    assert shown(number, "Waiting").run_count == 1
