"""Hold the places for legs at work in one process, and decide who gets the next one."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeAlias

from engine.pacing.admission import TICK_SECONDS, Admission, AdmissionEntry

if TYPE_CHECKING:
    from model.kinds import Kind

Rank: TypeAlias = tuple[int, int]
"""The number of the batch, and the place of the mailbox in it. The lower rank goes first."""

FIRST: Rank = (0, 0)


class Slots:
    """Limit concurrency like asyncio.Semaphore, but wake the waiter with the lowest rank."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._order = count()
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []

    async def acquire(self, rank: Rank = FIRST) -> None:
        """Wait for a place and take it."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Give a place back, to the waiter with the lowest rank."""
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()


class Runner(Protocol):
    """Describe what a LegSlot needs of whoever runs the legs of a process."""

    @property
    def admission(self) -> Admission:
        """The admission of the process."""

    @property
    def slots(self) -> Slots:
        """The places of the process."""

    @property
    def shut(self) -> bool:
        """True once no more legs are to begin."""


class LegSlot:
    """Hold a place for one leg and the servers' permission to begin.

    Both methods are idempotent, so that a place cannot leak.

    Attributes:
        entry: the leg as the admission knows it, while the place is held.
    """

    def __init__(self, runner: Runner, workload: Kind, rank: Rank = FIRST) -> None:
        self._runner = runner
        self._workload = workload
        self._rank = rank
        self._held = False
        self.entry: AdmissionEntry | None = None

    async def acquire(self) -> None:
        """Wait for a place and for the servers' permission.

        Once no more legs are to begin, or a server was unwell for too long, wait for a place only.
        """
        if self._held:
            return
        admission, slots = self._runner.admission, self._runner.slots
        self.entry = admission.join(self._workload, self._rank)
        try:
            await slots.acquire(self._rank)
            while not (self._runner.shut or admission.lost(self.entry) or admission.begin(self.entry)):
                slots.release()  # a leg of another server may use it
                await asyncio.sleep(TICK_SECONDS)
                await slots.acquire(self._rank)
            self._held = True
        finally:
            if not self._held:
                admission.leave(self.entry)

    def release(self) -> None:
        """Give place and permission back. Idempotent."""
        if self._held and self.entry is not None:
            self._held = False
            self._runner.admission.leave(self.entry)
            self._runner.slots.release()
