"""How a wave hands its batches out and waits for them: in this process, or to workers of a deployment."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

from prefect import Flow, get_client, get_run_logger, runtime
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling

from flows.batch_watch import BatchWatch, end_of
from flows.deploy.deployments import BATCH, TAG, queue_of, wave_tag
from flows.process.background_task import all_ended, standing, tried
from flows.process.leg_runner import LegRunner
from flows.process.parameters import BatchParameters
from flows.process.prefect_retry import PrefectPatience
from flows.queue_watch import LOOK_SECONDS, QueueWatch
from ledger.plan.waves import Waves
from model.errors import Misconfigured, Transient
from reports.progress import LATER

INLINE_BATCHES = 2
"""Batches at once in one process: as one drains, the next begins. They share the slots."""

DEPLOYMENT = f"batch/{BATCH.name}"
TICK_SECONDS = 1.0
TICK_MOST = 15.0
TICK_SHARE = 20
"""Whether batches have ended is asked in a twentieth of the time since they began, between these seconds.
Each question is work for Prefect's server, and what waits in its queue begins without it."""
BEGUN_SECONDS = 0.05
ASK_SECONDS = 5.0
SETTLE_SECONDS = 20.0
"""For batches that were cancelled: a worker gives them thirty seconds, and as long to the wave that waits."""
STOPPED = "its wave was stopped"
NOT_BEGUN = "not begun: its wave ends"
DRAIN_SECONDS = 900.0
"""For batches to stop by themselves: a large file may be under way, a server slow."""


Batch = Flow[[BatchParameters], Any]


async def inline(batch: Batch, shards: Sequence[BatchParameters], runner: LegRunner) -> None:
    """Run the batches here, a few at the same time, in their order.

    It returns when all have ended, however they ended.
    """
    places = asyncio.Semaphore(INLINE_BATCHES)
    patience = _patience(runner)
    runner.underway.clear()
    begun: list[asyncio.Future[object]] = []
    try:
        for shard in shards:
            await places.acquire()
            if runner.shut:
                runner.cut = True
                break
            begun.append(asyncio.ensure_future(_here(batch, shard, runner, patience)))
            begun[-1].add_done_callback(lambda _ended: places.release())
            while not begun[-1].done() and shard.number not in runner.underway:
                await asyncio.sleep(BEGUN_SECONDS)
        await asyncio.gather(*begun)
    except BaseException:
        runner.drain.event.set()
        raise
    finally:
        await all_ended(begun)


def _patience(runner: LegRunner) -> PrefectPatience:
    """Return the patience with Prefect's API; the log of the run and a command's terminal show it."""

    def say(line: str) -> None:
        runner.notice = line
        get_run_logger().warning(line)

    seconds = runner.config.run.ledger_patience_seconds
    return PrefectPatience(seconds, lambda: runner.drain.stopping, say)


async def _here(batch: Batch, shard: BatchParameters, runner: LegRunner, patience: PrefectPatience) -> None:
    """Run a batch in this process. Prefect logs its start for the wave, and this logs its end."""

    async def run() -> State[Any]:
        state: State[Any] = await batch(shard, return_state=True)
        return state

    try:
        state = await patience.ask(run, begun=lambda: shard.number in runner.underway)
    except Transient as unanswered:
        _give_up(runner, unanswered)
        return
    if state.is_cancelled() or state.is_cancelling():
        runner.called_off.update(shard.mailboxes)
    get_run_logger().info(f"batch {shard.number}/{shard.of} {end_of(state)}")


def _give_up(runner: LegRunner, unanswered: Transient) -> None:
    """End the run: Prefect did not answer for too long, or a stop is wanted."""
    runner.cut = True
    if not runner.drain.stopping:
        runner.boundary.end(unanswered)


async def deployed(_batch: Batch, shards: Sequence[BatchParameters], runner: LegRunner) -> None:
    """Create a deployment run for each batch, and wait until all have ended.

    It is idempotent within one wave run: a wave that Prefect starts again finds those of its batches that
    still run and does not double them. What ended is begun again, and so is what a worker could not begin.
    Stopping the wave cancels its batches, which drain. While Prefect does not answer it is asked again; if it
    does not for minutes, what has begun is waited for, and the run ends.
    """
    priority = await asyncio.to_thread(runner.ledger.patience.ask, lambda: _priority(runner, shards))
    queue = queue_of(runtime.deployment.get_name(), priority)
    watch = BatchWatch({}, lambda line: get_run_logger().info(line))
    unanswered: Transient | None = None
    try:
        await _send(shards, queue, watch, _patience(runner))
    except ObjectNotFound:
        runner.boundary.end(
            Misconfigured("prefect", f"has no deployment {DEPLOYMENT}; `kogge setup` makes it")
        )
        return
    except Transient as error:
        unanswered = error
    waiting = QueueWatch(runner, queue, watch.left)
    async with standing("the queue", waiting.look, LOOK_SECONDS):
        await _wait_for_all(runner, watch, queue)
    runner.notice = None
    refusal = runner.refusal
    if runner.drain.stopping and (refusal is None or not await _drained(watch, LATER[refusal.code])):
        await _cancel(watch.left)
        await _drained(watch, "Stopped", SETTLE_SECONDS)
    runner.called_off |= watch.called_off
    runner.cut = runner.cut or bool(watch.left) or watch.cut or bool(watch.lost)
    if unanswered is not None:
        _give_up(runner, unanswered)


async def _send(
    shards: Sequence[BatchParameters], queue: str, watch: BatchWatch, patience: PrefectPatience
) -> None:
    """Begin each of these batches, and have it watched. Raise Transient if Prefect does not answer."""
    for shard in shards:
        watch.add(await patience.ask(functools.partial(_begun, shard, queue)), shard)


async def _wait_for_all(runner: LegRunner, watch: BatchWatch, queue: str) -> None:
    """Wait until all have ended, or for a wish to stop.

    What a worker could not begin is begun again, after a pause that grows until one has begun.
    """
    beginning, asking = _patience(runner), _patience(runner)
    begun = 0
    while True:
        await _wait(runner, watch.all_ended)
        if runner.drain.stopping or not watch.lost:
            return
        if watch.begun > begun:
            begun = watch.begun
            beginning.answered()
        try:
            await beginning.pause("a batch could not begin; it is begun anew")
            await _send(watch.take_lost(), queue, watch, asking)
        except Transient:
            watch.cut = True
            watch.lost.clear()


async def _begun(shard: BatchParameters, queue: str) -> UUID:
    """Begin a batch, or find the run that has it already, and return its id.

    The number of a batch does not identify it, because a wave that goes on is cut in another way.
    """
    what = shard.model_dump_json(exclude={"number", "of"}).encode()
    key = f"{runtime.flow_run.get_id()}/{blake2b(what, digest_size=8).hexdigest()}"
    run = await _known_or_started(shard, key, queue)
    number = 0
    while run.state is not None and run.state.is_final():
        number += 1
        run = await _known_or_started(shard, f"{key}/{number}", queue)
    return run.id


async def _known_or_started(shard: BatchParameters, key: str, queue: str) -> FlowRun:
    known = await _known(key)
    return await _started(shard, key, queue) if known is None else known


async def _known(key: str) -> FlowRun | None:
    """Return the batch of this key that this wave's run has begun, if any.

    It is asked for first, because beginning it again would leave another task in the wave's timeline.
    """
    own = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key]))
    async with get_client() as client:
        return next(iter(await client.read_flow_runs(flow_run_filter=own, limit=1)), None)


async def _started(shard: BatchParameters, key: str, queue: str) -> FlowRun:
    """Start the batch as a part of the wave's run, whose timeline shows it with a link to its page."""
    return await arun_deployment(
        DEPLOYMENT,
        parameters={"parameters": shard.model_dump()},
        timeout=0,
        flow_run_name=f"batch {shard.wave} {shard.number}/{shard.of}",
        idempotency_key=key,
        work_queue_name=queue,
        tags=[TAG, wave_tag(shard.wave)],
    )


def _priority(runner: LegRunner, shards: Sequence[BatchParameters]) -> int:
    """Return the highest priority of the waves, which decides whose batches workers take first."""
    return max((Waves(runner.ledger).read(wave).priority for wave in {one.wave for one in shards}), default=0)


async def _wait(runner: LegRunner, ended: Callable[[], Awaitable[bool]]) -> None:
    """Wait until ended() is true, whatever fails in between, or for a wish to stop."""
    done = asyncio.Event()
    logged: set[str] = set()
    began, due = time.monotonic(), 0.0

    async def ask() -> None:
        if await ended():
            done.set()

    while not runner.drain.stopping and not done.is_set():
        if time.monotonic() >= due:
            await tried("waiting for batches", ask, logged=logged)
            due = time.monotonic() + min(TICK_MOST, (time.monotonic() - began) / TICK_SHARE)
        if not done.is_set():
            await asyncio.sleep(TICK_SECONDS)


async def _drained(watch: BatchWatch, name: str, seconds: float | None = None) -> bool:
    """Wait for the batches at work, and call off those that wait for a worker.

    A window closed, or the wave was paused. Each batch at work reads that in the ledger, too, and stops by
    itself.

    Args:
        watch: the batches.
        name: of the state of those that are called off.
        seconds: how long to wait; DRAIN_SECONDS by default.

    Returns:
        False if one did not end.
    """

    async def call_off(number: UUID) -> None:
        async with get_client() as client:
            await _called_off(client, number, name)

    for number in watch.left:
        await tried("calling a batch off", functools.partial(call_off, number))
    logged: set[str] = set()
    until = time.monotonic() + (DRAIN_SECONDS if seconds is None else seconds)
    while watch.left and time.monotonic() <= until:
        await tried("waiting for batches", watch.all_ended, logged=logged)
        if watch.left:
            await asyncio.sleep(min(ASK_SECONDS, max(0.0, until - time.monotonic())))
    return not watch.left


async def _called_off(client: PrefectClient, number: UUID, name: str) -> bool:
    """Return True if a batch had not begun and does not begin any more; its state says so."""
    run = await client.read_flow_run(number)
    waits = run.state is not None and (run.state.is_scheduled() or run.state.is_pending())
    if waits:
        await client.set_flow_run_state(number, Cancelled(name=name, message=NOT_BEGUN))
    return waits


async def _cancel(runs: Sequence[UUID]) -> None:
    async def cancel(number: UUID) -> None:
        async with get_client() as client:
            if not await _called_off(client, number, "Stopped"):
                await client.set_flow_run_state(number, Cancelling(message=STOPPED))

    for number in runs:
        await tried("cancelling a batch", functools.partial(cancel, number))
