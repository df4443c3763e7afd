"""A run in Prefect that waits for an approval: suspended, its process gone, until somebody resumes it.

The form gives nothing by itself. Signatures in the ledger do (`kogge approve`); resuming only makes the run
look again. A run that is resumed starts from the top, so whatever stands before the gate must be harmless
twice. Of several answers the newest counts.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from prefect import get_client, get_run_logger, runtime
from prefect.exceptions import ObjectNotFound, Pause
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from pydantic import Field, ValidationError

from engine.approvals.plan_approval import refuse_unapproved
from engine.config.hints import next_command
from engine.config.load import Config
from flows.display.prefect_events import tell
from flows.display.states import explained
from flows.process.background_task import draw
from ledger.store import Ledger
from model.errors import Blocked

DAYS = 14.0
"""After which a run that was not resumed fails; starting it again asks anew."""


NO_NAME = "Nobody said who resumes. Press Resume again, choose Go on, and give a name or a sign of your own."
NOT_TICKED = "It was resumed without Go on. Press Resume again, choose Go on, and give your name."
THEN = "Then press Resume here, choose Go on, and give your name."


class Approve(RunInput):
    """Hold the answer of whoever resumes.

    `approve` has no default, so that a resume without an answer is none. `operator` has one, so that an empty
    name is answered by a sentence of this module, and not by a validator.
    """

    approve: bool = Field(
        title="Go on",
        description="Only with the signatures in the ledger; the text of this run's state names the command",
    )
    operator: str = Field(
        "",
        title="Who resumes (needed)",
        description="Your name, or a sign of your own. Without one the run waits on",
    )


Waits = Callable[[str], Awaitable[object]]
"""Shows why a run waits, and what to type."""


async def wait_for_approval(
    config: Config,
    ledger: Ledger,
    wave: str,
    stage: str,
    *,
    days: float = DAYS,
    waits: Waits | None = None,
) -> None:
    """Return when the ledger approves this stage, and whoever resumed the run (if it was suspended) said so.

    Else the run is suspended once more, which ends this process. Its state, its log and `waits` say why, and
    which command to type.

    Args:
        config: the configuration.
        ledger: the ledger.
        wave: the wave.
        stage: what is to be approved.
        days: after so many days a run that nobody resumed fails.
        waits: shows why the run waits; None if the state and the log are enough.

    Raises:
        Blocked: `not-approved` in a run without a deployment, which cannot be resumed.
        Misconfigured: as refuse_unapproved.
        Corrupt: as refuse_unapproved.
    """
    refusal = await _refusal(config, ledger, wave, stage)
    asked = await _times_asked(stage)
    objection = await _objection(_key(stage, asked)) if asked else None
    if refusal is None and objection is None:
        return
    if runtime.deployment.get_id() is None:
        raise refusal or Blocked("not-approved", "resume a run of a deployment")
    why = f"The {stage} of wave {wave} is approved. {objection}"
    if refusal is not None:
        counted = f"Counted at {datetime.now(UTC):%H:%M} UTC; what is signed later counts, too."
        why = f"{_without_path(config, str(refusal))}. {counted} {THEN}"
    get_run_logger().warning(f"suspended: {why}")
    tell("cutover.waiting", wave, stage=stage, code="not-approved")
    if waits is not None:
        await draw("why a run waits", lambda: waits(why))
    await _suspend(why, _key(stage, asked + 1), days)


async def _suspend(why: str, key: str, days: float) -> None:
    """Suspend this run; its state and the form behind Resume say why."""
    form = Approve.with_initial_data(description=why)
    try:
        await asuspend_flow_run(wait_for_input=form, timeout=int(days * 86_400), key=key)
    except Pause as pause:
        raise Pause(state=await explained(pause.state, why)) from None


def _without_path(config: Config, text: str) -> str:
    """Return a command without the configuration's path, because the path may name a person."""
    option = next_command(config.path, "").removeprefix("kogge ").rstrip()
    return text.replace(option, "") if option else text


async def _refusal(config: Config, ledger: Ledger, wave: str, stage: str) -> Blocked | None:
    try:
        look = functools.partial(refuse_unapproved, config, ledger, wave, stage)
        await asyncio.to_thread(ledger.patience.ask, look)
    except Blocked as error:
        return error
    return None


def _key(stage: str, number: int) -> str:
    return f"approval-{stage}-{number}"


async def _times_asked(stage: str) -> int:
    """Count how often this very run was suspended here."""
    async with get_client() as client:
        run = await client.read_flow_run(UUID(runtime.flow_run.get_id()))
    keys = run.empirical_policy.pause_keys or set()
    return sum(key.startswith(_key(stage, 0)[:-1]) for key in keys)


async def _objection(key: str) -> str | None:
    """Return what is wrong with the answer to a suspension that is over; None for a yes."""
    try:
        answer = await asuspend_flow_run(wait_for_input=Approve, key=key)
    except (ObjectNotFound, ValidationError):
        return NOT_TICKED
    if answer is None or not answer.approve:
        return NOT_TICKED
    return None if answer.operator.strip() else NO_NAME
