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
BEGUN = "begun"
NOT_BEGUN = "had not begun when its process or Prefect failed: `Crashed`; nothing of it was touched"


class BatchWatch:
    """Watch the batches of a wave that workers have.

    Attributes:
        left: the runs that have not ended, in their order.
        lost: what a worker could not begin.
        begun: how many have begun.
        cut: True if one ended early.
        called_off: the mailboxes of those that were cancelled.
    """

    def __init__(self, sent: Mapping[UUID, BatchParameters], say: Callable[[str], None]) -> None:
        self.left = list(sent)
        self.lost: list[BatchParameters] = []
        self.begun = 0
        self.cut = False
        self.called_off: set[str] = set()
        self._sent = dict(sent)
        self._say = say
        self._told: dict[UUID, str] = {}

    def add(self, number: UUID, shard: BatchParameters) -> None:
        """Watch another run, too."""
        if number not in self._sent:
            self.left.append(number)
        self._sent[number] = shard

    def take_lost(self) -> list[BatchParameters]:
        """Return the batches that the caller has to begin again, and forget them."""
        taken, self.lost = self.lost, []
        return taken

    async def all_ended(self) -> bool:
        """Return True if all have ended, or if one could not begin.

        It asks one question a tick, however many runs there are up to PAGE, and takes those that have ended
        from the list. The wave's log gets a line for each that has begun, was suspended, or has ended.
        """
        asked = self.left[:PAGE]
        if asked:
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=asked))
            async with get_client() as client:
                found = {run.id: run for run in await client.read_flow_runs(flow_run_filter=wanted)}
            for number in asked:
                self._look(number, found.get(number))
        return not self.left or bool(self.lost)

    def _look(self, number: UUID, run: FlowRun | None) -> None:
        word = word_of(run)
        shard = self._sent[number]
        if word is not None and self._told.get(number) != word:
            self._told[number] = word
            self.begun += word == BEGUN
            self._say(f"batch {shard.number}/{shard.of} {word}")
        if run is None or has_ended(run, datetime.now(UTC)):
            self.left.remove(number)
            if run is not None and could_not_begin(run):
                self.lost.append(shard)
            else:
                self.cut = self.cut or run is None or run.state is None or not run.state.is_completed()
            if run is not None and run.state is not None and run.state.is_cancelled():
                self.called_off.update(shard.mailboxes)


def could_not_begin(run: FlowRun) -> bool:
    """Return True if a worker took the run and it ended before any of it ran.

    Prefect gives such a run a start time nevertheless: that of its end.
    """
    return run.state is not None and run.state.is_crashed() and run.run_count == 0


def has_ended(run: FlowRun, now: datetime) -> bool:
    """Return True if nothing of the run comes any more.

    A suspended one may be resumed for as long as Prefect offers that.
    """
    state = run.state
    if state is None:
        return False
    until = state.state_details.pause_timeout
    return state.is_final() or (state.is_paused() and until is not None and until < now)


def word_of(run: FlowRun | None) -> str | None:
    """Return what the log says of a batch; None while it only waits for a worker."""
    if run is None:
        return "was deleted in Prefect; the wave takes up what it left"
    state = run.state
    if state is None or state.is_scheduled() or state.is_pending():
        return None
    if could_not_begin(run):
        return NOT_BEGUN
    if state.is_running():
        return BEGUN
    if state.is_paused():
        return "is suspended: *Resume* on its page lets it go on; the wave waits for it"
    if state.type is StateType.CANCELLING:
        return "is being cancelled"
    return end_of(state)


def end_of(state: State[Any]) -> str:
    """Return what the log says of a batch that has ended: its state, named once, and its message."""
    name = str(state.name)
    message = (state.message or "").removeprefix(f"{name.lower()}: ")
    return f"ended: {name}: {message}" if message else f"ended: {name}"
