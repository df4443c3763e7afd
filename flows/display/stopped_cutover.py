"""The page of a cutover whose run died: without a new one it would say that a run is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate

from engine.config.load import Config
from engine.config.registry import chosen
from engine.cutover.stopped import stops, under_way
from flows.display.cutover_page import cutover_phrase, cutover_text, read_lines
from flows.display.prefect_events import tell
from ledger.open_ledgers import opened
from ledger.store import Ledger
from reports.progress import slug


def stopped_waves(config: Config, ledger: Ledger) -> list[str]:
    """Return the waves in which somebody may be locked out and nobody is at work on it."""
    rows = ledger.mailboxes()
    found = stops(ledger, config.hooks, rows, ledger.legs())
    held = {number for number, stop in found.items() if stop.locked}
    return sorted({row.wave for row in rows if row.id in held})


def stopped_page(config: Config, ledger: Ledger, wave: str) -> ArtifactCreate:
    """Return the page of a wave's cutover as the ledger is now, with what to type."""
    rows, now = ledger.mailboxes(wave), datetime.now(UTC)
    found = stops(ledger, config.hooks, rows, ledger.legs(wave))
    lines = read_lines(ledger, rows, {number: stop.code for number, stop in found.items()})
    told = f"{cutover_phrase(lines)} ({now:%H:%M} UTC)"
    text = cutover_text(wave, lines, now)
    return ArtifactCreate(key=slug("cutover", wave), type="markdown", description=told, data=text)


async def show_ended(client: PrefectClient, parameters: Mapping[str, Any]) -> None:
    """Renew the page of a cutover whose process ended before it could.

    An event says how many mailboxes it left between old and new, if it left any: their people may be locked
    out.

    Args:
        client: talks to Prefect.
        parameters: of the run.
    """
    wave = str(parameters["wave"])

    def read() -> tuple[ArtifactCreate, int]:
        config = chosen(str(parameters.get("configuration", "")))
        with opened(config.ledger_url()) as ledger:
            return stopped_page(config, ledger, wave), len(under_way(ledger, ledger.mailboxes(wave)))

    page, held = await asyncio.to_thread(read)
    if held:
        tell("cutover.died", wave, mailboxes=held)
    await client.create_artifact(page)
