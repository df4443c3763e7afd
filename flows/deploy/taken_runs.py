"""Runs that a worker took and never began, because it died in between.

A worker claims a run by the state `Pending`, and then starts a process for it. A worker that dies between the
two leaves a run that no worker takes again: no process is there whose heartbeat could be missed. So the claim
names its worker, and every worker, and the janitor, put such runs back into their queue.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    WorkerFilter,
    WorkerFilterStatus,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from flows.deploy.deployments import TAG

PATIENCE = timedelta(minutes=3)
"""A run that was taken so lately is given the time to begin."""
LOOK_SECONDS = 60.0
PAGE = 200
TAKEN = "taken by worker "
PUT_BACK = "its worker died before it began; it waits for another worker"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Describe a worker that looks for such runs; what one of its name took before `since` is another's."""

    name: str
    since: datetime


def claim(worker: str) -> str:
    """Return the message of the state by which a worker takes a run."""
    return f"{TAKEN}{worker}"


async def put_back(
    client: PrefectClient, pool: str, patience: timedelta = PATIENCE, newcomer: Newcomer | None = None
) -> int:
    """Put runs of ours back that were taken longer ago than `patience` by a worker that is gone.

    Returns:
        How many runs it were.
    """
    old = await runs_since(client, pool, (StateType.PENDING,), datetime.now(UTC) - patience)
    if not old:
        return 0
    alive = await online(client, pool)
    lost = [run for run in old if run.state is not None and taker_is_gone(run.state, alive, newcomer)]
    return sum([await _put_back(client, run) for run in lost])


def taker_is_gone(state: State[object], alive: Collection[str], newcomer: Newcomer | None) -> bool:
    """Return True if the worker that took a run by this state is known, and known to be gone."""
    message = state.message or ""
    if not message.startswith(TAKEN):
        return False
    name = message.removeprefix(TAKEN)
    if newcomer is not None and name == newcomer.name:
        return state.timestamp < newcomer.since
    return name not in alive


async def runs_since(
    client: PrefectClient, pool: str, types: Sequence[StateType], before: datetime
) -> list[FlowRun]:
    """Return our runs of the pool that are in such a state since an earlier moment."""
    found: list[FlowRun] = []
    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types))),
    )
    own = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    while page := await client.read_flow_runs(
        flow_run_filter=wanted, work_pool_filter=own, limit=PAGE, offset=len(found)
    ):
        found += page
    return [run for run in found if run.state is not None and run.state.timestamp < before]


async def online(client: PrefectClient, pool: str) -> set[str]:
    """Return the workers of the pool that the server heard of a short time ago, by its own clock."""
    online, found = WorkerFilter(status=WorkerFilterStatus(any_=["ONLINE"])), 0
    names: set[str] = set()
    while page := await client.read_workers_for_work_pool(pool, online, offset=found, limit=PAGE):
        found += len(page)
        names |= {one.name for one in page}
    return names


async def _put_back(client: PrefectClient, run: FlowRun) -> bool:
    """Put a run back as it waited before; one that was resumed learns that once more."""
    states = sorted(await client.read_flow_run_states(run.id), key=lambda one: one.timestamp)
    waited = next((one for one in reversed(states) if one.is_scheduled()), None)
    now = datetime.now(UTC)
    state: State[object] = Scheduled(scheduled_time=now) if waited is None else waited
    details = state.state_details.model_copy(update={"scheduled_time": now})
    said = {"id": uuid4(), "timestamp": now, "message": PUT_BACK, "state_details": details}
    return await settle(client, run, state.model_copy(update=said))


async def settle(client: PrefectClient, run: FlowRun, state: State[object]) -> bool:
    """Give a run another state; False if it has changed since, by itself or by a faster one."""
    try:
        current = (await client.read_flow_run(run.id)).state
    except ObjectNotFound:
        return False
    if run.state is None or current is None or current.id != run.state.id:
        return False
    await client.set_flow_run_state(run.id, state, force=True)
    return True
