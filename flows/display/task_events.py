"""A task run of Prefect, told by events as the engine of its client tells one: the server makes it of them.

That engine names flow, deployment, queue, pool and tags as resources of each event, and tells first that a
run is to come. Each resource is a row of Prefect's database. Here an event names its flow's run alone.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from logging import LoggerAdapter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.logging.loggers import task_run_logger

from engine.control.error_log import spare
from flows.display.prefect_events import emit, run_of

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun


class ReportedTaskRun:
    """Report a task run of the current flow run. It shows once its first state is sent.

    Args:
        task: the name of the task.
        name: the name of its run.
        tags: its tags.
        retries: how often it may be tried again.
    """

    def __init__(self, task: str, name: str, tags: Collection[str], retries: int = 0) -> None:
        self._number = uuid4()
        self._task = task
        self._flow_run = _own_flow_run()
        self._said: dict[str, Any] = {
            "name": name,
            "task_key": task,
            "dynamic_key": str(self._number),
            "tags": sorted(tags),
            "empirical_policy": {"retries": retries},
            "run_count": 0,
            "flow_run_run_count": self._flow_run.run_count,
        }
        self._state: State[Any] | None = None
        self._is_told = False
        self._waiting: Callable[[], State[Any]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ran = timedelta()

    def tell(self, state: State[Any]) -> None:
        """Tell Prefect that the run has this state now."""
        with spare("a task run"):
            self._count_what_waits()
            self._tell(state)

    def tell_later(self, state: Callable[..., State[Any]], after: float) -> None:
        """Tell Prefect after so many seconds that the run has this state since now.

        Args:
            state: makes it. If another state is told before, this one is never sent, but counts.
            after: seconds.
        """
        with spare("a task run"):
            self._count_what_waits()
            self._waiting = functools.partial(state, timestamp=datetime.now(UTC))
            self._timer = asyncio.get_running_loop().call_later(after, self._tell_what_waits)

    def drop(self) -> bool:
        """Leave the run unknown to Prefect. Return False if it was told of it already."""
        if self._is_told:
            return False
        self._forget()
        return True

    def _forget(self) -> Callable[[], State[Any]] | None:
        """Return what made the state that waits to be sent, if one does; it is never sent."""
        waiting, self._waiting = self._waiting, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return waiting

    def _count_what_waits(self) -> None:
        if (waiting := self._forget()) is not None:
            self._state = self._counted(waiting())

    def _tell_what_waits(self) -> None:
        with spare("a task run"):
            if (waiting := self._forget()) is not None:
                self._tell(waiting())

    def _tell(self, state: State[Any]) -> None:
        self._is_told = True
        payload = self._payload(self._counted(state))
        self._state = state
        self._send(state, payload)

    def _send(self, state: State[Any], payload: Mapping[str, Any]) -> None:
        name, said = f"{state.name}", payload["task_run"]
        resource = {
            "prefect.resource.id": f"prefect.task-run.{self._number}",
            "prefect.resource.name": said["name"],
            "prefect.run-count": str(said["run_count"]),
            "prefect.state-message": state.message or "",
            "prefect.state-name": name,
            "prefect.state-timestamp": state.timestamp.isoformat(),
            "prefect.state-type": state.type.value,
            "prefect.orchestration": "client",
        }
        event = f"prefect.task-run.{name}"
        emit(event, resource, run_of(self._flow_run), payload, occurred=state.timestamp, id=state.id)

    def logger(self) -> LoggerAdapter[Any]:
        """Return the logger of the run: its lines are on its page, and on that of its flow's run."""
        said = {name: self._said[name] for name in ("name", "task_key", "dynamic_key")}
        run = TaskRun(id=self._number, flow_run_id=self._flow_run.id, **said)
        return task_run_logger(run, task_name=self._task)

    def _counted(self, state: State[Any]) -> State[Any]:
        """Note what a state means for the run's times and its count of tries."""
        at: datetime = state.timestamp
        last = self._state
        if last is not None and last.is_running():
            self._ran += at - last.timestamp
            self._said["total_run_time"] = self._ran.total_seconds()
        if state.is_running():
            self._said["run_count"] += 1
            self._said.setdefault("start_time", at.isoformat())
        if state.is_final():
            self._said["end_time"] = at.isoformat()
        self._said.setdefault("expected_start_time", at.isoformat())
        return state

    def _payload(self, state: State[Any]) -> dict[str, Any]:
        last = self._state
        details: dict[str, Any] = {}
        if state.state_details.scheduled_time is not None:
            details["scheduled_time"] = state.state_details.scheduled_time.isoformat()
        told = {"type": state.type.value, "name": state.name, "message": state.message}
        return {
            "intended": {"from": None if last is None else last.type.value, "to": state.type.value},
            "initial_state": None if last is None else {"type": last.type.value, "name": last.name},
            "validated_state": {**told, "state_details": details},
            "task_run": {**self._said},
        }


def _own_flow_run() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("a task run belongs to the run of a flow")
    return context.flow_run
