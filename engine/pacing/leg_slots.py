"""The places for legs at work in one process, and who gets the next one."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeAlias

from engine.pacing.admission import TICK_SECONDS, Admission, AdmissionEntry

if TYPE_CHECKING:
    from model.protocols import Kind

Rank: TypeAlias = tuple[int, int]
"""The batch's number, and the mailbox's place in it: who is lower goes first."""

FIRST: Rank = (0, 0)


class Slots:
    """As a semaphore of asyncio, but that of those who wait the lowest rank comes first."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._order = count()
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []

    async def acquire(self, rank: Rank = FIRST) -> None:
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
    """What a Slot asks of whoever runs the legs of a process."""

    @property
    def admission(self) -> Admission: ...

    @property
    def slots(self) -> Slots: ...

    @property
    def shut(self) -> bool: ...


class LegSlot:
    """A place for one leg, and the servers' leave to begin. Idempotent on both sides, so that it cannot leak.
    entry: while it is held, the leg as the admission knows it."""

    def __init__(self, runner: Runner, workload: Kind, rank: Rank = FIRST) -> None:
        self._runner = runner
        self._workload = workload
        self._rank = rank
        self._held = False
        self.entry: AdmissionEntry | None = None

    async def acquire(self) -> None:
        """Waits for both. Once no more legs are to begin, or a server was unwell for too long, only for a
        place."""
        if self._held:
            return
        admission, slots = self._runner.admission, self._runner.slots
        self.entry = admission.join(self._workload, self._rank)
        try:
            await slots.acquire(self._rank)
            while not (self._runner.shut or admission.lost(self.entry) or admission.begin(self.entry)):
                slots.release()  # another server's leg may use it
                await asyncio.sleep(TICK_SECONDS)
                await slots.acquire(self._rank)
            self._held = True
        finally:
            if not self._held:
                admission.leave(self.entry)

    def release(self) -> None:
        if self._held and self.entry is not None:
            self._held = False
            self._runner.admission.leave(self.entry)
            self._runner.slots.release()
