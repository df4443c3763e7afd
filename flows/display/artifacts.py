"""A wave in Prefect's UI while it runs: its mailboxes, progress, failures, losses, all waves, its runs.

Each has one artifact, which is updated in place; another run of the wave makes its own.

What cannot be shown is not: a wave never fails because of its board.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect import get_run_logger

from engine.approvals.low_score_approval import would_stop
from engine.approvals.score import Score, scores
from engine.cutover.stopped import Stop, stops
from engine.pacing.server_names import systems_of
from engine.planning.eta import Eta
from engine.planning.throughput_estimate import Estimate
from flows.display import ui_links
from flows.display.all_waves import overall_phrase, overall_text, wave_lines
from flows.display.artifact_text import (
    Seen,
    batch_rows,
    score_rows,
    wave_phrase,
    wave_text,
)
from flows.display.earlier_batches import end_earlier
from flows.display.failing_servers import FailingServers
from flows.display.mailbox_rows import mailbox_lines, mailboxes_phrase, mailboxes_text, stopped_at
from flows.display.narration import progress_line
from flows.display.problem_pages import (
    Failing,
    failing,
    failures_phrase,
    failures_text,
    losses_phrase,
    losses_text,
)
from flows.display.published import Published
from flows.process.background_task import draw, keep_drawing
from flows.process.leg_runner import LegRunner
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from ledger.db.rows import MailboxRow, Phase
from ledger.plan.approvals import plan_rows
from ledger.plan.wave_control import paused_since
from ledger.plan.waves import Waves
from ledger.views.progress_samples import record
from ledger.views.scores import absent_of
from ledger.views.server_health import newest
from ledger.views.sizes import checks
from model.kinds import Kind
from model.plural import many
from reports import progress
from reports.facts import lost_of
from reports.files import REPORTS, newest_page
from reports.mailbox_facts import MailboxFacts
from reports.pace import Pace

TICK_SECONDS = 10.0
OVERALL_TICKS = 6
"""All waves and all mailboxes are told, and what is left is estimated, once in so many ticks: it costs more.
In the first EARLY_TICKS each time, as nothing is known when a wave begins."""
EARLY_TICKS = 4
RATE_SECONDS = 300.0
ITEMS_SHARE = 20
"""What failed and what was lost is counted by item: at most a twentieth of the time."""
SPARING = 100
"""What is made of every mailbox takes at most a hundredth of the time: the page of all waves, and what is
left of them."""


@dataclass(slots=True)
class Sparing:
    """Decide when something may be done again that takes one part in SPARING of the time.

    Attributes:
        due: by the monotonic clock.
    """

    due: float = 0.0

    @property
    def waits(self) -> bool:
        """Return True if it may not be done yet."""
        return time.monotonic() < self.due

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the CPU of this thread."""
        began = time.thread_time()
        yield
        self.due = time.monotonic() + SPARING * (time.thread_time() - began)


@dataclass(frozen=True, slots=True)
class Look:
    """Hold what a look at the ledger found.

    Attributes:
        waves: all of them as Markdown, and in a line; None if only this wave was looked at.
    """

    seen: Seen
    batches: list[dict[str, str | int]]
    lines: list[MailboxFacts]
    waves: tuple[str, str] | None


@dataclass(slots=True)
class Board:
    """Show a wave in Prefect's UI.

    Attributes:
        shards: the wave's batches.
        checked: items that `kogge check` counted, by mailbox.
        stopped: by mailbox, why only a person moves it on, whatever its workloads say.
        canary: the first mailbox and why it is not verified, once the wave has stopped at it.
    """

    runner: LegRunner
    asked: WaveParameters | VerifyParameters
    shards: Sequence[BatchParameters]
    artifacts: Published = field(default_factory=Published)
    pace: Pace = field(default_factory=lambda: Pace(RATE_SECONDS))
    ahead: Eta | None = None
    left: dict[str, Estimate] = field(default_factory=dict)
    checked: Mapping[str, int] = field(default_factory=dict)
    stopped: Mapping[str, Stop] = field(default_factory=dict)
    canary: tuple[str, str] | None = None
    servers: FailingServers = field(default_factory=FailingServers)
    ticks: int = 0
    items_due: float = 0.0
    waves: Sparing = field(default_factory=Sparing)
    estimate: Sparing = field(default_factory=Sparing)

    @property
    def wave(self) -> str:
        """Return the wave's name."""
        return self.asked.wave

    @property
    def key(self) -> str:
        """Return the beginning of the artifacts' keys."""
        return progress.slug("wave", self.wave)

    async def show(self, ended: bool = False) -> None:
        """Make or renew all of it, and write to the run's log once a minute how far the wave is."""
        whole = ended or self.ticks < EARLY_TICKS or self.ticks % OVERALL_TICKS == 0
        narrated = not ended and (self.ticks == 1 or (self.ticks > 1 and self.ticks % OVERALL_TICKS == 0))
        self.ticks += 1
        rated = await asyncio.to_thread(self._rated) if ended else {}
        look = await asyncio.to_thread(self._read, whole, rated, ended=ended)
        seen, put = look.seen, self.artifacts.put
        told = wave_phrase(seen, ended)
        share = progress.share(seen.snapshot, seen.expected)
        await put(f"{self.key}-progress", share, told)
        await put(f"{self.key}-summary", wave_text(seen, ended), told)
        if whole:
            await self._put_whole(look)
        if look.waves is not None:
            await put("kogge-waves", *look.waves)
        if narrated:
            get_run_logger().info(progress_line(seen, look.lines))
        if ended or time.monotonic() >= self.items_due:
            await self._put_items(seen.now)
        if ended:
            await self._put_scores(seen, rated)
            await self._tell_report()
            await end_earlier(self.wave, {one.number for one in self.shards}, share)

    async def _put_whole(self, look: Look) -> None:
        at = clock(look.seen.now)
        lines, paused = look.lines, look.seen.paused
        listed = mailboxes_text(self.wave, lines, look.seen.now, ui_links.base(), paused)
        made = await self.artifacts.put(self.key, listed, f"{mailboxes_phrase(lines, paused)} ({at})")
        if made is not None and (ui := ui_links.base()):
            get_run_logger().info("the mailboxes of this wave: %s", ui_links.version(ui, made))
        batches = f"{many(len(look.batches), 'batch', 'batches')} of wave {self.wave} ({at})"
        await self.artifacts.put(f"{self.key}-batches", look.batches, batches)

    async def _put_items(self, now: datetime) -> None:
        """Show what failed and what was lost, by item."""
        began = time.monotonic()
        failed, losses = await asyncio.to_thread(self._items)
        self.items_due = time.monotonic() + max(60.0, ITEMS_SHARE * (time.monotonic() - began))
        at = clock(now)
        text = failures_text(self.wave, failed, now)
        await self.artifacts.put(
            progress.slug("failures", self.wave), text, f"{failures_phrase(failed)} ({at})"
        )
        text = losses_text(self.wave, losses, now)
        await self.artifacts.put(
            progress.slug("losses", self.wave), text, f"lost: {losses_phrase(losses)} ({at})"
        )

    async def _put_scores(self, seen: Seen, rated: Mapping[str, Score]) -> None:
        rows = score_rows(rated, seen.snapshot.mailboxes)
        counted = ", ".join(f"{one['mailboxes']} {one['score']}" for one in rows if one["mailboxes"])
        await self.artifacts.put(f"{self.key}-scores", rows, f"scores: {counted} ({clock(seen.now)})")

    def _rated(self) -> dict[str, Score]:
        """Ask the ledger for the scores, in a thread."""
        legs = self.runner.snapshot(self.wave, self.asked.mailboxes).legs
        return scores(self.runner.ledger, {leg.mailbox for leg in legs})

    def _items(self) -> tuple[dict[str, Failing], Counter[tuple[Kind, str, str]]]:
        """Ask the ledger what failed and what was lost, in a thread."""
        ledger = self.runner.ledger
        summaries = ledger.summary(self.wave)
        absent = absent_of(ledger, {leg.mailbox for leg in summaries})
        return failing(absent, summaries), lost_of(summaries)

    def _read(self, whole: bool, rated: Mapping[str, Score], *, ended: bool) -> Look:
        """Ask the ledger, and record the wave's progress in it, in a thread.

        Args:
            whole: look at all waves, too.
            rated: scores by mailbox, once the run has ended.
            ended: the run has ended.
        """
        ledger, now = self.runner.ledger, datetime.now(UTC)
        record(ledger, self.wave)
        if whole:
            self._estimate(ended=ended)
            rows = () if self.asked.workloads else plan_rows(ledger, self.wave)
            self.checked = {row.mailbox: row.items for row in rows}
        shot = self.runner.snapshot(self.wave, self.asked.mailboxes, self.asked.workloads)
        expected = progress.expected(shot.legs, self.checked)
        left, health = self.left.get(self.wave), newest(ledger)
        boxes = ledger.mailboxes(self.wave) if whole else []
        if whole:
            self.stopped = self._stops(boxes, shot)
        person = self.stopped.keys() | ({self.canary[0]} if self.canary is not None else set())
        paused = paused_since(ledger, self.wave)
        down = self.servers.look(health, self._servers(shot), now)
        rate = self.pace.add(shot.at, shot.done) or 0.0
        seen = Seen(self.wave, shot, rate, left, health, now, expected, person, paused, down)
        low = (
            would_stop(ledger, [row for row in boxes if row.phase is not Phase.LIVE], rated) if rated else ()
        )
        lines = mailbox_lines(shot.legs, boxes, self.checked, low, self.stopped) if whole else []
        lines = stopped_at(lines, *self.canary) if self.canary is not None else lines
        all_waves = self._all_waves(seen, lines) if ended or (whole and not self.waves.waits) else None
        return Look(seen, batch_rows(self.shards, shot, self.checked), lines, all_waves)

    def _estimate(self, *, ended: bool) -> None:
        """Ask the ledger what is left of all waves, unless that is to wait."""
        if self.estimate.waits and not ended:
            return
        with self.estimate.counted():
            self.ahead = self.ahead or Eta(self.runner.config, self.runner.ledger)
            self.left = self.ahead.left()

    def _servers(self, shot: progress.Snapshot) -> set[str]:
        """Return the servers that the wave uses."""
        kinds = {leg.workload for leg in shot.legs}
        return {name for kind in kinds for name in systems_of(self.runner.config, kind)}

    def _all_waves(self, seen: Seen, lines: Sequence[MailboxFacts]) -> tuple[str, str]:
        """Ask the ledger for all waves."""
        ledger = self.runner.ledger
        with self.waves.counted():
            checked = {number: items for number, (items, _) in checks(ledger).items()}
            legs, boxes = ledger.legs(), ledger.mailboxes()
            person = {line.mailbox for line in lines if line.needs_person}
            person |= stops(ledger, self.runner.config.hooks, boxes, legs).keys()
            waves = wave_lines(legs, boxes, checked, person)
            still = {row.name for row in Waves(ledger).all() if row.paused} | (
                set() if seen.rate and not seen.down else {self.wave}
            )
            return overall_text(waves, self.left, seen.now, still), overall_phrase(waves, seen.now)

    def _stops(self, boxes: Sequence[MailboxRow], shot: progress.Snapshot) -> dict[str, Stop]:
        """Ask the ledger why mailboxes need a person, of those that are looked at."""
        looked = {leg.mailbox for leg in shot.legs}
        own = [row for row in boxes if row.id in looked]
        return stops(self.runner.ledger, self.runner.config.hooks, own, shot.legs)

    async def _tell_report(self) -> None:
        """Show the file of the newest report of this wave, if there is one.

        Its directory may name a person, so it is left out.
        """
        state = self.runner.config.state_directory
        page = await asyncio.to_thread(newest_page, state, self.wave)
        if page is not None:
            told = f"the page of wave {self.wave}; `kogge report` makes it anew"
            await self.artifacts.put(f"{self.key}-report", report_text(self.wave, page.name), told)

    async def link(self) -> None:
        """Show the link to every run of this wave."""
        if ui := ui_links.base():
            runs, text = ui_links.runs_of(ui, self.wave), f"All runs of wave {self.wave}"
            await self.artifacts.link(f"{self.key}-runs", runs, text, f"every run of wave {self.wave}")


def report_text(wave: str, name: str) -> str:
    """Return where the page of a wave lies, by its file alone."""
    return f"## Report of wave {wave}\n\nIt is the file `{name}` in `{REPORTS}` of the state directory.\n"


def clock(now: datetime) -> str:
    """Return the time of day, as cards show it."""
    return f"{now.astimezone(UTC):%H:%M} UTC"


@asynccontextmanager
async def shown(
    runner: LegRunner, asked: WaveParameters | VerifyParameters, shards: Sequence[BatchParameters]
) -> AsyncIterator[Board]:
    """Keep the board current during the block, and leave the wave's end on it.

    It is made before the block begins. A Prefect server on SQLite refuses one of two writes at a time, and
    its client waits two seconds before it asks again.
    """
    board = Board(runner, asked, shards)
    await draw("the link of a wave", board.link)
    await draw("the page of a wave", board.show)
    try:
        async with keep_drawing("the page of a wave", board.show, TICK_SECONDS, before=TICK_SECONDS):
            yield board
    finally:
        await draw("the page of a wave", functools.partial(board.show, ended=True))
