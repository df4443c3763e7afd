"""Waves whose start failed, and waves that died: nobody waits for a wave's own run.

The process of a run asks Prefect's API before it begins, and ends if the API does not answer. And a wave dies
with its process or its machine, for example when a node is drained. A batch that ends so is begun again by
its wave. Every worker and the janitor look for such runs of waves, and begin them again: the first time at
once, then after longer pauses. One whose process nobody saw end has to be silent for a while before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.states import Scheduled

from flows.deploy.dead_runs import BEAT, CLOCKS, DOUBTED, PAGE
from flows.deploy.deployments import TAG

FLOWS = ("wave", "verify")
LATELY = timedelta(hours=1)
"""What ended longer ago than this is left to a person."""
SILENCE = timedelta(minutes=2)
"""Four heartbeats."""
PAUSE = timedelta(minutes=1)
"""Before a wave is begun again, for each time in a row that it was begun again before."""
TIMES_MOST = 5
"""How often in a row a wave is begun again."""
AGAIN = "begun-again/"
"""How the idempotency key of such a run begins; the number of times in a row and the failed run follow."""


async def begin_again(
    client: PrefectClient, pool: str, silence: timedelta = SILENCE, pause: timedelta = PAUSE
) -> int:
    """Begin waves again whose newest run could not begin, or died. It is followed by one run at most.

    Args:
        client: talks to Prefect.
        pool: the work pool.
        silence: for so long nothing is heard of a run whose process nobody saw end.
        pause: see PAUSE.

    Returns:
        How many runs were begun.
    """
    begun = 0
    for run, deployment in await _crashed(client, pool):
        times = times_of(run)
        if (
            times < TIMES_MOST
            and _ended_before(run, datetime.now(UTC) - times * pause)
            and await _is_newest(client, run, deployment)
            and (_is_seen_to_have_ended(run) or await _is_silent(client, run, silence))
        ):
            await client.create_flow_run_from_deployment(
                deployment,
                parameters=run.parameters,
                state=Scheduled(),
                tags=run.tags,
                idempotency_key=f"{AGAIN}{times + 1}/{run.id}",
                work_queue_name=run.work_queue_name,
            )
            begun += 1
    return begun


def times_of(run: FlowRun) -> int:
    """Return how often in a row this wave was begun again up to this run."""
    key = run.idempotency_key or ""
    return int(key.removeprefix(AGAIN).partition("/")[0]) if key.startswith(AGAIN) else 0


async def _crashed(client: PrefectClient, pool: str) -> Sequence[tuple[FlowRun, UUID]]:
    found = await client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS))),
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=[TAG]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
            end_time=FlowRunFilterEndTime(after_=datetime.now(UTC) - LATELY),
        ),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        limit=PAGE,
    )
    return [(run, run.deployment_id) for run in found if run.deployment_id is not None]


def _ended_before(run: FlowRun, moment: datetime) -> bool:
    return run.end_time is not None and run.end_time <= moment


def _is_seen_to_have_ended(run: FlowRun) -> bool:
    """Return True if the process of a run said itself that it ends, or its worker saw the end."""
    return run.run_count == 0 or (run.state is not None and run.state.message not in DOUBTED)


async def _is_silent(client: PrefectClient, run: FlowRun, silence: timedelta) -> bool:
    """Return True if a run ended a while ago, and no heartbeat of it came since."""
    now = datetime.now(UTC)
    if not _ended_before(run, now - silence):
        return False
    heard = EventFilter(
        occurred=EventOccurredFilter(since=now - silence, until=now + CLOCKS),
        event=EventNameFilter(name=[BEAT]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
    )
    return not (await client.read_events(heard, limit=1)).events


async def _is_newest(client: PrefectClient, run: FlowRun, deployment: UUID) -> bool:
    """Return True if nobody began this deployment since: a person may have been faster."""
    newest = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        flow_run_filter=FlowRunFilter(
            expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC))
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=1,
    )
    return not newest or newest[0].id == run.id
