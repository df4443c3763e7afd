"""Whether anybody takes the runs that a wave put into a queue; else people wait for ever and are not told."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import WorkQueue
from prefect.exceptions import ObjectNotFound

from flows.process.leg_runner import LegRunner

LOOK_SECONDS = 10.0
BEGIN_SECONDS = 20.0
"""A worker asks every few seconds, and takes some to start a process."""
SILENT_SECONDS = 60.0


class QueueWatch:
    """Watch whether a worker takes the runs of a queue.

    What it finds is in runner.notice, and in a line of the wave's log for each change.

    Args:
        runner: gets the notice.
        queue: its name.
        left: the runs that have not ended, in their order.
    """

    def __init__(self, runner: LegRunner, queue: str, left: list[UUID]) -> None:
        self._runner = runner
        self._queue = queue
        self._left = left
        self._since = time.monotonic()

    async def look(self) -> None:
        """Ask Prefect whether the next run has begun, and if not, who asks the queue for work."""
        word = None
        if self._left and time.monotonic() > self._since + BEGIN_SECONDS:
            async with get_client() as client:
                word = await self._word(client)
        if word is None or word == self._runner.notice:
            self._runner.notice = word
            return
        self._runner.notice = word
        get_run_logger().warning(word)

    async def _word(self, client: PrefectClient) -> str | None:
        run = await client.read_flow_run(self._left[0])
        if run.state is None or not run.state.is_scheduled():
            return None
        pool = self._runner.config.prefect.work_pool
        try:
            queue = await client.read_work_queue_by_name(self._queue, work_pool_name=pool)
        except ObjectNotFound:
            return f"the work pool {pool} has no queue {self._queue}; `kogge setup` makes it"
        if queue.is_paused:
            return f"the queue {self._queue} is paused in Prefect; resume it there"
        return None if _is_asked(queue) else self._advice()

    def _advice(self) -> str:
        file = self._runner.config.path.name
        config = "" if file == "kogge.toml" else f" -c {file}"
        command = f"kogge worker{config} --queue {self._queue}"
        return f"no worker takes runs from the queue {self._queue}; start one: {command}"


def _is_asked(queue: WorkQueue) -> bool:
    """Return True if a worker asked the queue for work a short time ago.

    It compares this machine's clock with the server's.
    """
    if queue.last_polled is None:
        return False
    return (datetime.now(UTC) - queue.last_polled).total_seconds() < SILENT_SECONDS
