"""The run that this process works on, as Prefect has it: what somebody asks of it in the UI; its tags."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID, uuid4

from prefect import get_client, runtime
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import Pause
from prefect.states import Cancelled

from flows.deploy.deployments import TAG, wave_tag
from flows.process.background_task import draw, standing, tried
from flows.process.leg_runner import Shutdown

TICK_SECONDS = 1.0
ASK_SECONDS = 5.0
SUSPENDED = "suspended"
CANCELS = (StateType.CANCELLING, StateType.CANCELLED)


class OwnRun:
    """Watch what is asked of this run.

    Attributes:
        suspended: the state in which a person suspended it, else None.
        told_by_task: True if a task met it, so that Prefect may have the state under another id.
    """

    def __init__(self, drain: Shutdown) -> None:
        self._drain = drain
        self._id = UUID(runtime.flow_run.get_id())
        self._asked = 0.0
        self._resumed = False
        self.suspended: State[Any] | None = None
        self.told_by_task = False

    async def look(self) -> None:
        """Ask Prefect now and then whether to go on; keep SIGTERM ours."""
        self._drain.arm()
        if time.monotonic() < self._asked + ASK_SECONDS:
            return
        self._asked = time.monotonic()
        async with get_client() as client:
            run = await client.read_flow_run(self._id)
        paused = run.state_type is StateType.PAUSED
        self._resumed = self._resumed or (self.suspended is not None and not paused)
        if paused and not self._resumed:
            self.suspended = run.state
        if run.state_type is StateType.PAUSED or run.state_type in CANCELS:
            self._drain.event.set()

    async def leave(self, suspended: State[Any], message: str) -> NoReturn:
        """End this process, and leave the run suspended with a state that says how far it came.

        Resuming starts it from the top. If it was resumed already, while this process came to its end,
        another process is at work by now: its state and its batches stay as they are.
        """
        told = f"{SUSPENDED}; {message}; *Resume*, or a new run{_of_its_deployment()}, goes on from here"
        said = {"id": uuid4(), "timestamp": datetime.now(UTC), "message": told}
        state: State[Any] = suspended.model_copy(update=said)

        async def say() -> None:
            if await self._stays(suspended):
                await self._end_children()
            if await self._stays(suspended):
                async with get_client() as client:
                    await client.set_flow_run_state(self._id, state, force=True)

        await tried("suspended", say)
        raise Pause(state=state)

    async def _stays(self, suspended: State[Any]) -> bool:
        """Return True if the run is still in this very suspension."""
        if self._resumed:
            return False
        async with get_client() as client:
            state = (await client.read_flow_run(self._id)).state
        if state is None or not state.is_paused():
            return False
        return self.told_by_task or state.id == suspended.id

    async def _end_children(self) -> None:
        """End the run's batches that a suspension ended on the way.

        Prefect suspends this run alone, and would take its batches for dead.
        """
        own = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[self._id]))
        async with get_client() as client:
            for run in await client.read_flow_runs(flow_run_filter=own):
                in_here = run.deployment_id is None  # a worker ends its own
                if in_here and run.state is not None and not run.state.is_final():
                    ended: State[Any] = Cancelled(name="Stopped", message="its wave was suspended")
                    await client.set_flow_run_state(run.id, ended, force=True)


@asynccontextmanager
async def watched(drain: Shutdown, *, nested: bool = False) -> AsyncIterator[OwnRun]:
    """Watch during the block what is asked of this run in the UI.

    If it is cancelled or suspended, the legs at work stop at their next batch. It raises what the block does,
    but for a suspension that a task met first.

    Args:
        drain: the wish to stop.
        nested: it runs within another run that is watched, too; Prefect allows no suspension of it.
    """
    own = OwnRun(drain)
    if nested:
        async with standing("watching the batch", own.look, TICK_SECONDS, died=drain.event.set):
            yield own
        own.suspended = None
        return
    async with standing("watching the run", own.look, TICK_SECONDS, died=drain.event.set):
        try:
            yield own
        except Pause as pause:
            own.suspended, own.told_by_task = pause.state, True
            drain.event.set()


def stopped(state: State[Any]) -> State[Any]:
    """Return the end of a deployment's stopped run with what goes on; any other end as it is."""
    deployment = _of_its_deployment()
    if state.name != "Stopped" or not deployment:
        return state
    return state.model_copy(update={"message": f"{state.message}; a new run{deployment} goes on"})


def _of_its_deployment() -> str:
    """Return whose run this is; "" for a command's, which has no deployment."""
    name = runtime.deployment.get_name()
    return f' of the deployment "{name}"' if name else ""


async def mark(wave: str) -> None:
    """Tag this run with its wave, as its children are tagged, so that a search by the wave finds it."""

    async def add() -> None:
        number = UUID(runtime.flow_run.get_id())
        wanted = {TAG, wave_tag(wave)}
        async with get_client() as client:
            run = await client.read_flow_run(number)
            if not wanted <= {*run.tags}:
                await client.update_flow_run(number, tags=[*run.tags, *sorted(wanted - {*run.tags})])

    await draw("tags of the run", add)
