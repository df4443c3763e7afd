"""A Prefect worker that runs nothing but Kogge's own flows.

Prefect's own process worker does what Prefect's server says: the work pool, the deployment and the run may
each name a command, an environment, a directory, and steps to take before. Who may write to Prefect's API
would have the account of the worker that way. This one takes only three things from there: which run, which
of our flows, and the parameters, which the flow checks. The process of a run is ours, too (run_engine).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from uuid import UUID, uuid4

import anyio
import anyio.abc
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort
from prefect.states import Pending
from prefect.utilities.engine import propose_state
from prefect.utilities.processutils import command_to_string
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from engine.control.environment import SAFE_PATH
from engine.control.json_log import PREFECT_ENVIRONMENT
from flows.deploy import brakes
from flows.deploy.api import Api
from flows.deploy.crashed_run import crash_message, show_crashed
from flows.deploy.dead_runs import LOOK_SECONDS, WORKER_HEARTBEAT_SECONDS, DeadRuns, Settled, claim
from flows.deploy.deployments import BRAKES, CUTOVER, ENVIRONMENT
from flows.deploy.own_flows import flow_of, own_entrypoint
from flows.deploy.run_engine import command
from flows.deploy.server_login import CLIENT_AUTH_STRING
from flows.deploy.unbegun_waves import begin_again
from flows.process.background_task import PASSING, draw, standing, tried
from flows.process.prefect_insides import run_in_process
from flows.process.refused_loads import refuse_loads, refuse_unpickling
from model.plural import many

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse, WorkerFlowRunResponse

CutoverDied: TypeAlias = Callable[[PrefectClient, Mapping[str, Any]], Awaitable[None]]
"""Takes the parameters of a run."""
BRAKE_PLACES = 2
"""Places of a worker beside its limit, for what stops a wave or lets it go on: it must not wait until a batch
has ended."""


class RunJob(ProcessJobConfiguration):
    """Hold what a run is given; `entrypoint` is that of its flow, None until it is prepared."""

    entrypoint: str | None = None

    @classmethod
    async def from_template_and_values(cls, *_given: Any, **_named: Any) -> Self:
        """Take nothing from the work pool, the deployment and the run.

        In their templates `{{ $NAME }}` is a variable of this process's environment, and Prefect's server
        stores what a wrong value was.
        """
        return cls()

    def prepare_for_flow_run(
        self, flow_run: FlowRun, deployment: DeploymentResponse | None = None, *more: Any, **others: Any
    ) -> None:
        """Set how the run is started, whatever Prefect's server says of it.

        Raises:
            Misconfigured: it is no flow of ours.
        """
        self.entrypoint = own_entrypoint(None if deployment is None else deployment.entrypoint)
        self.command = command_to_string(command(self.entrypoint))
        self.env = {}
        self.working_dir = None
        super().prepare_for_flow_run(flow_run, deployment, *more, **others)
        self.env |= own()


class Worker(ProcessWorker):
    """Take runs of Kogge's own flows; see the module.

    Its work pool has the type "process", and a worker of Prefect's own could take from it: start none.
    """

    job_configuration = RunJob
    cutover_died: CutoverDied | None = None
    """Hears of a cutover whose process died before it could show its end."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.held: set[UUID] = set()
        """The runs of which this worker has a process, or begins one."""

    @classmethod
    def __dispatch_key__(cls) -> str | None:
        return "kogge"  # what Prefect calls "process" stays Prefect's own

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        places = None if self._limiter is None else int(self._limiter.available_tokens)
        return await super()._submit_scheduled_flow_runs(admitted(flow_run_response, places))

    async def take_brakes(self) -> None:
        """Take the runs that wait for a brake, without waiting for the next look into the queues."""
        if self._has_successfully_synced:
            found = await brakes.waiting(self.client, self._work_pool_name)
            await super()._submit_scheduled_flow_runs(found)

    async def _propose_pending_state(self, flow_run: FlowRun) -> bool:
        """Take a run, and note who did; see dead_runs."""
        logger = self.get_flow_run_logger(flow_run)
        try:
            taken: State[Any] = Pending(message=claim(self.name))
            state = await propose_state(self.client, taken, flow_run_id=flow_run.id)
        except Abort as abort:
            logger.info("another worker has run %s, or it may not begin: %s", flow_run.id, abort)
            return False
        except PASSING as error:
            logger.warning("run %s could not be taken: %s", flow_run.id, type(error).__name__)
            return False
        if state.is_pending():
            self.held.add(flow_run.id)
        return state.is_pending()

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Do nothing, because it would replace the state that names who has the run."""

    async def _propose_crashed_state(
        self, flow_run: FlowRun, message: str, client: PrefectClient | None = None
    ) -> None:
        """Say in our words that a run crashed."""
        await super()._propose_crashed_state(flow_run, crash_message(message, flow_run), client)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run it in a process of its own, in an empty directory; a brake in this process, in a thread.

        It does what Prefect's worker does, but never loads a flow the way a deployment says.

        Raises:
            Misconfigured: the flow is not ours.
        """
        flow = flow_of(configuration.entrypoint if isinstance(configuration, RunJob) else None)
        status: Any = anyio.TASK_STATUS_IGNORED if task_status is None else task_status
        try:
            if flow.name in BRAKES:
                status.started(brakes.HERE)
                ended_with = await brakes.run_here(flow, flow_run.id)
                return ProcessWorkerResult(status_code=ended_with, identifier=brakes.HERE)
            command, env = configuration.command, configuration.env
            ended = await run_in_process(
                flow_run, command, env, flow, status, lambda message: crash_message(message, flow_run)
            )
        finally:
            self.held.discard(flow_run.id)
        await tried("the last word of a run", functools.partial(_last_word, self.client, flow_run))
        number, code = ended or (0, None)
        if code != 0:
            await self.died(flow_run)
        if code is None:
            raise RuntimeError("the run's process did not start")
        return ProcessWorkerResult(status_code=code, identifier=str(number))

    async def died(self, flow_run: FlowRun) -> None:
        """Show that a run crashed, and how a cutover ended whose process died."""
        await draw("the page of a crashed run", functools.partial(show_crashed, self.client, flow_run.id))

        async def show() -> None:
            flow = await self.client.read_flow(flow_run.flow_id)
            if flow.name == CUTOVER.name and self.cutover_died is not None:
                await self.cutover_died(self.client, flow_run.parameters.get("parameters", {}))

        await draw("the page of a cutover", show)


def admitted(waiting: list[WorkerFlowRunResponse], places: int | None) -> list[WorkerFlowRunResponse]:
    """Return the waiting runs that may begin: what brakes a wave first, then others.

    Args:
        waiting: the runs.
        places: free ones; of these BRAKE_PLACES are reserved for brakes. None: there is no limit.
    """
    brakes = [one for one in waiting if BRAKES & {*one.flow_run.tags}]
    others = [one for one in waiting if not BRAKES & {*one.flow_run.tags}]
    free = len(others) if places is None else max(0, places - BRAKE_PLACES)
    return brakes + others[:free]


async def _last_word(client: PrefectClient, flow_run: FlowRun) -> None:
    """Set the last state of a cancelled run once more: Prefect's says nothing of how far the run came."""
    states = sorted(await client.read_flow_run_states(flow_run.id), key=lambda one: one.timestamp)
    if len(states) < 2:
        return
    word, last = states[-2:]
    if last.name != "Cancelled" or not (last.is_cancelled() and word.is_cancelled()):
        return
    said = word.model_copy(update={"id": uuid4(), "timestamp": datetime.now(UTC)})
    current = (await client.read_flow_run(flow_run.id)).state
    if current is None or current.id != last.id:
        return  # it was resumed or started again since
    await client.set_flow_run_state(flow_run.id, said, force=True)


def own() -> Mapping[str, str]:
    """Return the environment of a run, in addition to the worker's own."""
    return {**ENVIRONMENT, **SAFE_PATH}


def environment(api: Api, configurations: str, *, as_json: bool = False) -> None:
    """Make this process, and the runs that it starts, use this API and offer these configurations.

    Args:
        api: the API.
        configurations: their files.
        as_json: they log JSON from their first line on.
    """
    os.environ |= PREFECT_ENVIRONMENT if as_json else {}
    os.environ |= {**ENVIRONMENT, "PREFECT_API_URL": api.url, "KOGGE_CONFIGS": configurations}
    os.environ |= {CLIENT_AUTH_STRING: api.login} if api.login else {}


async def work(
    pool: str,
    queues: list[str],
    limit: int | None,
    name: str | None,
    healthcheck: bool,
    say: Callable[[str], None],
    cutover_died: CutoverDied,
) -> None:
    """Take runs until interrupted.

    Args:
        pool: the work pool.
        queues: those to take from.
        limit: runs at the same time; None for no limit.
        name: the worker's; None for one that Prefect makes.
        healthcheck: answer on a port for health checks.
        say: prints a line.
        cutover_died: see Worker.
    """
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
    from prefect.utilities.processutils import setup_signal_handlers_worker

    refuse_loads()
    refuse_unpickling()
    setup_signal_handlers_worker(os.getpid(), "the worker", say)
    updates = {PREFECT_API_URL: os.environ["PREFECT_API_URL"]}
    if login := os.environ.get(CLIENT_AUTH_STRING):
        updates[PREFECT_API_AUTH_STRING] = login
    with temporary_settings(updates):
        worker = Worker(
            work_pool_name=pool,
            work_queues=queues,
            limit=None if limit is None else limit + BRAKE_PLACES,
            name=name,
            create_pool_if_not_found=False,
            heartbeat_interval_seconds=WORKER_HEARTBEAT_SECONDS,
        )
        worker.cutover_died = cutover_died
        dead = DeadRuns(pool, worker.name, worker.held, worker.died)

        async def look() -> None:
            """Settle what died, and begin waves again."""
            async with get_client() as client:
                settled = await dead.look(client)
                again = await begin_again(client, pool)
            for line in _changes(settled, again):
                say(line)

        brakes.load()
        async with (
            standing("runs of dead workers", look, LOOK_SECONDS),
            standing("the brakes", worker.take_brakes, brakes.LOOK_SECONDS),
        ):
            await worker.start(with_healthcheck=healthcheck, printer=say)


def _changes(settled: Settled, again: int) -> Iterator[str]:
    """Yield what a look changed."""
    if settled.put_back:
        yield f"put {many(settled.put_back, 'run', 'runs')} back whose worker had died"
    if settled.crashed:
        yield f"marked {many(settled.crashed, 'run', 'runs')} as crashed whose worker or command had died"
    if settled.heard:
        yield f"heard {many(settled.heard, 'run', 'runs')} again that had been taken for dead"
    if again:
        yield f"began {many(again, 'wave', 'waves')} again whose start had failed, or that had died"
