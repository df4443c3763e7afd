"""Run at once, in the worker's own process, what stops a wave, lets it go on or decides about it.

On a busy machine a new process takes most of a minute until it has loaded Prefect, and a worker asks its
queues only once in ten seconds. Somebody waits for these runs, and they only write a few rows.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.exceptions import Abort, Pause
from prefect.flows import Flow

from engine.control.error_log import spare
from flows.deploy.deployments import BRAKES, DEPLOYMENTS
from flows.deploy.own_flows import flow_of
from flows.process.prefect_insides import run_in_thread

LOOK_SECONDS = 3.0
HERE = "the worker's own process"
"""Stands where Prefect has the number of a process: no signal may go to the worker because of such a run."""


def load() -> None:
    """Load the flows, so that the first press need not wait for that."""
    for one in DEPLOYMENTS:
        if one.name in BRAKES:
            flow_of(one.entrypoint)


async def waiting(client: PrefectClient, pool: str) -> list[WorkerFlowRunResponse]:
    """Return the runs of this kind that wait for a worker, whichever queue they are in."""
    found = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(any_=sorted(BRAKES)),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
        ),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
    )
    return [
        WorkerFlowRunResponse(work_pool_id=one.work_pool_id, work_queue_id=one.work_queue_id, flow_run=one)
        for one in found
        if one.work_pool_id is not None and one.work_queue_id is not None
    ]


async def run_here(flow: Flow[..., Any], number: UUID) -> int:
    """Run one of our flows as this run of Prefect, in a thread.

    Returns:
        What its process would have ended with: 0 if Prefect knows how it ended.
    """
    return await _in_thread(functools.partial(_code_of, flow, number))


def _code_of(flow: Flow[..., Any], number: UUID) -> int:
    with spare(f"a run of {flow.name}"):
        with suppress(Abort, Pause):  # Prefect does not let it begin: somebody cancelled it
            run_in_thread(flow, number)
        return 0
    return 1


async def _in_thread(call: Callable[[], int]) -> int:
    """Return what a call returns. The worker may end without waiting for it."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def tell(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def work() -> None:
        code = call()
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, code)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="brake", daemon=True).start()
    return await ended
