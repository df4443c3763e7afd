"""Take up again, within one run of a wave, what its batches left because they died.

A batch ends when its process, its machine or its ledger does, and its mailboxes stay where they are. The wave
sends what nobody holds into new batches, with pauses, until everything came to its end, nothing moves any
more, or its window closes. What needs a person is left alone, and so is what a person cancelled.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prefect import get_run_logger

from engine.planning.maintenance_windows import gate_of
from flows.batches import Asked, Send, runs, seen_of, shared_out
from flows.dispatch import Batch
from flows.process.leg_runner import LegRunner
from flows.process.parameters import BatchParameters
from ledger.db.rows import LegRow, LegState
from model.plural import many
from reports.progress import SETTLED, WORKER_GONE

PAUSES = (15.0, 60.0, 300.0, 900.0)
"""Seconds before another round, by the rounds in a row in which nothing moved; the last of them repeats."""
FRUITLESS = 3
"""After so many rounds in a row in which nothing moved, a wave without a window ends."""
DEATHS = 8
"""After so many deaths of workers that had it in hand, a mailbox waits for a later run. An item that kills
its worker is rejected before (ADR 30)."""
TICK_SECONDS = 1.0
LEASE_TICK_SECONDS = 5.0


@dataclass(slots=True)
class Rounds:
    """Run the batches of a wave, and then what they left.

    Attributes:
        runner: of this process.
        asked: what the wave was asked.
        send: hands batches out, and returns when all have ended.
        in_batch: the flow of a batch.
        epochs: by leg, its epoch when the wave began: one that is still the same was in no worker's hand. It
            is empty for a run that was started again, as others may have been at work in between.
        batches: all batches so far; new ones are added.
        deaths: by mailbox, how often a worker died that had it in hand.
        dead: by leg, the epoch in which its newest worker died, so that a death counts once.
    """

    runner: LegRunner
    asked: Asked
    send: Send
    in_batch: Batch
    epochs: Mapping[int, int]
    batches: list[BatchParameters]
    deaths: Counter[str] = field(default_factory=Counter)
    dead: dict[int, int] = field(default_factory=dict)

    async def run(self, shards: Sequence[BatchParameters]) -> None:
        """Run these batches, and what they leave, until nothing is left that a new batch could move."""
        if self._over:
            self.runner.cut = self.runner.cut or bool(shards)
            return
        await self.send(self.in_batch, shards, self.runner)
        if self.asked.options.dry_run:
            return
        boxes = frozenset(one for shard in shards for one in shard.mailboxes)
        fruitless = 0
        while left := self._spared(await self._left(boxes)):
            died = self._count_deaths(left)
            if not (left := self._spared(left)) or (
                fruitless >= FRUITLESS and not await self.runner.ask_ledger(self._has_window)
            ):
                return
            if not await self._paused(PAUSES[min(fruitless, len(PAUSES) - 1)], left):
                return
            before = _moved(left)
            if again := self._spared(await self._left(boxes)):
                await self._again(again)
            seen = await self.runner.ask_ledger(seen_of, self.runner, self.asked)
            now = {row.id for row in left}
            moved = before != _moved(row for row in seen.legs if row.id in now)
            fruitless = 0 if moved or died else fruitless + 1  # DEATHS bounds rounds that end by deaths

    @property
    def _over(self) -> bool:
        return self.runner.shut or self.runner.fault is not None

    async def _left(self, boxes: frozenset[str]) -> list[LegRow]:
        """Return the legs of these mailboxes that are open and that nobody holds.

        It waits for a worker that still holds one: for the end of its lease, and in a wave of many workers
        for the end of its work.
        """
        leases: dict[int, object] = {}
        while not self._over:
            seen = await self.runner.ask_ledger(seen_of, self.runner, self.asked)
            own = [row for row in seen.legs if row.mailbox in boxes - self.runner.called_off]
            if not any(self._is_awaited(row, leases) for row in own if row.state is LegState.RUNNING):
                left = [row for row in own if self._is_left(row)]
                return left if await self.runner.ask_ledger(self._is_worth_a_round, left) else []
            await self._wait(LEASE_TICK_SECONDS)
        return []

    def _is_awaited(self, row: LegRow, leases: dict[int, object]) -> bool:
        """Return True if the worker that holds a leg may still finish it, or may have died a moment ago.

        Args:
            row: a leg that is held.
            leases: by leg, the end of the lease as it was first seen.
        """
        renewed = leases.setdefault(row.id, row.lease_until) != row.lease_until
        return not renewed or self._by_workers

    @property
    def _by_workers(self) -> bool:
        return self.runner.config.prefect.dispatch == "deployment"

    def _is_left(self, row: LegRow) -> bool:
        if not runs(row, self.asked):
            return False
        if row.state in (LegState.PENDING, LegState.WAITING):
            return True
        return row.state is not LegState.RUNNING and self.epochs.get(row.id) == row.epoch

    def _is_worth_a_round(self, left: Sequence[LegRow]) -> bool:
        """Return False if legs only wait for a server while a person watches the command."""
        waits = all(row.state is LegState.WAITING and row.code != WORKER_GONE for row in left)
        return not waits or self._by_workers or self._has_window()

    def _has_window(self) -> bool:
        return gate_of(self.runner.config, self.runner.ledger, self.asked.wave).window is not None

    async def _paused(self, seconds: float, left: Sequence[LegRow]) -> bool:
        """Say what is left, and wait. Return False if the run comes to its end meanwhile."""
        boxes = many(len({row.mailbox for row in left}), "mailbox is", "mailboxes are")
        codes = Counter(row.code or str(row.state) for row in left)
        why = ", ".join(f"{count} {code}" for code, count in sorted(codes.items()))
        line = f"{boxes} open and in nobody's hand ({why}); they are tried again in {seconds:.0f} seconds"
        get_run_logger().info(line)
        self.runner.notice = line
        await self._wait(seconds)
        self.runner.notice = None
        return not self._over

    def _count_deaths(self, left: Sequence[LegRow]) -> bool:
        """Return True if workers died since this was last asked, with one of these legs in hand."""
        new = [row for row in left if row.code == WORKER_GONE and self.dead.get(row.id) != row.epoch]
        self.dead |= {row.id: row.epoch for row in new}
        for mailbox in sorted({row.mailbox for row in new}):
            self.deaths[mailbox] += 1
            if self.deaths[mailbox] == DEATHS:
                told = f"{mailbox}: {DEATHS} workers died that had it in hand; a later run tries it again"
                get_run_logger().warning(told)
        return bool(new)

    def _spared(self, left: Iterable[LegRow]) -> list[LegRow]:
        """Return the legs of mailboxes with fewer than DEATHS."""
        return [row for row in left if self.deaths[row.mailbox] < DEATHS]

    async def _wait(self, seconds: float) -> None:
        while seconds > 0 and not self._over:
            await asyncio.sleep(min(TICK_SECONDS, seconds))
            seconds -= TICK_SECONDS

    async def _again(self, left: Sequence[LegRow]) -> None:
        """Send what is left in new batches.

        A mailbox whose worker died twice goes alone, so that its next death takes no other with it. What is
        verified is left out of a mailbox whose other workloads are open.
        """
        alone = {row.mailbox for row in left if self.deaths[row.mailbox] > 1}
        looked_at = {row.mailbox for row in left if row.state in SETTLED}
        size = self.runner.config.run.batch
        shards: list[BatchParameters] = []
        for boxes, most in (({row.mailbox for row in left} - alone, size), (alone, 1)):
            for part, rest in ((boxes & looked_at, False), (boxes - looked_at, True)):
                rows = [row for row in left if row.mailbox in part]
                shards += shared_out(rows, self.asked, most, rest=rest)
        first, of = len(self.batches) + 1, len(self.batches) + len(shards)
        shards = [
            shard.model_copy(update={"number": number, "of": of})
            for number, shard in enumerate(shards, first)
        ]
        self.batches += shards
        self.runner.cut = False
        await self.send(self.in_batch, shards, self.runner)


def _moved(rows: Iterable[LegRow]) -> dict[int, tuple[object, ...]]:
    """Return what changes in legs when something moves: how much is done, and whether all of it is."""
    return {row.id: (row.done, row.bytes, row.state in SETTLED) for row in rows}
