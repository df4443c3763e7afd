"""Tell which runs are dead, and settle them: one rule for every run that a worker took.

A run is dead if the worker that took it is gone, or has no process of it any more, *and* nothing was heard of
the run for PATIENCE. Silence counts only while others were heard: whoever looks sends an event of its own
each time, and finds it again at a later look. While Prefect's API, its database, Redis or its services are
away, or the machine is so busy that looks or events come late, nobody is called dead. Nor is anybody while no
worker lives, as nobody looks.

A command's run (`kogge migrate` without a worker) has no worker that could be gone. It is dead if it sent
heartbeats once, and nothing was heard of it for COMMAND_PATIENCE: no event and no line of its log, which come
by two ways. With it die the batches that ran in its process.

A dead run that had not begun goes back into its queue; one that had begun is Crashed. A run that was called
dead and is heard again is Running again.

Every worker looks. The janitor settles only the task runs of runs that have ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    LogFilter,
    LogFilterFlowRunId,
    LogFilterTimestamp,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
    WorkerFilter,
    WorkerFilterStatus,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType, WorkerStatus
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed, Running, Scheduled

from flows.deploy.deployments import HEARTBEAT_SECONDS, TAG

HEARTBEAT = timedelta(seconds=HEARTBEAT_SECONDS)
PATIENCE = timedelta(seconds=70)
"""Two heartbeats of a run, and time for the second to arrive."""
COMMAND_PATIENCE = timedelta(minutes=10)
"""Twenty heartbeats: the machine of a command may sleep, and nobody else can say that it lives."""
WORKER_HEARTBEAT_SECONDS = 15
"""Prefect's server takes a worker for gone after three of them."""
LOOK_SECONDS = 15.0
"""One look may fail: two of them are less than PATIENCE without a heartbeat."""
CORRECTED = timedelta(hours=12)
"""For so long a run that was called dead is listened to."""
CLOCKS = timedelta(days=1)
"""By how much the clock of the machine that tells may be ahead."""
UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
BEGUN = frozenset({StateType.RUNNING, StateType.CANCELLING})
PAGE = 200
"""Runs that one question to Prefect returns at most."""
TAKEN = "taken by worker "
PUT_BACK = "its worker died before it began; it waits for another worker"
SILENT = "its worker has died, and it tells nothing"
SILENT_COMMAND = "the process of its command has died, and it tells nothing"
NO_HEARTBEAT = "no heartbeat; its process has died"
"""Said an automation of earlier versions, of runs that lived, too; see automations.RETIRED."""
DOUBTED = frozenset({SILENT, SILENT_COMMAND, NO_HEARTBEAT})
"""What is said of a run whose process nobody saw end: it may be heard again."""
HEARD = "it was taken for dead, and was heard again"
LOOKED = "kogge.worker.looked"
BEAT = "prefect.flow-run.heartbeat"

Died: TypeAlias = Callable[[FlowRun], Awaitable[None]]


def claim(worker: str) -> str:
    """Return the message of the state by which a worker takes a run."""
    return f"{TAKEN}{worker}"


@dataclass(frozen=True, slots=True)
class Settled:
    """Count the runs that a look settled."""

    put_back: int = 0
    crashed: int = 0
    heard: int = 0


class DeadRuns:
    """Look for dead runs, for one worker that lives.

    Args:
        pool: the work pool.
        worker: who looks.
        held: the runs of which this worker has a process, or begins one.
        died: hears of each run that is Crashed.
        patience: see PATIENCE.
        command_patience: see COMMAND_PATIENCE.
    """

    def __init__(
        self,
        pool: str,
        worker: str,
        held: Collection[UUID],
        died: Died | None = None,
        patience: timedelta = PATIENCE,
        command_patience: timedelta = COMMAND_PATIENCE,
    ) -> None:
        self._pool = pool
        self._worker = worker
        self._held = held
        self._died = died
        self._patience = patience
        self._command_patience = command_patience
        self._echoes: dict[str, datetime] = {}
        self._heard_since: datetime | None = None
        self._corrected: datetime | None = None

    async def look(self, client: PrefectClient) -> Settled:
        """Settle what is dead, and correct what was called dead and is heard."""
        now = datetime.now(UTC)
        heard = await self._correct(client, now)
        ours = await _ours(client, FlowRunFilterStateType(any_=UNFINISHED))
        taken = [run for run in ours if run.work_pool_name == self._pool]
        commands = [run for run in ours if _is_of_command(run)]
        if not taken and not commands:
            return Settled(heard=heard)
        old = {_name(run): run for run in taken if _since(run) < now - self._patience}
        asked = [*old, *self._echoes]
        reported = await _reported(client, asked, ["prefect.flow-run.", LOOKED], now - self._patience)
        listens = self._listens(reported, now)
        self._echoes[await _sent(client, self._worker, now)] = now
        silent = [run for name, run in old.items() if name not in reported]
        put_back, crashed = await self._settle(client, silent) if listens >= self._patience else (0, 0)
        if listens >= self._command_patience:
            crashed += await self._settle_commands(client, commands, now - self._command_patience)
        return Settled(put_back, crashed, heard)

    def _listens(self, reported: Set[str], now: datetime) -> timedelta:
        """Return for how long whatever was sent has been heard, less than a heartbeat late.

        A run that sends its heartbeats was heard in this time, then. A look that fails is no gap; two are.
        """
        late = self._patience - HEARTBEAT
        self._echoes = {echo: sent for echo, sent in self._echoes.items() if now - sent <= late}
        if self._heard_since is None or not reported & self._echoes.keys():
            self._heard_since = now
        return now - self._heard_since

    async def _settle(self, client: PrefectClient, silent: Iterable[FlowRun]) -> tuple[int, int]:
        put_back = crashed = 0
        alive = await _online(client, self._pool)
        for run in silent:
            states = sorted(await client.read_flow_run_states(run.id), key=lambda one: one.timestamp)
            taken = next((one for one in reversed(states) if one.is_pending()), None)
            if taken is None or not self._is_gone(run, taken, alive):
                continue
            if run.state_type is StateType.PENDING:
                put_back += await _changed(client, run, _as_before(states))
            elif await _changed(client, run, Crashed(message=SILENT)):
                crashed += 1
                if self._died is not None:
                    await self._died(run)
        return put_back, crashed

    async def _settle_commands(
        self, client: PrefectClient, commands: Iterable[FlowRun], since: datetime
    ) -> int:
        """Let runs of commands be Crashed of which nothing was heard since then, and a heartbeat before."""
        old = {_name(run): run for run in commands if _since(run) < since}
        reported = await _reported(client, [*old], ["prefect.flow-run."], since)
        silent = {name: run for name, run in old.items() if name not in reported}
        began = min((run.start_time or _since(run) for run in silent.values()), default=since)
        beaten = await _reported(client, [*silent], [BEAT], began)
        crashed = 0
        for run in (one for name, one in silent.items() if name in beaten):
            within = await runs_within(client, run.id)
            if await _is_logging(client, [run, *within], since):
                continue
            if await _changed(client, run, Crashed(message=SILENT_COMMAND)):
                crashed += 1
                for one in (one for one in within if one.state_type in UNFINISHED):
                    await _changed(client, one, Crashed(message=SILENT_COMMAND))
                if self._died is not None:
                    await self._died(run)
        return crashed

    def _is_gone(self, run: FlowRun, taken: State[Any], alive: Collection[str]) -> bool:
        """Return True if the worker that took a run is known, and is gone or has no process of it."""
        message = taken.message or ""
        if not message.startswith(TAKEN):
            return False
        name = message.removeprefix(TAKEN)
        return run.id not in self._held if name == self._worker else name not in alive

    async def _correct(self, client: PrefectClient, now: datetime) -> int:
        """Let runs be Running again whose heart beat after they were called dead; look once in PATIENCE."""
        if self._corrected is not None and now - self._corrected < self._patience:
            return 0
        crashed = FlowRunFilterStateType(any_=[StateType.CRASHED])
        ended = FlowRunFilterEndTime(after_=now - CORRECTED)
        wrong = 0
        for run in await _ours(client, crashed, ended):
            if run.deployment_id is not None and run.work_pool_name != self._pool:
                continue
            if run.state is None or run.state.message not in DOUBTED:
                continue
            if await _reported(client, [_name(run)], [BEAT], run.state.timestamp):
                wrong += await _changed(client, run, Running(message=HEARD))
        self._corrected = now
        return wrong


async def crash_task_runs(client: PrefectClient, since: timedelta) -> int:
    """Mark task runs of our runs as Crashed whose flow run ended longer ago than `since`.

    A Prefect server may have runs of others, and their flows may have the same names.

    Returns:
        How many task runs it were.
    """
    known: set[object] = set()
    of_ended = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES))),
        end_time=FlowRunFilterEndTime(before_=datetime.now(UTC) - since),
    )
    open_ones = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=UNFINISHED)))
    while True:
        page = await client.read_task_runs(flow_run_filter=of_ended, task_run_filter=open_ones, limit=PAGE)
        found = [run for run in page if run.id not in known]
        if not found:
            return len(known)
        for run in found:
            known.add(run.id)
            await client.set_task_run_state(run.id, Crashed(message="its run has ended"), force=True)


def _name(run: FlowRun) -> str:
    return f"prefect.flow-run.{run.id}"


def _since(run: FlowRun) -> datetime:
    return datetime.now(UTC) if run.state is None else run.state.timestamp


async def _ours(
    client: PrefectClient, types: FlowRunFilterStateType, ended: FlowRunFilterEndTime | None = None
) -> list[FlowRun]:
    """Return our runs, of any work pool or none, whose state has one of these types."""
    found: list[FlowRun] = []
    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]), state=FlowRunFilterState(type=types), end_time=ended
    )
    while page := await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    return found


async def runs_within(client: PrefectClient, run: UUID) -> Sequence[FlowRun]:
    """Return the runs that were part of one, in its process; what a worker runs for it is of a deployment."""
    parent = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    found: list[FlowRun] = []
    while page := await client.read_flow_runs(flow_run_filter=parent, limit=PAGE, offset=len(found)):
        found += page
    return [one for one in found if one.deployment_id is None]


def _is_of_command(run: FlowRun) -> bool:
    """Return True for a run that a command began, and that is no part of another run."""
    return run.deployment_id is None and run.parent_task_run_id is None and run.state_type in BEGUN


async def _is_logging(client: PrefectClient, runs: Sequence[FlowRun], since: datetime) -> bool:
    """Return True if a line of the log of one of these runs is known since then."""
    wanted = LogFilter(
        flow_run_id=LogFilterFlowRunId(any_=[run.id for run in runs]),
        timestamp=LogFilterTimestamp(after_=since),
    )
    return bool(await client.read_logs(wanted, limit=1))


async def _reported(
    client: PrefectClient, resources: Sequence[str], events: list[str], since: datetime
) -> set[str]:
    """Return those of the resources of which an event is known since then; it asks one question for all."""
    if not resources:
        return set()
    wanted = EventFilter(
        occurred=EventOccurredFilter(since=since, until=datetime.now(UTC) + CLOCKS),
        event=EventNameFilter(prefix=events),
        resource=EventResourceFilter(id=list(resources)),
    )
    counted = await client.request(
        "POST",
        "/events/count-by/{countable}",
        path_params={"countable": "resource"},
        json={"filter": wanted.model_dump(mode="json")},
    )
    return {one["value"] for one in counted.json()}


async def _sent(client: PrefectClient, worker: str, now: datetime) -> str:
    """Send an event, as runs send their heartbeats. Return the resource by which it is found again."""
    echo = f"kogge.look.{uuid4()}"
    resource = {"prefect.resource.id": echo, "prefect.resource.name": worker}
    looked = Event(event=LOOKED, resource=resource, occurred=now)
    await client.request("POST", "/events", json=[looked.model_dump(mode="json")])
    return echo


async def _online(client: PrefectClient, pool: str) -> set[str]:
    """Return the workers of the pool that the server heard of a short time ago, by its own clock.

    It asks for those that Prefect's services have not noticed yet to be gone, and reads what the API says.
    """
    known, found = WorkerFilter(status=WorkerFilterStatus(any_=["ONLINE"])), 0
    names: set[str] = set()
    while page := await client.read_workers_for_work_pool(pool, known, offset=found, limit=PAGE):
        found += len(page)
        names |= {one.name for one in page if one.status is WorkerStatus.ONLINE}
    return names


def _as_before(states: Sequence[State[Any]]) -> State[Any]:
    """Return the state in which a run waited before it was taken; one that was resumed learns that again."""
    waited = next((one for one in reversed(states) if one.is_scheduled()), None)
    now = datetime.now(UTC)
    state: State[Any] = Scheduled(scheduled_time=now) if waited is None else waited
    details = state.state_details.model_copy(update={"scheduled_time": now})
    said: Mapping[str, object] = {
        "id": uuid4(),
        "timestamp": now,
        "message": PUT_BACK,
        "state_details": details,
    }
    return state.model_copy(update=said)


async def _changed(client: PrefectClient, run: FlowRun, state: State[Any]) -> bool:
    """Give a run another state; False if it has changed since, by itself or by a faster one."""
    try:
        current = (await client.read_flow_run(run.id)).state
    except ObjectNotFound:
        return False
    if run.state is None or current is None or current.id != run.state.id:
        return False
    await client.set_flow_run_state(run.id, state, force=True)
    return True
