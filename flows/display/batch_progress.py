"""A batch in Prefect's UI while it runs: its progress, and which servers are not well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from engine.pacing import server_notices
from engine.pacing.server_names import UNWELL
from flows.display.failing_servers import failing
from flows.display.prefect_events import tell as tell_event
from flows.process.background_task import draw, keep_drawing
from flows.process.leg_runner import LegRunner
from flows.process.parameters import BatchParameters
from ledger.views.sizes import checks
from reports import progress


class _Shown:
    def __init__(
        self, parameters: BatchParameters, runner: LegRunner, seen: Callable[[], progress.Snapshot]
    ) -> None:
        self._runner = runner
        self._seen = seen
        self._title = f"wave {parameters.wave}, batch {parameters.number} of {parameters.of}"
        self._key = progress.slug("batch", parameters.wave, parameters.number)
        self._made: UUID | None = None
        self._told = 0.0
        self._said: list[str] = []
        self._wave = parameters.wave
        self._workloads = parameters.workloads
        self._failing: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Renew what is shown, where it changed."""
        if self._made is None:
            self._made = await acreate_progress_artifact(
                progress=self._told, key=self._key, description=self._title
            )
        done = await asyncio.to_thread(self._share)
        if done != self._told:
            told = f"{self._title}: {done:.0f} %"
            await aupdate_progress_artifact(self._made, progress=done, description=told)
            self._told = done
        if (
            lines := server_notices.unwell(self._runner.admission.seen, self._runner.admission.causes())
        ) != self._said:
            await tell(lines, f"{self._key}-servers", f"{self._title}: servers")
            self._said = lines
        self._announce(failing(self._runner.admission.seen), self._runner.admission.causes())

    def _share(self) -> float:
        """Ask the ledger for the share that is done, in a thread; it is that of the wave's own page."""
        shot = self._seen()
        checked = {} if self._workloads else checks(self._runner.ledger, self._wave)
        known = {number: items for number, (items, _) in checked.items()}
        return progress.share(shot, progress.expected(shot.legs, known))

    def _announce(self, systems: frozenset[str], causes: Mapping[str, str]) -> None:
        """Send an event for each server once that begins to fail."""
        for system in sorted(systems - self._failing):
            tell_event("server.unwell", self._wave, system=system, code=causes.get(system) or UNWELL)
        self._failing = systems


@asynccontextmanager
async def shown(
    parameters: BatchParameters, runner: LegRunner, seen: Callable[[], progress.Snapshot], seconds: float
) -> AsyncIterator[None]:
    """Keep the batch's page current during the block, and leave its end on it.

    It is made before the block begins, as that of its wave.

    Args:
        parameters: of the batch.
        runner: of this process.
        seen: asks the ledger.
        seconds: between two looks.
    """
    page = _Shown(parameters, runner, seen)
    await draw("the page of a batch", page.look)
    try:
        async with keep_drawing("the page of a batch", page.look, seconds, before=seconds):
            yield
    finally:
        await draw("the page of a batch", page.look)


async def tell(lines: Sequence[str], key: str, title: str) -> None:
    """Write the lines to the run's log and into an artifact; without a line all servers are well again."""
    from prefect import get_run_logger
    from prefect.artifacts import acreate_markdown_artifact

    for line in lines or ("all servers are well again",):
        get_run_logger().warning(line)
    text = "\n".join(f"- {line}" for line in lines) or "All servers are well again."
    await acreate_markdown_artifact(f"## {title}\n\n{text}\n", key=key, description=title)
