"""The artifact `cutover-NAME` of a wave, kept current while its cutover runs or waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime

from engine.cutover.outlook import obstacles
from engine.cutover.steps import CutoverResult
from flows.display.cutover_page import CutoverLine, cutover_text, cutover_told, read_lines
from flows.display.published import Published
from ledger.store import Ledger
from reports.progress import slug

TICK_SECONDS = 15.0


class CutoverArtifact:
    """Show the cutover of a wave. `lines` holds what the newest look found.

    Args:
        ledger: the ledger.
        wave: the wave.
        mailboxes: only these; empty for the whole wave.
        ended: results so far; read at each look, and added to by whoever runs the cutover.
    """

    def __init__(
        self, ledger: Ledger, wave: str, mailboxes: Collection[str], ended: Collection[CutoverResult]
    ) -> None:
        self._ledger = ledger
        self._wave = wave
        self._mailboxes = frozenset(mailboxes)
        self._ended = ended
        self._artifacts = Published()
        self.lines: list[CutoverLine] = []

    async def look(self) -> None:
        """Show where each mailbox is now."""
        self.lines = await asyncio.to_thread(self._read, foresee=False)
        await self._show(None)

    async def waits(self, why: str) -> None:
        """Show why the run waits, and what would stop each mailbox if it began now."""
        self.lines = await asyncio.to_thread(self._read, foresee=True)
        await self._show(why)

    async def _show(self, why: str | None) -> None:
        now = datetime.now(UTC)
        told = f"{'waits for a person; ' if why else ''}{cutover_told(self.lines)} ({now:%H:%M} UTC)"
        text = cutover_text(self._wave, self.lines, now, why)
        await self._artifacts.put(slug("cutover", self._wave), text, told)

    def _read(self, *, foresee: bool) -> list[CutoverLine]:
        """Asks the ledger; in a thread."""
        rows = [
            row
            for row in self._ledger.mailboxes(self._wave)
            if not self._mailboxes or row.id in self._mailboxes
        ]
        codes = obstacles(self._ledger, rows) if foresee else {}
        codes |= {cut.mailbox: cut.code for cut in tuple(self._ended)}
        return read_lines(self._ledger, rows, codes)
