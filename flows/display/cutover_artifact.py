"""The artifact `cutover-NAME` of a wave, kept current while its cutover runs or waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime

from prefect import get_run_logger

from engine.cutover.outlook import obstacles
from engine.cutover.steps import CutoverResult
from flows.display import ui_links
from flows.display.cutover_page import CutoverLine, cutover_phrase, cutover_text, read_lines, work_phrase
from flows.display.published import Published
from flows.display.ui_links import linked
from ledger.store import Ledger
from reports.progress import slug

TICK_SECONDS = 15.0
LINE_TICKS = 4
"""The log has a line once in so many looks."""


class CutoverArtifact:
    """Show the cutover of a wave. `lines` holds what the newest look found.

    Args:
        ledger: the ledger.
        wave: the wave.
        mailboxes: only these; empty for the whole wave.
        ended: results so far; read at each look, and added to by the cutover.
    """

    def __init__(
        self, ledger: Ledger, wave: str, mailboxes: Collection[str], ended: Collection[CutoverResult]
    ) -> None:
        self._ledger = ledger
        self._wave = wave
        self._mailboxes = frozenset(mailboxes)
        self._ended = ended
        self._artifacts = Published()
        self._looks = 0
        self.lines: list[CutoverLine] = []

    async def look(self) -> None:
        """Show where each mailbox is now, while a run is at work; tell the run's log once a minute."""
        self.lines = await asyncio.to_thread(self._read, foresee=False)
        await self._show(None, at_work=True)
        if self._looks % LINE_TICKS == 0:
            get_run_logger().info(work_phrase(self.lines))
        self._looks += 1

    async def end(self) -> None:
        """Show where each mailbox is once the run has ended, and what to type."""
        self.lines = await asyncio.to_thread(self._read, foresee=False)
        await self._show(None)

    async def waits(self, why: str) -> None:
        """Show why the run waits, and what would stop each mailbox if it began now."""
        self.lines = await asyncio.to_thread(self._read, foresee=True)
        await self._show(why)

    async def _show(self, why: str | None, *, at_work: bool = False) -> None:
        now = datetime.now(UTC)
        how = "waits for a person; " if why else "at work; " if at_work else ""
        told = f"{how}{cutover_phrase(self.lines)} ({now:%H:%M} UTC)"
        ui = ui_links.base()
        text = cutover_text(
            self._wave, self.lines, now, why, at_work=self._if_it_dies(ui) if at_work else None
        )
        made = await self._artifacts.put(slug("cutover", self._wave), text, told)
        if made is not None and ui:
            get_run_logger().info("the page of this cutover: %s", ui_links.version(ui, made))

    def _if_it_dies(self, ui: str) -> str:
        runs = linked("the run", ui_links.runs_of(ui, self._wave))
        return (
            f"The run renews this page every {TICK_SECONDS:.0f} seconds. If the time below stands still for "
            f"minutes, look at {runs}: if it is `Crashed`, start the cutover again, and it goes on where it "
            "stopped."
        )

    def _read(self, *, foresee: bool) -> list[CutoverLine]:
        """Ask the ledger, in a thread."""
        rows = [
            row
            for row in self._ledger.mailboxes(self._wave)
            if not self._mailboxes or row.id in self._mailboxes
        ]
        codes = obstacles(self._ledger, rows) if foresee else {}
        codes |= {cut.mailbox: cut.code for cut in tuple(self._ended)}
        return read_lines(self._ledger, rows, codes)
