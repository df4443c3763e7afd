"""The Prefect flows. `wave` plans and watches, `batch` runs mailboxes, one flat task runs one leg.

Prefect supervises and shows; the ledger is the truth. Whatever Prefect believes after a crash or a restart,
a leg is claimed, settled and resumed by the ledger alone, so every flow here may run twice or die anywhere.

Nothing of a person reaches Prefect. Parameters, run names, states and artifacts hold waves, random mailbox
ids, counts and codes; no exception that could carry a server's words leaves a task.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias
from uuid import UUID

from prefect import Flow, runtime, tags
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from engine.config.registry import chosen
from engine.control.stop_signal import STOPPED, reason
from engine.pacing.leg_slots import LegSlot
from engine.planning.maintenance_windows import CLOSED
from flows import canary_mailbox as first_mailbox
from flows.batches import Asked, by_mailbox, in_turn, runs, seen_of, shared_out, writes
from flows.deploy.deployments import TAG, wave_tag
from flows.dispatch import deployed, inline
from flows.display import batch_progress
from flows.display.artifacts import shown
from flows.display.prefect_events import tell
from flows.display.states import put_off, refused
from flows.leg_task import leg
from flows.own_run import mark, stopped, watched
from flows.process.background_task import together, tried
from flows.process.form_flow import form_flow
from flows.process.leg_runner import LegRunner, opened
from flows.process.parameters import (
    BatchParameters,
    VerifyParameters,
    WaveParameters,
    refuse_unknown_wave,
    workloads_of,
)
from flows.rounds import Rounds
from ledger.db.patience import UNAVAILABLE
from ledger.db.rows import LegRow, LegState
from ledger.plan.wave_control import priorities
from model.errors import MigrationError, Transient
from reports import progress

Begun: TypeAlias = Callable[[UUID], None]
"""Hears the id of a command's run in Prefect before anything is done in it."""
Ended: TypeAlias = Callable[[State[Any]], None]
"""Hears how a command's run ended, by its own word. Prefect may say anything else of it."""

ARTIFACT_SECONDS = 10.0
NOT_ALL = ", but this run did not look at all of them again"


def batch_flow(around: LegRunner | None = None) -> Flow[[BatchParameters], Any]:
    """Return the flow of a batch.

    Args:
        around: the leg runner of the wave in whose process it runs; None on a worker, where it opens one of
            its own. It is no parameter of the flow, because Prefect would store it.
    """

    @form_flow("batch", "batch {parameters.wave} {parameters.number}/{parameters.of}")
    async def batch(parameters: BatchParameters) -> State[Any]:
        """Run the legs of some mailboxes, as many at once as the configuration allows."""
        try:
            return await _run_batch(parameters, around)
        except MigrationError as error:
            return refused(error)

    return batch


async def _run_batch(parameters: BatchParameters, around: LegRunner | None) -> State[Any]:
    with ExitStack() as stack:
        runner = around or stack.enter_context(opened(chosen(parameters.configuration)))
        await runner.ask_ledger(refuse_unknown_wave, runner.ledger, parameters.wave)
        if around is None and writes(parameters):
            await runner.ask_ledger(_prepare_batch, runner, parameters)
        await runner.ask_ledger(runner.follow, parameters.wave, hours=writes(parameters))
        before = await runner.ask_ledger(seen_of, runner, parameters)
        stack.enter_context(tags(TAG, wave_tag(parameters.wave)))
        async with watched(runner.drain, nested=around is not None) as own:
            await _work(parameters, runner, before)
        after = await runner.ask_ledger(seen_of, runner, parameters)
        if own.suspended is not None:
            await own.leave(own.suspended, progress.verdict(after))
        return end_state(after, runner)


async def _work(parameters: BatchParameters, runner: LegRunner, before: progress.Snapshot) -> None:
    ready = in_turn(parameters.mailboxes, (row for row in before.legs if runs(row, parameters)))
    seen = functools.partial(seen_of, runner, parameters)
    async with batch_progress.shown(parameters, runner, seen, ARTIFACT_SECONDS):
        runner.underway.add(parameters.number)
        ranked = enumerate(by_mailbox(ready))
        await together(
            (_run_mailbox(rows, runner, parameters, rank) for rank, rows in ranked), runner.drain.event
        )


async def _run_mailbox(rows: Sequence[LegRow], runner: LegRunner, asked: BatchParameters, rank: int) -> None:
    """Run a mailbox's legs; each waits for a slot before its task begins, so only legs at work show."""
    for row in rows:
        slot = LegSlot(runner, row.workload, (asked.number, rank))
        work = functools.partial(runner.run_leg, row, slot, asked.options)
        await slot.acquire()
        try:
            if runner.shut:
                runner.cut = True
            else:
                await leg(
                    row.mailbox,
                    str(row.workload),
                    asked.wave,
                    slot,
                    work,
                    shut=lambda: runner.shut,
                    told_to_all=not asked.options.dry_run,
                    is_as_before=functools.partial(runner.as_before.__contains__, row.id),
                )
        finally:
            slot.release()


def end_state(seen: progress.Snapshot, runner: LegRunner) -> State[Any]:
    """Return how a batch or a wave ends.

    It is Completed only if every item has a fate, or is listed when only that was asked, and nothing was left
    out: what an earlier run verified may have changed since.
    """
    message = progress.verdict(seen)
    if isinstance(runner.fault, Transient):
        return Failed(name="Incomplete", message=f"{runner.fault}; {message}")
    if runner.fault is not None:
        return Failed(message=str(runner.fault))
    if not seen.open and not runner.cut:
        return Completed(message=message)
    if not seen.open:
        message += NOT_ALL
    if runner.refusal is not None:
        return put_off(runner.refusal, message)
    if runner.drain.stopping:
        return Cancelled(name="Stopped", message=f"stopped on request; {message}")
    return Failed(name="Incomplete", message=message)


def tell_end(wave: str, seen: progress.Snapshot, runner: LegRunner) -> None:
    """Send the event that says how a wave's run ended."""
    blocked = seen.states[LegState.BLOCKED]
    counts = {"mailboxes": seen.mailboxes, "items": seen.items, "done": seen.done, "blocked": blocked}
    if runner.fault is None and not seen.open and not runner.cut:
        tell("wave.finished", wave, **counts)
    elif runner.fault is None and runner.refusal is not None:
        closed = runner.refusal.code == CLOSED
        counts["open"] = len(seen.open)
        tell("wave.window-closed" if closed else "wave.paused", wave, code=runner.refusal.code, **counts)
    else:
        code = None if runner.fault is None else runner.fault.code
        tell("wave.incomplete", wave, code=code, open=len(seen.open), **counts)


def wave_flow(
    around: LegRunner | None = None,
    *,
    planned: bool = False,
    begun: Begun | None = None,
    ended: Ended | None = None,
) -> Flow[[WaveParameters], Any]:
    """Return the flow of a wave.

    Args:
        around: the leg runner of the command that runs it; None for a run that Prefect starts, which opens
            one of its own.
        planned: True if that command has read the list of mailboxes in this run.
        begun: called when the wave has begun.
        ended: called with its end.
    """

    @form_flow("wave", "wave {parameters.wave}")
    async def wave(parameters: WaveParameters) -> State[Any]:
        """Move the mailboxes of a wave, or bring them up to date, and verify them."""
        return _told(await _wave(parameters, around, planned=planned, begun=begun), ended)

    return wave


def verify_flow(
    around: LegRunner | None = None, begun: Begun | None = None, ended: Ended | None = None
) -> Flow[[VerifyParameters], Any]:
    """Return the flow of a verification; see wave_flow."""

    @form_flow("verify", "verify {parameters.wave}")
    async def verify(parameters: VerifyParameters) -> State[Any]:
        """Compare the mailboxes of a wave with their source once more; write nothing to either side."""
        return _told(await _wave(parameters, around, begun=begun), ended)

    return verify


def _told(state: State[Any], ended: Ended | None) -> State[Any]:
    if ended is not None:
        ended(state)
    return state


async def _wave(
    parameters: WaveParameters | VerifyParameters,
    around: LegRunner | None,
    *,
    planned: bool = False,
    begun: Begun | None = None,
) -> State[Any]:
    try:
        return await _run_wave(parameters, around, planned=planned, begun=begun)
    except MigrationError as error:
        if around is not None and error.code == UNAVAILABLE:
            drain = around.drain
            if drain.stopping and around.fault is None and reason(drain.event) == STOPPED:
                return Cancelled(name="Stopped", message=f"stopped on request; {error.advice}")
            around.boundary.end(error)  # the command ends as for any server that stays away
        return refused(error)


async def _run_wave(
    parameters: WaveParameters | VerifyParameters,
    around: LegRunner | None,
    *,
    planned: bool,
    begun: Begun | None,
) -> State[Any]:
    with ExitStack() as stack:
        if begun is not None:
            begun(UUID(runtime.flow_run.get_id()))
        runner = around or stack.enter_context(opened(chosen(parameters.configuration)))
        workloads_of(runner.config, parameters.workloads, "workloads")
        await mark(parameters.wave)
        await runner.ask_ledger(_prepare, runner, parameters, planned=planned)
        await runner.ask_ledger(runner.follow, parameters.wave, hours=writes(parameters))
        if isinstance(parameters, WaveParameters) and not parameters.dry_run:
            await runner.ask_ledger(_opened_again, runner, parameters)
        before = await runner.ask_ledger(seen_of, runner, parameters)
        if not before.legs:
            return Failed(message="nothing to do: the ledger has no such mailbox or workload in this wave")
        stack.enter_context(tags(TAG, wave_tag(parameters.wave)))
        ranks = await runner.ask_ledger(priorities, runner.ledger, parameters.wave)
        shards = shared_out(before.legs, parameters, runner.config.run.batch, ranks)
        send = deployed if runner.config.prefect.dispatch == "deployment" else inline
        stages = await runner.ask_ledger(
            first_mailbox.apart, runner.config, runner.ledger, parameters, shards
        )
        tell("wave.started", parameters.wave, mailboxes=before.mailboxes, batches=len(shards))
        code: str | None = None
        in_order = [*stages.alone, *stages.others]
        once = around is not None or runtime.flow_run.get_run_count() == 1
        epochs = {row.id: row.epoch for row in before.legs} if once else {}
        rounds = Rounds(runner, parameters, send, batch_flow(runner), epochs, in_order)
        async with watched(runner.drain) as own, shown(runner, parameters, in_order) as board:
            if stages.alone:
                await rounds.run(stages.alone)
            code = await runner.ask_ledger(_failed_first, runner, parameters, stages.first)
            if code is not None and stages.first is not None:
                board.canary = (stages.first, code)
            else:
                await rounds.run(stages.others)
        after = await runner.ask_ledger(seen_of, runner, parameters)
        if own.suspended is not None:
            await own.leave(own.suspended, progress.verdict(after))
        if once:
            runner.cut = runner.cut or left_out(before, after, parameters, runner)
        if after.open and not runner.shut:
            await _hear_what_ended_batches(runner)
        tell_end(parameters.wave, after, runner)
        return stopped(_wave_state(after, runner, stages.first, code))


def _wave_state(
    after: progress.Snapshot, runner: LegRunner, first: str | None, code: str | None
) -> State[Any]:
    """Return how a wave ends.

    Args:
        after: its legs.
        runner: of this process.
        first: the mailbox that went alone, if one did.
        code: why no other has begun.
    """
    if code == first_mailbox.UNFINISHED:
        state = end_state(after, runner)
        told = (
            f"; the first mailbox, {first}, was not tried to its end, so no other has begun: start it again"
        )
        return state.model_copy(update={"message": f"{state.message}{told}"})
    if code is not None:
        told = f"{first_mailbox.FAILED}: {first} is not verified ({code}), so no other has begun"
        return Failed(name="CanaryFailed", message=told)
    return end_state(after, runner)


def left_out(before: progress.Snapshot, after: progress.Snapshot, asked: Asked, runner: LegRunner) -> bool:
    """Return True if a leg that this run was to run was in no worker's hand.

    It does not depend on what Prefect says of the batches: the epoch of a leg rises with each claim. For a
    run that was started again this cannot be known, so what its first process had in hand counts as well. A
    dry run claims no leg of which something was copied. There the process that looked knows it, and of
    another worker's looks only the end of its batch is known.
    """
    epochs = {row.id: row.epoch for row in after.legs}
    idle = (row for row in before.legs if runs(row, asked) and epochs.get(row.id) == row.epoch)
    if asked.options.dry_run:
        elsewhere = runner.config.prefect.dispatch == "deployment"
        return not elsewhere and any(row.id not in runner.looked for row in idle)
    return any(True for _ in idle)


async def _hear_what_ended_batches(runner: LegRunner) -> None:
    """Look for a pause, and for the end of a window.

    Batches of workers may have met it before this process did.
    """
    await tried("the wave's hours", functools.partial(asyncio.to_thread, runner.watchdog.look))


def _failed_first(
    runner: LegRunner, parameters: WaveParameters | VerifyParameters, first: str | None
) -> str | None:
    """Return why the others may not begin; None also if the run itself came to an end."""
    if first is None or runner.fault is not None or runner.shut:
        return None
    code = first_mailbox.passed(runner.config, runner.ledger, parameters, first)
    if code not in (None, first_mailbox.UNFINISHED):
        tell("wave.canary-failed", parameters.wave, mailbox=first, code=code)
    return code


def _prepare(runner: LegRunner, parameters: WaveParameters | VerifyParameters, *, planned: bool) -> None:
    """Read the list as it is now, also for a wave that was started in Prefect's UI.

    Args:
        runner: of this process.
        parameters: of the run.
        planned: True if the command that runs it has read the list.

    Raises:
        Misconfigured: there is no such wave; nothing else is asked of it before.
    """
    if isinstance(parameters, WaveParameters) and not planned:
        from engine.approvals.pinned_settings import refuse_weaker
        from engine.approvals.signed_list import refuse_changed_list
        from engine.planning.load_plan import renew

        refuse_weaker(runner.config, runner.ledger)
        refuse_changed_list(runner.config, runner.ledger, parameters.wave)
        renew(runner.config, runner.ledger, parameters.wave)
    refuse_unknown_wave(runner.ledger, parameters.wave)
    if isinstance(parameters, WaveParameters) and not parameters.dry_run:
        _refuse_start(runner, parameters.wave)


def _prepare_batch(runner: LegRunner, parameters: BatchParameters) -> None:
    """Ask for everything that a wave asks for, because a batch may have been started without its wave.

    It takes over nothing of the list.

    Raises:
        MigrationError: the batch may not start.
    """
    from engine.approvals.pinned_settings import refuse_weaker
    from engine.approvals.signed_list import refuse_changed_list, refuse_changed_rows

    refuse_weaker(runner.config, runner.ledger)
    refuse_changed_list(runner.config, runner.ledger, parameters.wave)
    refuse_changed_rows(runner.config, runner.ledger, frozenset(parameters.mailboxes))
    _refuse_start(runner, parameters.wave)
    first_mailbox.refuse_before_first(runner.config, runner.ledger, parameters)


def _refuse_start(runner: LegRunner, wave: str) -> None:
    """Refuse a wave that may not start, and pin the settings by which one starts."""
    # Imported late, with the connectors: most flows on a supervising machine need none.
    from engine.approvals.pinned_settings import pin_at_start
    from engine.approvals.plan_approval import START, refuse_unapproved
    from engine.preflight.preflight import refuse_power

    refuse_unapproved(runner.config, runner.ledger, wave, START)
    refuse_power(runner.config, runner.ledger, wave)
    pin_at_start(runner.config, runner.ledger, wave)


def _opened_again(runner: LegRunner, parameters: WaveParameters) -> None:
    """Queue what an earlier run only looked at, because this one has to move it."""
    seen = seen_of(runner, parameters)
    runner.ledger.requeue(
        (row.id for row in seen.legs if row.code == progress.DRY_RUN), states=(LegState.PENDING,)
    )


STARTED_BY_WORKERS: dict[str, Callable[[], Flow[Any, Any]]] = {
    "batch": batch_flow,
    "wave": wave_flow,
    "verify": verify_flow,
}
"""What a worker starts, by these names: see flows.deploy.deployments."""


def __getattr__(name: str) -> Any:
    """Make a flow that a worker starts, once; a command makes its own, and each one takes a while."""
    if name not in STARTED_BY_WORKERS:
        raise AttributeError(name)
    made = globals()[name] = STARTED_BY_WORKERS[name]()
    return made
