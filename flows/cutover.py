"""The Prefect flow `cutover`: waits for the second approval, then cuts mailboxes over, a task for each.

The gate is all that it holds: whatever stands before it is harmless twice, and a run that is started or
resumed again goes on where the ledger says. Parameters, states and messages hold waves, random ids and codes.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from prefect import flow, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from engine.approvals.plan_approval import CUTOVER
from engine.config.registry import chosen
from engine.control.error_log import spare
from engine.control.stop_signal import STOPPED
from engine.cutover.run_many import CutoverRequest, announce, concerned, tell_end
from engine.cutover.run_many import opened as ordered
from engine.cutover.steps import CutoverResult
from engine.pacing.watchdog import WavePolicy
from engine.pacing.worker_slots import WorkerSlots
from engine.planning.maintenance_windows import CLOSED
from flows.approval_gate import wait_for_approval
from flows.deploy.deployments import TAG
from flows.display.cutover_artifact import TICK_SECONDS, CutoverArtifact
from flows.display.cutover_page import CutoverLine, held_phrase, next_steps, way_back
from flows.display.prefect_events import tell
from flows.display.states import put_off, refused
from flows.own_run import mark, watched
from flows.process.background_task import draw, keep_drawing, together
from flows.process.leg_runner import LegRunner, opened
from flows.process.parameters import Boxes, Configuration, RunParameters, WaveName, refuse_unknown_wave
from ledger.db.rows import MailboxRow, Phase
from model.errors import MigrationError
from model.plural import many
from reports.progress import LATER

BY = "prefect"
"""Who decides, of a run that Prefect started: those whose signatures the ledger has."""


class CutoverParameters(RunParameters):
    """Cut a wave over. The ledger must hold the approvals of its cutover."""

    wave: WaveName
    mailboxes: Boxes = Field(default=[])
    configuration: Configuration = ""


@task(
    name="cut-over",
    task_run_name="{mailbox}/cutover",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
async def cut_over(
    mailbox: str, order: CutoverRequest, runner: LegRunner, ended: list[CutoverResult]
) -> State[Any]:
    """Cut one mailbox over, in a thread of the runner."""
    cut = await asyncio.get_running_loop().run_in_executor(runner.pool, order.mailbox, mailbox)
    ended.append(cut)
    if cut.code is None:
        return Completed(name="Live", message="live")
    stopped = cut.code in (STOPPED, *LATER)
    return Failed(name="Stopped" if stopped else str(cut.phase).capitalize(), message=cut.code)


@flow(name="cutover", flow_run_name="cutover {parameters.wave}", persist_result=False)
async def cutover(parameters: CutoverParameters) -> State[Any]:
    """Run freeze hooks, final delta, verification, score and release hooks, then go live.

    See engine.cutover.steps. It keeps to the wave's hours: when they are over, no more mailboxes begin, and
    those at work go on to their end.
    """
    try:
        return await _run(parameters)
    except MigrationError as error:
        return refused(error)


async def _run(parameters: CutoverParameters) -> State[Any]:
    with ExitStack() as stack:
        runner = stack.enter_context(opened(chosen(parameters.configuration)))
        await runner.ask_ledger(refuse_unknown_wave, runner.ledger, parameters.wave)
        await mark(parameters.wave)
        ended: list[CutoverResult] = []
        page = CutoverArtifact(runner.ledger, parameters.wave, parameters.mailboxes, ended)
        await wait_for_approval(runner.config, runner.ledger, parameters.wave, CUTOVER, waits=page.waits)
        rows = await runner.ask_ledger(_rows, runner, parameters)
        await runner.ask_ledger(runner.watchdog.follow, WavePolicy(parameters.wave, ends=False))
        worker_slots = WorkerSlots(runner.admission, runner.watchdog, runner.drain.event)
        order = stack.enter_context(ordered(runner.config, runner.ledger, BY, worker_slots, tell))
        if not rows:
            return Failed(message="nothing to do: no mailbox of this wave is to be cut over")
        stack.enter_context(tags(TAG, f"wave:{parameters.wave}"))
        # A run has no person behind it: naming a mailbox here does not bring back one that was given back.
        begun = await runner.ask_ledger(concerned, runner.ledger, rows, named=False)
        await runner.ask_ledger(announce, order, begun, named=False)
        async with (
            watched(runner.drain) as own,
            keep_drawing("the page of a cutover", page.look, TICK_SECONDS),
        ):
            await together((_mailbox(row, order, runner, ended) for row in rows), runner.drain.event)
        await draw("the page of a cutover", page.end)
        tell_end(order, parameters.wave, ended, len(rows))
        state = _end_state(parameters.wave, ended, len(rows), order, _advice(parameters.wave, page.lines))
        if own.suspended is not None:
            await own.leave(own.suspended, str(state.message))
        return state


def _rows(runner: LegRunner, parameters: CutoverParameters) -> list[MailboxRow]:
    wanted = frozenset(parameters.mailboxes)
    return [
        row
        for row in runner.ledger.mailboxes(parameters.wave)
        if (not wanted or row.id in wanted) and row.phase is not Phase.LIVE
    ]


async def _mailbox(
    row: MailboxRow, order: CutoverRequest, runner: LegRunner, ended: list[CutoverResult]
) -> None:
    async with runner.slots:
        if not order.worker_slots.shut:
            await cut_over(  # type: ignore[misc]  # Prefect 3.9 types a task that returns a State wrongly
                row.id, order, runner, ended, return_state=True
            )


def _advice(wave: str, lines: list[CutoverLine]) -> str:
    """Return who is locked out, since when, and what to type; "" if there is nothing to say."""
    told: list[str] = []
    with spare("the advice of a cutover"):
        told.append(held_phrase(lines, datetime.now(UTC)))
        commands = next_steps(wave, lines)
        told += [f"Next: {'; then: '.join(commands)}"] if commands else []
        back = way_back(wave, lines)
        told += [f"Or back: {'; or, of who is released: '.join(back)}"] if back else []
    return ". ".join(one for one in told if one)


def _end_state(
    wave: str, ended: list[CutoverResult], count: int, order: CutoverRequest, advice: str
) -> State[Any]:
    """Return the state in which the run ends.

    Args:
        wave: its name.
        ended: the results so far.
        count: how many mailboxes there are.
        order: what was asked for.
        advice: who is locked out, and what to type; "" if there is nothing to say.
    """
    live = sum(cut.code is None for cut in ended)
    codes = ", ".join(sorted({cut.code for cut in ended if cut.code is not None}))
    if order.boundary.fault is not None:
        return Failed(message=str(order.boundary.fault))
    if live == count:
        return Completed(message=f"{many(count, 'mailbox is', 'mailboxes are')} live")
    are = "is" if count - live == 1 else "are"
    message = f"{count - live:,} of {many(count, 'mailbox', 'mailboxes')} {are} not live"
    message += f": {codes}" if codes else ""
    message += f". {advice}" if advice else ""
    if (refusal := order.worker_slots.watchdog.refusal) is not None:
        if refusal.code == CLOSED:
            tell("wave.window-closed", wave, mailboxes=count, open=count - live)
        return put_off(refusal, message)
    if order.cutting.stop.is_set():
        return Cancelled(name="Stopped", message=f"stopped on request; {message}")
    return Failed(name="Incomplete", message=message)
