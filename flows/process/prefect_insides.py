"""What Kogge uses of Prefect that Prefect promises to nobody: it is named here, and imported nowhere else.

Prefect may change any of it with a minor version. Before pyproject.toml takes a new one, look at each of
INSIDES in its source, run the tests that each names, then set REVIEWED. ADR 67 says why what Prefect offers
in public is not enough.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow

REVIEWED = "3.9"
"""The minor version of Prefect whose source was read for all of INSIDES."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Name a part of Prefect that is no promise of it.

    Attributes:
        module: where it is.
        name: of the class, function or method in it.
        takes: the parameters that we know of, in their order.
        user: our file that uses it, or has its own in its place.
        why: what it is for.
        test: tells if it changed its meaning.
    """

    module: str
    name: str
    takes: tuple[str, ...]
    user: str
    why: str
    test: str


HERE = "flows/process/prefect_insides.py"
WORKER = "flows/deploy/worker.py"
LOADS = "flows/process/refused_loads.py"
OF_WORKER = "tests/process/test_worker.py"
RUNNER = "prefect.runner"
INSIDES = (
    Inside(
        f"{RUNNER}._flow_run_executor",
        "FlowRunExecutorContext.create_executor",
        ("self", "flow_run", "starter", "resolve_flow", "propose_submitting", "hook_runner"),
        HERE,
        "starts the process of a run, hears cancellations, says how it ended; the flow is ours",
        OF_WORKER,
    ),
    Inside(
        f"{RUNNER}._flow_run_executor",
        "FlowRunExecutor.submit",
        ("self", "task_status"),
        HERE,
        "waits until the process of a run has ended",
        OF_WORKER,
    ),
    Inside(
        f"{RUNNER}._flow_run_executor",
        "FlowRunExecutionResult",
        ("handle", "status_code", "crash_unreported"),
        HERE,
        "how a process ended",
        OF_WORKER,
    ),
    Inside(
        f"{RUNNER}._state_proposer",
        "StateProposer.propose_crashed",
        ("self", "flow_run", "message"),
        HERE,
        "a crash is told in our words",
        OF_WORKER,
    ),
    Inside(
        "prefect.workers.base",
        "BaseWorker._propose_crashed_state",
        ("self", "flow_run", "message", "client"),
        WORKER,
        "a crash is told in our words",
        OF_WORKER,
    ),
    Inside(
        f"{RUNNER}._starter_engine",
        "EngineCommandStarter",
        (
            "tmp_dir",
            "storage",
            "entrypoint",
            "command",
            "cwd",
            "env",
            "deployment_name",
            "stream_output",
            "heartbeat_seconds",
            "control_channel",
            "isolate_process_group",
            "env_overrides_settings",
        ),
        HERE,
        "starts our command in place of Prefect's engine",
        OF_WORKER,
    ),
    Inside(
        "prefect.workers.base",
        "BaseWorker._submit_scheduled_flow_runs",
        ("self", "flow_run_response"),
        WORKER,
        "what brakes a wave begins although all places are taken",
        OF_WORKER,
    ),
    Inside(
        "prefect.workers.base",
        "BaseWorker._propose_pending_state",
        ("self", "flow_run"),
        WORKER,
        "the state of a run names the worker that took it",
        "tests/flows/process/test_dead_runs.py",
    ),
    Inside(
        "prefect.workers.base",
        "BaseWorker._propose_submitting_state",
        ("self", "flow_run"),
        WORKER,
        "it would replace that state",
        "tests/flows/process/test_dead_runs.py",
    ),
    Inside(
        "prefect.workers.process",
        "ProcessWorker.run",
        ("self", "flow_run", "configuration", "task_status"),
        WORKER,
        "loads no flow that a deployment names",
        OF_WORKER,
    ),
    Inside(
        "prefect.workers.process",
        "ProcessJobConfiguration.from_template_and_values",
        ("base_job_template", "values", "client"),
        WORKER,
        "takes nothing from a template",
        OF_WORKER,
    ),
    Inside(
        "prefect.workers.process",
        "ProcessJobConfiguration.prepare_for_flow_run",
        ("self", "flow_run", "deployment", "flow", "work_pool", "worker_name", "worker_id"),
        WORKER,
        "the command is ours",
        OF_WORKER,
    ),
    Inside(
        "prefect.utilities.processutils",
        "setup_signal_handlers_worker",
        ("pid", "process_name", "print_fn"),
        WORKER,
        "SIGTERM ends a worker as it ends Prefect's own",
        "tests/process/test_stopped.py",
    ),
    Inside(
        "prefect._internal.control_listener",
        "configure_from_env",
        (),
        HERE,
        "how a run hears from its worker that it was cancelled",
        "tests/process/test_suspended.py",
    ),
    Inside(
        "prefect.engine", "handle_engine_signals", ("flow_run_id",), HERE, "ends as Prefect's own", OF_WORKER
    ),
    Inside("prefect.flow_engine", "load_flow_run", ("flow_run_id",), HERE, "reads a run", OF_WORKER),
    Inside(
        "prefect.flow_engine",
        "run_flow",
        ("flow", "flow_run", "parameters", "wait_for", "return_type", "error_logger", "context"),
        HERE,
        "runs a flow that was not loaded by Prefect",
        OF_WORKER,
    ),
    Inside(
        "prefect.events.worker",
        "EventsWorker.drain_all",
        ("timeout", "at_exit"),
        HERE,
        "the end of a command waits some seconds for events, and not for ever",
        "tests/flows/display/test_events.py",
    ),
    Inside(
        "prefect.server.api.server",
        "create_app",
        ("settings", "ephemeral", "webserver_only", "final", "ignore_cache"),
        "flows/deploy/own_server.py",
        "the local server stands behind a guard",
        "tests/flows/deploy/test_server_guard.py",
    ),
    Inside(
        "prefect.results",
        "_read_server_default_result_storage_block_id",
        (),
        LOADS,
        "no result is stored where the server says; see also REFUSED there",
        "tests/process/test_poisoned.py",
    ),
    Inside(
        "prefect._internal.schemas.validators",
        "validate_picklelib",
        ("value",),
        LOADS,
        "a state that names a module imports none; so does validate_compressionlib",
        "tests/process/test_poisoned.py",
    ),
)
"""All of it. For the form of events of a task run, which is Prefect's own too, see display/task_events.py."""
OF_BASE_WORKER = ("_limiter", "_has_successfully_synced", "_work_pool_name")
"""What flows/deploy/worker.py reads of Prefect's worker beside."""


async def run_in_process(
    flow_run: FlowRun,
    command: str | None,
    environment: Mapping[str, str | None],
    flow: Flow[..., Any],
    status: anyio.abc.TaskStatus[int],
    crash_message: Callable[[str], str],
) -> tuple[int, int | None] | None:
    """Run a flow in a process of its own, in an empty directory, and tell Prefect if it crashed.

    Args:
        flow_run: the run.
        command: that runs it.
        environment: of the process, in addition to this one's.
        flow: for the hooks of it.
        status: gets the number of the process.
        crash_message: returns our words for Prefect's about a crash.

    Returns:
        The number of the process, and its exit code. None if the run was over before it began.
    """
    from prefect.runner._flow_run_executor import FlowRunExecutorContext
    from prefect.runner._starter_engine import EngineCommandStarter

    async def resolve(_run: FlowRun) -> Flow[..., Any]:
        return flow

    with tempfile.TemporaryDirectory(suffix="kogge") as directory:
        async with FlowRunExecutorContext() as context:
            proposer = context._state_proposer
            crashed = proposer.propose_crashed

            async def propose(run: FlowRun, message: str) -> State[Any] | None:
                return await crashed(run, crash_message(message))

            own: Any = proposer
            own.propose_crashed = propose
            starter = EngineCommandStarter(
                command=command,
                cwd=Path(directory).resolve(),
                env=dict(environment),
                stream_output=True,
                control_channel=context.control_channel,
            )
            executor = context.create_executor(
                flow_run, starter, resolve_flow=resolve, propose_submitting=False
            )
            return await _ended(executor, status)


async def _ended(executor: Any, status: anyio.abc.TaskStatus[int]) -> tuple[int, int | None] | None:
    import anyio

    ended: list[tuple[int, int | None]] = []

    async def execute(*, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        result = await executor.submit(task_status=task_status)  # a FlowRunExecutionResult
        if result is not None:
            ended.append((result.handle.pid, result.status_code))

    async with anyio.create_task_group() as group:
        handle = await group.start(execute)
        status.started(handle.pid)
    return ended[0] if ended else None


def run_as_process(flow: Flow[..., Any], number: UUID) -> None:
    """Run a flow as this run of Prefect, and end this process as Prefect's own engine would."""
    from prefect._internal.control_listener import configure_from_env
    from prefect.engine import handle_engine_signals

    configure_from_env()  # how the worker tells of a cancellation
    with handle_engine_signals(number):
        run_in_thread(flow, number)


def run_in_thread(flow: Flow[..., Any], number: UUID) -> None:
    """Run a flow as this run of Prefect, in this thread.

    Raises:
        Abort: Prefect does not let it begin, or go on.
        Pause: it was suspended.
    """
    from prefect.flow_engine import load_flow_run, run_flow
    from prefect.logging.loggers import flow_run_logger

    flow_run = load_flow_run(flow_run_id=number)
    begun = run_flow(
        flow,
        flow_run=flow_run,
        error_logger=flow_run_logger(flow_run=flow_run),  # type: ignore[arg-type]  # an adapter of it
        return_type="state",
    )
    asyncio.run(begun)  # type: ignore[arg-type]  # each of our flows is a coroutine


def send_or_drop_events(seconds: float) -> bool:
    """Send the events and logs that wait, or drop them after so long.

    Returns:
        False if something was dropped.
    """
    from prefect.events.worker import EventsWorker

    workers = tuple(EventsWorker._instances.values())  # type: ignore[misc]  # of all its kinds
    at_work = [(one._loop, one._task) for one in workers]
    waiting = cast("tuple[set[Future[bool]], set[Future[bool]]]", EventsWorker.drain_all(seconds))[1]
    if not waiting:
        return True
    for loop, task in at_work:
        if loop is not None and task is not None:
            loop.call_soon_threadsafe(task.cancel)  # of one that has ended: nothing
    wait(waiting, seconds)
    return False
