"""Waves whose start failed: a worker took the run, and it ended before any of it ran.

The process of a run asks Prefect's API before it begins, and ends if the API does not answer. A batch that
ends so is begun again by its wave. Nobody waits for a wave's own run, so every worker and
the janitor look for such runs and begin them again.
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
from prefect.states import Scheduled

from flows.deploy.deployments import TAG

FLOWS = ("wave", "verify")
LATELY = timedelta(hours=1)
"""What failed to begin longer ago than this is left to a person."""
TIMES_MOST = 5
"""How often in a row a wave is begun again."""
AGAIN = "begun-again/"
"""How the idempotency key of such a run begins; the number of times in a row and the failed run follow."""
PAGE = 200


async def begin_again(client: PrefectClient, pool: str) -> int:
    """Begin waves again whose newest run could not begin. A failed run is followed by one run at most.

    Returns:
        How many runs were begun.
    """
    begun = 0
    for run, deployment in await _unbegun(client, pool):
        times = times_of(run)
        if times < TIMES_MOST and await _is_newest(client, run, deployment):
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


async def _unbegun(client: PrefectClient, pool: str) -> Sequence[tuple[FlowRun, UUID]]:
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
    return [(run, run.deployment_id) for run in found if run.deployment_id is not None and run.run_count == 0]


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
