"""The batches of a wave that workers have: which of them have ended, and what the wave's log says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType

from flows.process.parameters import BatchParameters

PAGE = 200


class BatchWatch:
    """left: the runs that have not ended, in their order. cut: whether one ended early. sent: what each got.
    say: takes a line of the wave's log."""

    def __init__(self, sent: Mapping[UUID, BatchParameters], say: Callable[[str], None]) -> None:
        self.left = list(sent)
        self.cut = False
        self._sent = dict(sent)
        self._say = say
        self._told: dict[UUID, str] = {}

    async def all_ended(self) -> bool:
        """Takes those that have ended from the list: one question a tick, however many there are up to PAGE.
        The wave's log hears of each that has begun, was suspended, or has ended."""
        asked = self.left[:PAGE]
        if asked:
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=asked))
            async with get_client() as client:
                found = {run.id: run for run in await client.read_flow_runs(flow_run_filter=wanted)}
            for number in asked:
                self._look(number, found.get(number))
        return not self.left

    def _look(self, number: UUID, run: FlowRun | None) -> None:
        word = word_of(run)
        if word is not None and self._told.get(number) != word:
            self._told[number] = word
            shard = self._sent[number]
            self._say(f"batch {shard.number}/{shard.of} {word}")
        if run is None or has_ended(run, datetime.now(UTC)):
            self.left.remove(number)
            self.cut = self.cut or run is None or run.state is None or not run.state.is_completed()


def has_ended(run: FlowRun, now: datetime) -> bool:
    """Whether nothing of it comes any more. A suspended one may be resumed for as long as Prefect offers."""
    state = run.state
    if state is None:
        return False
    until = state.state_details.pause_timeout
    return state.is_final() or (state.is_paused() and until is not None and until < now)


def word_of(run: FlowRun | None) -> str | None:
    """What is said of a batch; None while it only waits for a worker."""
    if run is None:
        return "was deleted in Prefect; the next run of the wave takes up what it left"
    state = run.state
    if state is None or state.is_scheduled() or state.is_pending():
        return None
    if state.is_running():
        return "begun"
    if state.is_paused():
        return "is suspended: *Resume* on its page lets it go on; the wave waits for it"
    if state.type is StateType.CANCELLING:
        return "is being cancelled"
    return end_of(state)


def end_of(state: State[Any]) -> str:
    """What is said of a batch that has ended."""
    return f"ended: {state.name}: {state.message}" if state.message else f"ended: {state.name}"
