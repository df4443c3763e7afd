"""A wave whose process ended before it began, or died, is begun again, once, unless somebody was faster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import Flow, flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import Event, Resource
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed, Failed, Pending, Running, Scheduled
from scripted import serving

from flows.batch_watch import could_not_begin
from flows.deploy.dead_runs import NO_HEARTBEAT, SILENT
from flows.deploy.deployments import TAG
from flows.deploy.unbegun_waves import PAUSE, SILENCE, TIMES_MOST, begin_again
from flows.deploy.work_pool import PROCESS, template

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EXITED = "Process exited with status code: 1"


@flow(name="wave")
def wave(name: str = "pilot") -> None: ...


@flow(name="batch")
def batch() -> None: ...


@pytest.fixture(scope="module", autouse=True)
def _server(prefect_state: Callable[[], Path]) -> Iterator[None]:
    with (
        serving(prefect_state()) as running,
        temporary_settings({PREFECT_API_URL: running.api}),
    ):
        yield


class Pool:
    """A work pool of one test, with a deployment of one flow."""

    def __init__(self, client: PrefectClient, name: str, deployment: UUID) -> None:
        self.client, self.name, self.deployment = client, name, deployment

    async def run(self, *states: State[Any]) -> FlowRun:
        run = await self.client.create_flow_run_from_deployment(
            self.deployment, parameters={"name": "w1"}, tags=[TAG, "wave:w1"]
        )
        for state in states:
            await self.client.set_flow_run_state(run.id, state, force=True)
        return run

    async def runs(self) -> list[FlowRun]:
        own = DeploymentFilter(id=DeploymentFilterId(any_=[self.deployment]))
        found = await self.client.read_flow_runs(deployment_filter=own)
        return sorted(found, key=lambda run: run.created or datetime.now(UTC))

    async def swept(self, silence: timedelta = SILENCE, pause: timedelta = PAUSE) -> int:
        return await begin_again(self.client, self.name, silence, pause)


def within(act: Callable[[Pool], Any], of: Flow[..., Any] = wave) -> Any:
    async def play() -> Any:
        name = f"pool-{uuid4().hex[:8]}"
        async with get_client() as client:
            await client.create_work_pool(
                WorkPoolCreate(name=name, type=PROCESS, base_job_template=template())
            )
            made = await client.create_deployment(
                flow_id=await client.create_flow(of),
                name=name,
                work_pool_name=name,
                entrypoint="flows.migrate.wave",
                tags=[TAG],
                enforce_parameter_schema=False,
            )
            return await act(Pool(client, name, made))

    return asyncio.run(play())


def test_it_is_begun_again_once_with_what_it_was_asked() -> None:
    async def act(pool: Pool) -> None:
        await pool.run(Pending(), Crashed(message=EXITED))
        assert [await pool.swept(), await pool.swept()] == [1, 0]
        _, again = await pool.runs()
        assert again.state is not None
        assert again.state.is_scheduled()
        assert again.parameters == {"name": "w1"}
        assert {TAG, "wave:w1"} <= {*again.tags}

    within(act)


@pytest.mark.parametrize(
    "states",
    [
        (Pending(), Running(), Crashed(message=SILENT)),
        (Pending(), Running(), Crashed(message=NO_HEARTBEAT)),
        (Pending(), Failed()),
        (Pending(),),
    ],
    ids=["was called dead a moment ago", "the same by an earlier version", "refused", "begins"],
)
def test_what_may_live_or_was_refused_is_left_alone(states: tuple[State[Any], ...]) -> None:
    async def act(pool: Pool) -> None:
        await pool.run(*states)
        assert await pool.swept() == 0

    within(act)


def test_a_wave_whose_process_was_seen_to_end_is_begun_again_at_once() -> None:
    """A node was drained: the process said itself that it ends."""

    async def act(pool: Pool) -> None:
        await pool.run(Pending(), Running(), Crashed(message="Execution was cancelled by the runtime"))
        assert [await pool.swept(), await pool.swept()] == [1, 0]

    within(act)


def test_a_wave_that_was_called_dead_in_its_midst_and_stays_silent_is_begun_again() -> None:
    async def act(pool: Pool) -> None:
        await pool.run(Pending(), Running(), Crashed(message=SILENT))
        assert [await pool.swept(timedelta(0)), await pool.swept(timedelta(0))] == [1, 0]

    within(act)


def test_a_wave_that_was_called_dead_and_is_heard_is_left_alone() -> None:
    async def act(pool: Pool) -> None:
        run = await pool.run(Pending(), Running(), Crashed(message=SILENT))
        resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}"}
        later = datetime.now(UTC) + timedelta(hours=1)
        beat = Event(event="prefect.flow-run.heartbeat", resource=Resource(resource), occurred=later)
        await pool.client.request("POST", "/events", json=[beat.model_dump(mode="json")])
        wanted = EventFilter(
            occurred=EventOccurredFilter(until=later + timedelta(hours=1)),
            event=EventNameFilter(name=[beat.event]),
            resource=EventResourceFilter(id=list(resource.values())),
        )
        while not (await pool.client.read_events(wanted, limit=1)).events:
            await asyncio.sleep(0.1)
        assert await pool.swept(timedelta(0)) == 0

    within(act)


def test_a_batch_is_its_waves_to_begin_again() -> None:
    async def act(pool: Pool) -> None:
        await pool.run(Pending(), Crashed(message=EXITED))
        assert await pool.swept() == 0
        (run,) = await pool.runs()
        assert could_not_begin(run), "its wave sees that of what Prefect says"

    within(act, batch)


def test_a_person_who_was_faster_is_not_doubled() -> None:
    async def act(pool: Pool) -> None:
        await pool.run(Pending(), Crashed(message=EXITED))
        await pool.run(Scheduled(), Pending(), Running())
        assert await pool.swept() == 0

    within(act)


def test_a_wave_that_never_begins_is_left_to_a_person() -> None:
    async def act(pool: Pool) -> None:
        await pool.run(Pending(), Crashed(message=EXITED))
        for number in range(TIMES_MOST):
            assert await pool.swept() == (number == 0), "only the first time it is begun at once"
            if number > 0:
                assert await pool.swept(pause=timedelta(0)) == 1
            run = (await pool.runs())[-1]
            await pool.client.set_flow_run_state(run.id, Pending(), force=True)
            await pool.client.set_flow_run_state(run.id, Crashed(message=EXITED), force=True)
        assert await pool.swept(pause=timedelta(0)) == 0

    within(act)
