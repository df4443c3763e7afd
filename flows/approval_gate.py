"""A run in Prefect that waits for an approval: suspended, its process gone, until somebody resumes it.

The form gives nothing by itself. Signatures in the ledger do (`kogge approve`); resuming only makes the run
look again. A run that is resumed starts from the top, so whatever stands before the gate must be harmless
twice. Of several answers the newest counts.
"""

from __future__ import annotations

import asyncio
import shlex
from uuid import UUID

from prefect import get_client, get_run_logger, runtime
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from pydantic import Field, ValidationError

from engine.approvals.plan_approval import refuse_unapproved
from engine.config.load import Config
from flows.display.prefect_events import tell
from ledger.store import Ledger
from model.errors import Blocked

DAYS = 14.0
"""After which a run that nobody resumed fails; starting it again asks anew."""


class Approve(RunInput):
    """Nothing is filled in, so that a resume without an answer is none."""

    approve: bool = Field(
        title="Go on",
        description="Only with the signatures in the ledger; the log of this run names the command for them",
    )
    operator: str = Field(title="Who resumes", description="A name or sign of your own", min_length=1)


async def wait_for_approval(
    config: Config, ledger: Ledger, wave: str, stage: str, *, days: float = DAYS
) -> None:
    """Returns when the ledger approves this stage of the wave, and whoever resumed the run (if it was
    suspended) said so as well; else suspends it once more, which ends this process.

    Raises Blocked("not-approved") in a run without a deployment, which nobody could resume; Misconfigured,
    Corrupt as refuse_unapproved does."""
    refusal = await _refusal(config, ledger, wave, stage)
    asked = await _times_asked(stage)
    if refusal is None and (not asked or await _said_yes(_key(stage, asked))):
        return
    if runtime.deployment.get_id() is None:
        raise refusal or Blocked("not-approved", "resume a run of a deployment")
    command = shlex.quote(wave)
    get_run_logger().warning(f"suspended until it is approved: kogge approvals --wave {command}")
    tell("cutover.waiting", wave, stage=stage, code="not-approved")
    await asuspend_flow_run(wait_for_input=Approve, timeout=int(days * 86_400), key=_key(stage, asked + 1))


async def _refusal(config: Config, ledger: Ledger, wave: str, stage: str) -> Blocked | None:
    try:
        await asyncio.to_thread(refuse_unapproved, config, ledger, wave, stage)
    except Blocked as error:
        return error
    return None


def _key(stage: str, number: int) -> str:
    return f"approval-{stage}-{number}"


async def _times_asked(stage: str) -> int:
    """How often this very run was suspended here."""
    async with get_client() as client:
        run = await client.read_flow_run(UUID(runtime.flow_run.get_id()))
    keys = run.empirical_policy.pause_keys or set()
    return sum(key.startswith(_key(stage, 0)[:-1]) for key in keys)


async def _said_yes(key: str) -> bool:
    """The answer to a suspension that is over; none is no."""
    try:
        answer = await asuspend_flow_run(wait_for_input=Approve, key=key)
    except (ObjectNotFound, ValidationError):
        return False
    return answer is not None and answer.approve
