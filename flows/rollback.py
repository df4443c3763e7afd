"""The Prefect flow `rollback`: takes back what a person approved, a task for each mailbox's workload.

It starts nothing that the ledger does not approve already (`kogge approve rollback`, or `kogge rollback
--execute`), and a run that is started again goes on where it was. Parameters, states and messages hold waves,
random ids, counts and codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from prefect import flow, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from engine.config.registry import chosen
from engine.pacing.run_legs import Boundary
from engine.pacing.worker_slots import WorkerSlots
from engine.rollback.run import Scope, approved
from engine.rollback.run_many import RollbackRequest, RollbackResult, total
from flows.deploy.deployments import TAG
from flows.display.prefect_events import tell
from flows.display.states import put_off, refused
from flows.own_run import mark, watched
from flows.process.background_task import together
from flows.process.leg_runner import LegRunner, opened
from flows.process.parameters import Boxes, Configuration, RunParameters, WaveName, refuse_unknown_wave
from ledger.db.rows import ROLLED_BACK, LegRow, LegState
from model.errors import MigrationError
from model.plural import many


class RollbackParameters(RunParameters):
    """Take back what was approved to be taken back."""

    wave: WaveName
    mailboxes: Boxes = Field(default=[])
    recall: bool = Field(
        False, title="Recall", description="Misdirected mail: in every folder; approved as recall"
    )
    configuration: Configuration = ""


@task(
    name="rollback-leg",
    task_run_name="{mailbox}/{workload}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
async def rollback_leg(
    mailbox: str,  # noqa: ARG001 (names the run)
    workload: str,  # noqa: ARG001 (names the run)
    row: LegRow,
    order: RollbackRequest,
    runner: LegRunner,
    ended: list[RollbackResult],
) -> State[Any]:
    """Take one mailbox's workload back, in a thread of the runner."""
    told = await asyncio.get_running_loop().run_in_executor(runner.pool, order.leg, row)
    ended.append(told)
    if told.code is None:
        return Completed(name="RolledBack", message=f"{told.report.numbers()}")
    return Failed(name="Unfinished", message=told.code)


@flow(name="rollback", flow_run_name="rollback {parameters.wave}", persist_result=False)
async def rollback(parameters: RollbackParameters) -> State[Any]:
    """Take back what Kogge wrote and no user has changed since. See engine.rollback.walk."""
    try:
        return await _run(parameters)
    except MigrationError as error:
        return refused(error)


async def _run(parameters: RollbackParameters) -> State[Any]:
    with ExitStack() as stack:
        runner = stack.enter_context(opened(chosen(parameters.configuration)))
        await runner.ask_ledger(refuse_unknown_wave, runner.ledger, parameters.wave)
        await mark(parameters.wave)
        await runner.ask_ledger(runner.follow, parameters.wave)
        legs = await runner.ask_ledger(_legs, runner, parameters)
        if not legs:
            return Failed(message="nothing to do: the ledger has no such mailbox in this wave")
        stack.enter_context(tags(TAG, f"wave:{parameters.wave}"))
        ids = frozenset(leg.mailbox for leg in legs)
        scope = Scope(runner.ledger, await runner.ask_ledger(_going, runner, ids, parameters.recall))
        boundary = Boundary(runner.drain.event, config=runner.config)
        order = RollbackRequest(
            runner.config,
            scope,
            boundary,
            WorkerSlots(runner.admission, runner.watchdog, runner.drain.event),
            parameters.recall,
            execute=True,
        )
        ended: list[RollbackResult] = []
        groups = [[leg for leg in legs if leg.mailbox == mailbox] for mailbox in sorted(ids)]
        async with watched(runner.drain) as own:
            await together((_mailbox(group, order, runner, ended) for group in groups), runner.drain.event)
        state = _end_state(ended, len(legs), order, runner)
        if own.suspended is not None:
            await own.leave(own.suspended, str(state.message))
        if state.is_completed():
            tell("wave.rolled-back", parameters.wave, items=total(ended)["ours"], mailboxes=len(ids))
        return state


def _legs(runner: LegRunner, parameters: RollbackParameters) -> list[LegRow]:
    """Return the legs that are still to be taken back.

    Raises:
        Misconfigured: the configuration asks for less than the ledger is held to.
    """
    from engine.approvals.pinned_settings import refuse_weaker  # late, with the connectors

    refuse_weaker(runner.config, runner.ledger)
    wanted = frozenset(parameters.mailboxes)
    return [
        leg
        for leg in runner.ledger.legs(parameters.wave)
        if (not wanted or leg.mailbox in wanted) and (leg.state, leg.code) != (LegState.BLOCKED, ROLLED_BACK)
    ]


def _going(runner: LegRunner, ids: frozenset[str], recall: bool) -> frozenset[str]:
    return approved(runner.ledger, runner.ledger.mailboxes(ids=ids), recall=recall)


async def _mailbox(
    legs: Sequence[LegRow], order: RollbackRequest, runner: LegRunner, ended: list[RollbackResult]
) -> None:
    """Take the legs of a mailbox back one after the other, so that no account has two workers."""
    for row in legs:
        async with runner.slots:
            if runner.shut:
                return
            await rollback_leg(  # type: ignore[misc]  # Prefect 3.9 types a task that returns a State wrongly
                row.mailbox, str(row.workload), row, order, runner, ended, return_state=True
            )


def _end_state(
    ended: Sequence[RollbackResult], legs: int, order: RollbackRequest, runner: LegRunner
) -> State[Any]:
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(total(ended).items()))
    open_ = sorted({told.code for told in ended if told.code is not None})
    if order.boundary.fault is not None:
        return Failed(message=str(order.boundary.fault))
    if not open_ and len(ended) == legs:
        workloads = many(legs, "workload is", "workloads are")
        return Completed(message=f"{workloads} rolled back: {counts or 'nothing was there'}")
    left = legs - sum(told.code is None for told in ended)
    message = f"{left} of {legs} {'is' if left == 1 else 'are'} not: {', '.join(open_)}"
    if runner.refusal is not None:
        return put_off(runner.refusal, message)
    if order.boundary.stop.is_set():
        return Cancelled(name="Stopped", message=f"stopped on request; {message}")
    return Failed(name="Incomplete", message=message)
