"""The Prefect flow `janitor`: settles what died, so that what Prefect and the ledger show is so.

A batch that is killed leaves its task runs running for good in Prefect, and its mailboxes running in the
ledger until somebody claims them. Every step may run twice, and next to a wave at work.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, TypeVar

from prefect import flow, get_client
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from engine.config.load import Config
from engine.config.registry import chosen
from engine.control.ledger_patience import LedgerPatience, patience_of
from engine.control.log_filter import quieten
from flows.deploy.dead_runs import crash_task_runs
from flows.deploy.unbegun_waves import begin_again
from flows.display.prefect_events import tell
from flows.display.stopped_cutover import stopped_page, stopped_waves
from flows.process.parameters import Configuration, RunParameters
from ledger.housekeeping import forget_health, requeue_expired
from ledger.open_ledgers import opened
from ledger.store import Ledger
from model.errors import MigrationError

T = TypeVar("T")
HEALTH_SECONDS = 3600.0


class JanitorParameters(RunParameters):
    """Settle what died."""

    minutes: int = Field(
        5,
        ge=0,
        le=1440,
        title="Minutes",
        description="Task runs of a run that ended longer ago than this are orphans",
    )
    configuration: Configuration = ""


@dataclass(frozen=True, slots=True)
class Swept:
    """Count what was found and settled."""

    orphan_task_runs: int
    waves_begun_again: int
    expired_legs: int
    stale_health: int

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in asdict(self).items())
        return f"settled {counts}"


@flow(name="janitor", flow_run_name="janitor", persist_result=False)
async def janitor(parameters: JanitorParameters) -> State[Any]:
    """Settle what died.

    It looks for task runs whose run has ended, legs whose lease has ended, and reports and pages that are not
    renewed. Runs that died are the workers' to find: see flows.deploy.dead_runs.
    """
    with ExitStack() as stack:
        quieten()
        try:
            config = chosen(parameters.configuration)
            patience = patience_of(config)
            ledger = stack.enter_context(opened(config.ledger_url(), patience=patience))
            legs = await _asked(patience, requeue_expired, ledger)
            stale = await _asked(patience, forget_health, ledger, HEALTH_SECONDS)
            pages = await _asked(patience, _stopped_pages, config, ledger)
        except MigrationError as error:
            return Failed(message=str(error))
        for wave, count in legs.items():
            tell("legs.requeued", wave, legs=count)
        async with get_client() as client:
            orphans = await crash_task_runs(client, timedelta(minutes=parameters.minutes))
            for page in pages:
                await client.create_artifact(page)
            again = await begin_again(client, config.prefect.work_pool)
        swept = Swept(orphans, again, sum(legs.values()), stale)
        await acreate_markdown_artifact(report(swept), key="kogge-janitor", description="What had died")
        return Completed(message=str(swept))


async def _asked(patience: LedgerPatience, step: Callable[..., T], *given: object) -> T:
    """Return what a step returns; do it again, which is harmless, if the ledger was away meanwhile."""
    return await asyncio.to_thread(patience.ask, functools.partial(step, *given))


def _stopped_pages(config: Config, ledger: Ledger) -> list[ArtifactCreate]:
    return [stopped_page(config, ledger, wave) for wave in stopped_waves(config, ledger)]


def report(swept: Swept) -> str:
    """Return a Markdown artifact."""
    rows = [f"| {name.replace('_', ' ')} | {count:,} |" for name, count in asdict(swept).items()]
    return "\n".join(["## Janitor", "", "| settled | |", "|---|---:|", *rows, ""])
