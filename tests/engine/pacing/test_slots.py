"""Places for legs: who comes first, and that none leaks."""

from __future__ import annotations

import asyncio

from engine.pacing.leg_slots import Slots


def test_the_lowest_rank_that_waits_gets_the_next_place() -> None:
    async def run() -> list[tuple[int, int]]:
        slots, order = Slots(1), list[tuple[int, int]]()
        await slots.acquire()

        async def work(rank: tuple[int, int]) -> None:
            await slots.acquire(rank)
            order.append(rank)
            slots.release()

        ranks = [(2, 0), (1, 1), (1, 0), (2, 1), (1, 0)]
        waiting = [asyncio.create_task(work(rank)) for rank in ranks]
        await asyncio.sleep(0)
        slots.release()
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(run()) == [(1, 0), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_who_gives_up_waiting_takes_no_place_with_it() -> None:
    async def run() -> tuple[bool, bool, int]:
        slots = Slots(1)
        async with slots:
            early, late = (asyncio.create_task(slots.acquire()) for _ in range(2))
            await asyncio.sleep(0)
            early.cancel()
        late.cancel()  # its turn has come, and it does not know yet
        await asyncio.wait([early, late])
        then = [asyncio.create_task(slots.acquire()) for _ in range(2)]
        done, waiting = await asyncio.wait(then, timeout=0.1)
        for one in waiting:
            one.cancel()
        return early.cancelled(), late.cancelled(), len(done)

    assert asyncio.run(run()) == (True, True, 1), "neither lost nor doubled"
