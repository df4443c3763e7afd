"""A batch in Prefect's UI while it runs: its progress, and which servers are not well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from engine.pacing import server_notices
from flows.process.background_task import standing, tried
from flows.process.leg_runner import LegRunner
from flows.process.parameters import BatchParameters
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

    async def look(self) -> None:
        """Renews what is shown, where it changed."""
        if self._made is None:
            self._made = await acreate_progress_artifact(
                progress=self._told, key=self._key, description=self._title
            )
        done = progress.percent(await asyncio.to_thread(self._seen))
        if done != self._told:
            await aupdate_progress_artifact(self._made, progress=done, description=self._title)
            self._told = done
        if (
            lines := server_notices.unwell(self._runner.admission.seen, self._runner.admission.causes())
        ) != self._said:
            await tell(lines, f"{self._key}-servers", f"{self._title}: servers")
            self._said = lines


@asynccontextmanager
async def shown(
    parameters: BatchParameters, runner: LegRunner, seen: Callable[[], progress.Snapshot], seconds: float
) -> AsyncIterator[None]:
    """Keeps the batch's page current for the length of the block, once in so many seconds, and leaves its end
    on it. seen: asks the ledger."""
    page = _Shown(parameters, runner, seen)
    try:
        async with standing("the page of a batch", page.look, seconds):
            yield
    finally:
        await tried("the page of a batch", page.look)


async def tell(lines: Sequence[str], key: str, title: str) -> None:
    """To Prefect: a line each in the run's log, and all of them as an artifact; none: all is well again."""
    from prefect import get_run_logger
    from prefect.artifacts import acreate_markdown_artifact

    for line in lines or ("all servers are well again",):
        get_run_logger().warning(line)
    text = "\n".join(f"- {line}" for line in lines) or "All servers are well again."
    await acreate_markdown_artifact(f"## {title}\n\n{text}\n", key=key, description=title)
