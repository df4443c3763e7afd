"""A run is dead if its worker is gone or has no process of it, and nothing is heard of it while others are.
It is put back into its queue if it had not begun, and Crashed if it had; heard again, it is Running again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_client, task
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import LogCreate, WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Crashed, Pending, Running, Scheduled
from scripted import serving

from flows.deploy import dead_runs, prefect_server
from flows.deploy.dead_runs import (
    HEARD,
    LOOK_SECONDS,
    LOOKED,
    PUT_BACK,
    SILENT,
    DeadRuns,
    Settled,
    claim,
)
from flows.deploy.deployments import TAG
from flows.deploy.work_pool import PROCESS, template
from flows.deploy.worker import Worker

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LONG_AGO = timedelta(0)
NOBODY = Settled()


@task
def calling() -> None: ...


@flow(name="cutover")
def cutover() -> None: ...


@pytest.fixture(scope="module", autouse=True)
def _server(prefect_state: Callable[[], Path]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(prefect_server.TUNING, "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL", "0.1")
        with (
            serving(prefect_state()) as running,
            temporary_settings({PREFECT_API_URL: running.api}),
        ):
            yield


@pytest.fixture
def pool() -> str:
    """A work pool of this test's own."""
    name = f"pool-{uuid4().hex[:8]}"
    made = WorkPoolCreate(name=name, type=PROCESS, base_job_template=template())
    asked(lambda client: client.create_work_pool(made))
    return name


def asked(question: Callable[[PrefectClient], Any]) -> Any:
    async def ask() -> Any:
        async with get_client() as client:
            return await question(client)

    return asyncio.run(ask())


async def waiting(client: PrefectClient, pool: str, tags: tuple[str, ...] = (TAG,)) -> FlowRun:
    """A run of a deployment that somebody resumed, and that no worker has taken yet."""
    number = await client.create_deployment(
        flow_id=await client.create_flow(cutover),
        name=pool,
        work_pool_name=pool,
        entrypoint="flows.cutover.cutover",
        tags=list(tags),
    )
    run = await client.create_flow_run_from_deployment(number)
    resumed = Scheduled(name="Resuming", scheduled_time=datetime.now(UTC))
    await client.set_flow_run_state(run.id, resumed, force=True)
    return await client.read_flow_run(run.id)


async def take(client: PrefectClient, run: FlowRun, worker: str) -> None:
    await client.set_flow_run_state(run.id, Pending(message=claim(worker)))


async def begin(client: PrefectClient, run: FlowRun, worker: str) -> None:
    await take(client, run, worker)
    await client.set_flow_run_state(run.id, Running())


async def tell(client: PrefectClient, number: UUID) -> None:
    """A heartbeat by a clock that is ahead; returns when the server keeps it."""
    resource = {"prefect.resource.id": f"prefect.flow-run.{number}"}
    later = datetime.now(UTC) + timedelta(hours=1)
    beat = Event(event="prefect.flow-run.heartbeat", resource=resource, occurred=later)
    await client.request("POST", "/events", json=[beat.model_dump(mode="json")])
    wanted = EventFilter(
        occurred=EventOccurredFilter(until=later + timedelta(hours=1)),
        event=EventNameFilter(name=[beat.event]),
        resource=EventResourceFilter(id=[resource["prefect.resource.id"]]),
    )
    while not (await client.read_events(wanted, limit=1)).events:
        await asyncio.sleep(0.1)


async def put_back(client: PrefectClient, pool: str, patience: timedelta = LONG_AGO) -> int:
    return (await DeadRuns(pool, "looks", (), patience=patience).look(client)).put_back


async def crash_silent(client: PrefectClient, pool: str, patience: timedelta = LONG_AGO) -> int:
    return (await DeadRuns(pool, "looks", (), patience=patience).look(client)).crashed


class Clock(datetime):
    """The clock of whoever looks, which a test puts forward."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(Clock, "ahead", timedelta(0))
    monkeypatch.setattr(dead_runs, "datetime", Clock)
    return Clock


def a_day_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


async def looked(
    client: PrefectClient, dead: DeadRuns, *, is_kept: bool = True, seconds: float = LOOK_SECONDS
) -> Settled:
    """Look once; wait until the server keeps what the look sent, if it ever does; go on by so much."""
    settled = await dead.look(client)
    newest = [*dead._echoes][-1:]
    while is_kept and not await dead_runs._reported(client, newest, [LOOKED], a_day_ago()):
        await asyncio.sleep(0.1)
    Clock.ahead += timedelta(seconds=seconds)
    return settled


WITHIN = 6
"""Looks until a run is called dead: the first begins to listen."""


async def state_of(client: PrefectClient, number: UUID) -> tuple[str, str, str | None]:
    state = (await client.read_flow_run(number)).state
    assert state is not None
    return state.type.value, str(state.name), state.message


def test_a_run_of_a_dead_worker_waits_again_as_it_waited_before(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await take(client, run, "dead")
        assert await put_back(client, pool, LONG_AGO) == 1
        assert await state_of(client, run.id) == ("SCHEDULED", "Resuming", PUT_BACK)
        assert await put_back(client, pool, LONG_AGO) == 0
        await take(client, run, "another")
        assert (await state_of(client, run.id))[0] == "PENDING"

    asked(look)


def test_a_run_of_a_living_worker_and_one_taken_just_now_are_left_alone(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        await client.send_worker_heartbeat(pool, "alive", heartbeat_interval_seconds=30)
        slow, fresh = await waiting(client, pool), await waiting(client, pool)
        await take(client, slow, "alive")
        assert await put_back(client, pool, LONG_AGO) == 0
        await take(client, fresh, "dead")
        assert await put_back(client, pool, dead_runs.PATIENCE) == 0
        assert [(await state_of(client, one.id))[0] for one in (slow, fresh)] == ["PENDING"] * 2

    asked(look)


def test_what_a_worker_of_the_same_name_left_and_what_this_one_lost_is_dead_and_what_it_holds_is_not(
    pool: str,
) -> None:
    """The server says that a worker of this name is there: it is the one that looks."""

    async def look(client: PrefectClient) -> None:
        await client.send_worker_heartbeat(pool, "night", heartbeat_interval_seconds=30)
        waits, lost, holds = [await waiting(client, pool) for _ in range(3)]
        await take(client, waits, "night")
        for run in (lost, holds):
            await begin(client, run, "night")
        dead = DeadRuns(pool, "night", {holds.id}, patience=LONG_AGO)
        assert await dead.look(client) == Settled(put_back=1, crashed=1)
        found = [(await state_of(client, run.id))[0] for run in (waits, lost, holds)]
        assert found == ["SCHEDULED", "CRASHED", "RUNNING"]

    asked(look)


@pytest.mark.parametrize("tags", [("theirs",), (TAG,)], ids=["another's run", "an unknown worker's"])
def test_what_is_not_known_to_be_a_dead_worker_s_of_ours_is_left_alone(
    pool: str, tags: tuple[str, ...]
) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool, tags)
        message = None if TAG in tags else claim("dead")
        await client.set_flow_run_state(run.id, Pending(message=message))
        assert await put_back(client, pool, LONG_AGO) == 0

    asked(look)


def meanwhile(monkeypatch: pytest.MonkeyPatch, client: PrefectClient, state: State[Any]) -> None:
    """Whoever asks for the states of a run is too late: it gets another one just then."""
    read = client.read_flow_run_states

    async def slow(number: UUID) -> Any:
        await client.set_flow_run_state(number, state)
        return await read(number)

    monkeypatch.setattr(client, "read_flow_run_states", slow)


def test_what_began_meanwhile_is_not_begun_again(pool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await take(client, run, "dead")
        meanwhile(monkeypatch, client, Running())
        assert await put_back(client, pool, LONG_AGO) == 0
        assert (await state_of(client, run.id))[0] == "RUNNING"

    asked(look)


def test_a_run_that_died_with_its_worker_and_tells_nothing_is_crashed_once(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "dead")
        assert await crash_silent(client, pool, dead_runs.PATIENCE) == 0, "it has only just begun"
        assert await crash_silent(client, pool, LONG_AGO) == 1
        assert await state_of(client, run.id) == ("CRASHED", "Crashed", SILENT)
        assert await crash_silent(client, pool, LONG_AGO) == 0

    asked(look)


def test_a_silent_run_of_a_living_worker_is_left_alone(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        await client.send_worker_heartbeat(pool, "alive", heartbeat_interval_seconds=30)
        run = await waiting(client, pool)
        await begin(client, run, "alive")
        assert await crash_silent(client, pool, LONG_AGO) == 0
        assert (await state_of(client, run.id))[0] == "RUNNING"

    asked(look)


def test_a_run_that_tells_something_outlives_its_worker(pool: str) -> None:
    """Its worker is gone, and its process is not."""

    async def look(client: PrefectClient) -> None:
        telling, silent = await waiting(client, pool), await waiting(client, pool)
        for run in (telling, silent):
            await begin(client, run, "dead")
        await tell(client, telling.id)
        assert await crash_silent(client, pool, LONG_AGO) == 1
        assert [(await state_of(client, one.id))[0] for one in (telling, silent)] == ["RUNNING", "CRASHED"]

    asked(look)


@pytest.mark.parametrize("tags", [("theirs",), (TAG,)], ids=["another's run", "an unknown worker's"])
def test_a_silent_run_that_is_not_known_to_be_a_dead_worker_s_of_ours_is_left_alone(
    pool: str, tags: tuple[str, ...]
) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool, tags)
        await client.set_flow_run_state(run.id, Pending(message=None if TAG in tags else claim("dead")))
        await client.set_flow_run_state(run.id, Running())
        assert await crash_silent(client, pool, LONG_AGO) == 0

    asked(look)


def test_a_run_that_ends_while_it_is_judged_keeps_its_end(pool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "dead")
        meanwhile(monkeypatch, client, Completed())
        assert await crash_silent(client, pool, LONG_AGO) == 0
        assert (await state_of(client, run.id))[0] == "COMPLETED"

    asked(look)


class Away(Exception):
    """The API does not answer."""


async def failed(client: PrefectClient, dead: DeadRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look once while nothing answers."""

    async def fails(*_: Any, **__: Any) -> None:
        raise Away

    with monkeypatch.context() as patch:
        patch.setattr(client, "request", fails)
        with pytest.raises(Away):
            await dead.look(client)


def test_silence_counts_only_after_others_were_heard_for_as_long(pool: str, clock: type[Clock]) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "dead")
        clock.ahead += timedelta(minutes=5)
        dead = DeadRuns(pool, "looks", ())
        assert [await looked(client, dead) for _ in range(WITHIN - 1)] == [NOBODY] * (WITHIN - 1)
        assert await looked(client, dead) == Settled(crashed=1)

    asked(look)


def test_a_run_whose_worker_is_gone_is_called_dead_after_about_a_minute(
    pool: str, clock: type[Clock]
) -> None:
    async def look(client: PrefectClient) -> None:
        dead = DeadRuns(pool, "looks", ())
        others = await waiting(client, pool)
        await client.send_worker_heartbeat(pool, "lives", heartbeat_interval_seconds=30)
        await begin(client, others, "lives")
        for _ in range(WITHIN):
            assert await looked(client, dead) == NOBODY
        run = await waiting(client, pool)
        await begin(client, run, "dies")
        died = Clock.now(UTC)
        while await looked(client, dead) == NOBODY:
            pass
        called = Clock.now(UTC) - timedelta(seconds=LOOK_SECONDS) - died
        assert called < timedelta(seconds=90)
        assert (await state_of(client, run.id))[0] == "CRASHED"

    asked(look)


def test_one_look_that_fails_is_no_gap_and_two_are(
    pool: str, clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "dead")
        clock.ahead += timedelta(minutes=5)
        once, twice = DeadRuns(pool, "looks", ()), DeadRuns(pool, "looks too", ())
        for _ in range(2):
            await looked(client, twice, seconds=0)
            await looked(client, once)
        await failed(client, once, monkeypatch)
        await failed(client, twice, monkeypatch)
        clock.ahead += timedelta(seconds=LOOK_SECONDS)
        await looked(client, once, seconds=0)
        await failed(client, twice, monkeypatch)
        clock.ahead += timedelta(seconds=LOOK_SECONDS)
        assert await looked(client, twice, seconds=0) == NOBODY
        clock.ahead += timedelta(seconds=LOOK_SECONDS)
        assert await looked(client, twice, seconds=0) == NOBODY
        assert await looked(client, once) == Settled(crashed=1)

    asked(look)


def test_nobody_is_dead_because_the_api_was_away(
    pool: str, clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No heartbeat could be written, neither of runs nor of workers. Then they need a while to be heard."""

    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "lives")
        dead = DeadRuns(pool, "looks", ())
        for _ in range(WITHIN):
            await client.send_worker_heartbeat(pool, "lives", heartbeat_interval_seconds=30)
            assert await looked(client, dead) == NOBODY

        await failed(client, dead, monkeypatch)
        clock.ahead += timedelta(minutes=10)
        monkeypatch.setattr(dead_runs, "_online", _nobody)
        assert [await looked(client, dead) for _ in range(WITHIN - 1)] == [NOBODY] * (WITHIN - 1)
        assert (await state_of(client, run.id))[0] == "RUNNING"

    asked(look)


async def _nobody(*_: Any) -> set[str]:
    """The workers that the server has heard of."""
    return set()


def test_nobody_is_dead_because_events_are_not_kept(
    pool: str, clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis or Prefect's services are away, and the API takes events all the same."""

    async def lost(*_: Any) -> str:
        return "kogge.look.lost"

    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "dead")
        clock.ahead += timedelta(minutes=5)
        monkeypatch.setattr(dead_runs, "_sent", lost)  # each time the same one, which the server never has
        dead = DeadRuns(pool, "looks", ())
        assert [await looked(client, dead, is_kept=False) for _ in range(12)] == [NOBODY] * 12

    asked(look)


def test_nobody_is_dead_because_this_machine_is_busy(pool: str, clock: type[Clock]) -> None:
    """Whoever looks so seldom does not know that events came in between."""

    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "dead")
        clock.ahead += timedelta(minutes=5)
        dead = DeadRuns(pool, "looks", ())
        assert [await looked(client, dead, seconds=60) for _ in range(6)] == [NOBODY] * 6

    asked(look)


def test_a_run_that_is_heard_after_it_was_called_dead_is_running_again(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        lives, died = await waiting(client, pool), await waiting(client, pool)
        for run in (lives, died):
            await begin(client, run, "dead")
        told: list[UUID] = []

        async def note(run: FlowRun) -> None:
            told.append(run.id)

        dead = DeadRuns(pool, "looks", (), note, patience=LONG_AGO)
        assert await dead.look(client) == Settled(crashed=2)
        assert {*told} == {lives.id, died.id}
        await tell(client, lives.id)
        assert await dead.look(client) == Settled(heard=1)
        assert await state_of(client, lives.id) == ("RUNNING", "Running", HEARD)
        assert (await state_of(client, died.id))[0] == "CRASHED"
        await client.set_flow_run_state(lives.id, Completed())
        assert (await state_of(client, lives.id))[0] == "COMPLETED"

    asked(look)


async def command(client: PrefectClient, *, is_beating: bool = True) -> FlowRun:
    """A run that a command began, as `kogge migrate` does."""
    run = await client.create_flow_run(cutover, tags=[TAG])
    await client.set_flow_run_state(run.id, Running())
    if is_beating:
        await tell(client, run.id)
    return await client.read_flow_run(run.id)


async def batch_of(client: PrefectClient, run: FlowRun) -> FlowRun:
    """A batch that runs in the process of a command."""
    calls = await client.create_task_run(calling, flow_run_id=run.id, dynamic_key="0", state=Running())
    batch = await client.create_flow_run(cutover, tags=[TAG], parent_task_run_id=calls.id)
    await client.set_flow_run_state(batch.id, Running())
    return batch


async def log(client: PrefectClient, number: UUID) -> None:
    """A line of a log, an hour after the heartbeat that `tell` sends."""
    later = datetime.now(UTC) + timedelta(hours=2)
    line = LogCreate(name="prefect.flow_runs", level=20, message="1 %", timestamp=later, flow_run_id=number)
    await client.create_logs([line])


def far_on(pool: str, died: Callable[[FlowRun], Any] | None = None) -> DeadRuns:
    """Whoever looks does so long after all that was told, and has listened for as long."""
    dead = DeadRuns(pool, "looks", (), died, patience=LONG_AGO, command_patience=timedelta(hours=2))
    dead._heard_since = datetime.now(UTC)
    dead._listens = lambda _reported, now: timedelta(hours=3)  # type: ignore[method-assign]
    Clock.ahead = timedelta(hours=4)
    return dead


def test_a_command_that_beat_and_tells_nothing_any_more_is_crashed_and_heard_again(
    pool: str, clock: type[Clock]
) -> None:
    async def look(client: PrefectClient) -> None:
        run, never = await command(client), await command(client, is_beating=False)
        batch = await batch_of(client, run)
        shown: list[UUID] = []

        async def note(run: FlowRun) -> None:
            shown.append(run.id)

        soon = DeadRuns(pool, "looks", (), note, patience=LONG_AGO)
        assert (await soon.look(client)).crashed == 0, "it has to be silent for longer"
        dead = far_on(pool, note)
        assert await dead.look(client) == Settled(crashed=1)
        assert await state_of(client, run.id) == ("CRASHED", "Crashed", dead_runs.SILENT_COMMAND)
        assert [(await state_of(client, one.id))[0] for one in (batch, never)] == ["CRASHED", "RUNNING"]
        assert shown == [run.id]
        clock.ahead = timedelta(0)
        await tell(client, run.id)
        assert (await DeadRuns(pool, "looks", (), patience=LONG_AGO).look(client)).heard == 1
        assert await state_of(client, run.id) == ("RUNNING", "Running", HEARD)
        await client.set_flow_run_state(run.id, Completed())
        await client.set_flow_run_state(never.id, Completed())

    asked(look)


@pytest.mark.usefixtures("clock")
def test_a_command_whose_log_goes_on_lives(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        run = await command(client)
        await log(client, run.id)
        dead = far_on(pool)
        dead._command_patience = timedelta(hours=2, minutes=30)
        assert (await dead.look(client)).crashed == 0
        Clock.ahead = timedelta(hours=5)
        assert (await dead.look(client)).crashed == 1

    asked(look)


@pytest.mark.usefixtures("clock")
def test_a_command_is_not_dead_before_others_were_heard_for_as_long(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        run = await command(client)
        dead = far_on(pool)
        dead._listens = lambda _reported, now: timedelta(hours=1)  # type: ignore[method-assign]
        assert (await dead.look(client)).crashed == 0
        await client.set_flow_run_state(run.id, Completed())

    asked(look)


def test_a_run_that_crashed_of_itself_is_not_corrected(pool: str) -> None:
    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        await begin(client, run, "dead")
        await client.set_flow_run_state(run.id, Crashed(message="exit 1"), force=True)
        await tell(client, run.id)
        assert await DeadRuns(pool, "looks", (), patience=LONG_AGO).look(client) == NOBODY

    asked(look)


def test_a_worker_says_which_runs_it_took(pool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def look(client: PrefectClient) -> None:
        run = await waiting(client, pool)
        async with Worker(work_pool_name=pool, name="night", create_pool_if_not_found=False) as worker:
            assert await worker._propose_pending_state(run)
            assert worker.held == {run.id}
            await worker._propose_submitting_state(run)
            assert await state_of(client, run.id) == ("PENDING", "Pending", claim("night"))
            assert not await worker._propose_pending_state(run)

    asked(look)
