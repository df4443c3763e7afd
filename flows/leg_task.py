"""One leg, a mailbox's workload, as Prefect shows it: a task run of its batch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import AwaitingRetry, Cancelled, Completed, Crashed, Failed, Retrying, Running

from engine.control.error_log import contain_defects
from engine.control.ledger_patience import LEASE_LOST
from engine.pacing.leg_slots import LegSlot
from flows.deploy.deployments import TAG, wave_tag
from flows.display.prefect_events import tell
from flows.display.task_events import ReportedTaskRun
from ledger.db.rows import LegState
from model.errors import MigrationError
from reports import progress

RETRY_SECONDS = (15.0, 60.0)
"""Another try is for the tail: within a run a leg honours each server's own delay."""
JITTER = 0.3
TICK_SECONDS = 1.0
"""So soon it is noticed, during a wait, that somebody wants to stop."""
SHORT_SECONDS = 3.0
"""A leg that takes less shows in Prefect when it has ended, with its start: one event in place of two."""

Work = Callable[[], Awaitable[tuple[LegState, str | None]]]


async def leg(
    mailbox: str,
    workload: str,
    wave: str,
    slot: LegSlot,
    work: Work,
    shut: Callable[[], bool] = lambda: False,
    *,
    told_to_all: bool = True,
    is_as_before: Callable[[], bool] = lambda: False,
) -> State[Any] | None:
    """Run one mailbox's workload in a thread of the runner, and try again while it only waits.

    A lease that could not be renewed, because the ledger was away, is no end either: unless another worker
    took the leg meanwhile, the next try claims it.

    Of a leg that found nothing new and ends soon, Prefect is told nothing: in most nights these are nearly
    all, and the batch's page counts them.

    Args:
        mailbox: its random id.
        workload: its name.
        wave: its name.
        slot: the place that it needs.
        work: what is done.
        shut: returns True once no more legs begin; then it is not tried again.
        told_to_all: False if it only looks, because what a look meets is no event of the wave.
        is_as_before: returns True once the leg has ended as it was, with nothing new.

    Returns:
        How it shows in Prefect; None if it does not.
    """
    run = ReportedTaskRun("leg", f"{mailbox}/{workload}", (TAG, wave_tag(wave)), len(RETRY_SECONDS))
    told = False
    try:
        run.tell_later(Running, SHORT_SECONDS)
        for delay in (*RETRY_SECONDS, None):
            state, code = await _worked(f"{workload} of {mailbox}", slot, work)
            passing = state is LegState.WAITING or code == LEASE_LOST
            if not passing or delay is None or shut():
                break
            seconds = delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)
            if not await _wait(run, seconds, code, shut):
                break
        as_before = is_as_before()
        if as_before and run.drop():
            told = True
            return None
        end = leg_state(state, code)
        run.tell(end)
        told = True
    finally:
        if not told:
            run.tell(Crashed(message="its batch ended"))
    if end.is_failed():
        run.logger().error("%s: %s", end.name, end.message)
    if told_to_all and not as_before:
        tell_leg(wave, mailbox, workload, state, code)
    return end


async def _worked(where: str, slot: LegSlot, work: Work) -> tuple[LegState, str | None]:
    """Do the work in a place of its own. What fails there is no reason to end the batch."""
    await slot.acquire()
    try:
        with contain_defects(where):
            return await work()
    except MigrationError as error:
        return LegState.RUNNING, error.code
    finally:
        slot.release()


async def _wait(run: ReportedTaskRun, seconds: float, code: str | None, shut: Callable[[], bool]) -> bool:
    """Wait before another try, without a place. Return False if there is to be none."""
    run.tell(AwaitingRetry(scheduled_time=datetime.now(UTC) + timedelta(seconds=seconds)))
    run.logger().info("waits (%s); it is tried again in %.0f seconds", code, seconds)
    while seconds > 0 and not shut():
        await asyncio.sleep(min(TICK_SECONDS, seconds))
        seconds -= TICK_SECONDS
    if shut():
        return False
    run.tell_later(Retrying, SHORT_SECONDS)
    return True


def tell_leg(wave: str, mailbox: str, workload: str, state: LegState, code: str | None) -> None:
    """Send the event that a leg is verified or blocked."""
    if state is LegState.BLOCKED:
        tell("mailbox.blocked", wave, mailbox=mailbox, workload=workload, code=code)
    elif state is LegState.VERIFIED:
        tell("mailbox.verified", wave, mailbox=mailbox, workload=workload)


def leg_state(state: LegState, code: str | None) -> State[Any]:
    """Return how a leg's end shows in Prefect: the state's name is the ledger's, the message is the code."""
    message = code or str(state)
    if state in progress.SETTLED:
        return Completed(message=message)
    if code == progress.DRY_RUN:
        return Completed(name="Listed", message=message)
    if state is LegState.PENDING:
        return Cancelled(name="Stopped", message=message)
    if state is LegState.RUNNING:
        return Failed(name="Unfinished", message=message)
    return Failed(name=str(state).capitalize(), message=message)
