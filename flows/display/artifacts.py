"""A wave in Prefect's UI while it runs: progress, summary, batches, all waves, and a way to its runs. One
artifact each, kept current in place; another's run of the wave makes its own.

What cannot be shown is not: a wave never fails because of its board.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect import get_client
from prefect.artifacts import (
    acreate_link_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
)
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.settings import PREFECT_UI_URL

from engine.approvals.score import scores
from engine.planning.eta import Eta
from engine.planning.throughput_estimate import Estimate
from flows.display.artifact_text import Seen, batch_rows, overall_text, score_rows, share, wave_text
from flows.process.background_task import standing, tried
from flows.process.leg_runner import LegRunner
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from ledger.views.overview import expected, overview
from ledger.views.progress_samples import record
from ledger.views.server_health import newest
from reports import progress
from reports.files import newest_page

TICK_SECONDS = 10.0
OVERALL_TICKS = 6
"""All waves are told, and what is left is estimated, once in so many ticks: it costs more. In the first
EARLY_TICKS each time, as nothing is known when a wave begins."""
EARLY_TICKS = 4
RATE_SECONDS = 300.0


@dataclass(slots=True)
class Board:
    """shards: the wave's batches. made: artifact keys and ids."""

    runner: LegRunner
    asked: WaveParameters | VerifyParameters
    shards: Sequence[BatchParameters]
    made: dict[str, UUID] = field(default_factory=dict)
    past: deque[progress.Snapshot] = field(default_factory=deque)
    ahead: Eta | None = None
    left: dict[str, Estimate] = field(default_factory=dict)
    expected: int = 0
    ticks: int = 0

    @property
    def wave(self) -> str:
        return self.asked.wave

    async def show(self, ended: bool = False) -> None:
        """Makes or renews all of it."""
        whole = ended or self.ticks < EARLY_TICKS or self.ticks % OVERALL_TICKS == 0
        self.ticks += 1
        seen, rows, waves = await asyncio.to_thread(self._read, whole)
        key = progress.slug("wave", self.wave)
        title = f"wave {self.wave}"
        await self._put(f"{key}-progress", share(seen.snapshot, seen.expected), title)
        await self._put(f"{key}-summary", wave_text(seen, ended), title)
        if whole:
            await self._put(f"{key}-batches", rows, f"{title}: its batches")
            await self._put("kogge-waves", waves, "all waves")
        if ended:
            rated = await asyncio.to_thread(self._rated)
            await self._put(f"{key}-scores", rated, f"{title}: its mailboxes by score")
            await self._link_report()

    def _rated(self) -> list[dict[str, str | int]]:
        """Asks the ledger; in a thread."""
        ids = [row.id for row in self.runner.ledger.mailboxes(self.wave)]
        return score_rows(scores(self.runner.ledger, ids), len(ids))

    def _read(self, whole: bool) -> tuple[Seen, list[dict[str, str | int]], str]:
        """Asks the ledger, and keeps the wave's pulse in it; in a thread."""
        ledger, now = self.runner.ledger, datetime.now(UTC)
        record(ledger, self.wave)
        if whole:
            self.ahead = self.ahead or Eta(self.runner.config, ledger)
            self.left = self.ahead.left()
            self.expected = expected(ledger, self.wave)
        shot = self.runner.snapshot(self.wave, self.asked.mailboxes, self.asked.workloads)
        seen = Seen(
            self.wave,
            shot,
            self._rate(shot),
            self.left.get(self.wave),
            newest(ledger),
            now,
            0 if self.asked.mailboxes or self.asked.workloads else self.expected,
        )
        waves = overall_text(overview(ledger), self.left, now) if whole else ""
        return seen, batch_rows(self.shards, shot), waves

    def _rate(self, shot: progress.Snapshot) -> float:
        """Items a second, lately."""
        self.past.append(shot)
        while len(self.past) > 2 and shot.at - self.past[1].at > RATE_SECONDS:
            self.past.popleft()
        first = self.past[0]
        passed = shot.at - first.at
        return max(0.0, (shot.done - first.done) / passed) if passed > 0 else 0.0

    async def _put(self, key: str, data: Any, title: str) -> None:
        if key in self.made:
            plain = data if isinstance(data, float | str) else json.dumps(data)
            async with get_client() as client:
                await client.update_artifact(self.made[key], ArtifactUpdate(data=plain))
            return
        if isinstance(data, float):
            found = await acreate_progress_artifact(progress=data, key=key, description=title)
        elif isinstance(data, str):
            found = await acreate_markdown_artifact(data, key=key, description=title)
        else:
            found = await acreate_table_artifact(data, key=key, description=title)
        self.made[key] = found

    async def _link_report(self) -> None:
        """The way to the newest report of this wave, where somebody made one."""
        page = await asyncio.to_thread(newest_page, self.runner.config.state_directory, self.wave)
        if page is not None:
            await acreate_link_artifact(
                page.absolute().as_uri(),
                link_text=f"Report of wave {self.wave}",
                key=progress.slug("wave", self.wave, "report"),
                description=f"wave {self.wave}: made anew by `kogge report`",
            )

    async def link(self) -> None:
        """The way to every run of this wave."""
        if ui := PREFECT_UI_URL.value():
            await acreate_link_artifact(
                f"{ui}/runs?tags={quote(f'wave:{self.wave}')}",
                link_text=f"All runs of wave {self.wave}",
                key=progress.slug("wave", self.wave, "runs"),
                description=f"wave {self.wave}",
            )


@asynccontextmanager
async def shown(
    runner: LegRunner, asked: WaveParameters | VerifyParameters, shards: Sequence[BatchParameters]
) -> AsyncIterator[None]:
    """Keeps the board current for the length of the block, and leaves the wave's end on it."""
    board = Board(runner, asked, shards)
    await tried("the link of a wave", board.link)
    try:
        async with standing("the page of a wave", board.show, TICK_SECONDS):
            yield
    finally:
        await tried("the page of a wave", functools.partial(board.show, ended=True))
