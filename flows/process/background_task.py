"""What goes on beside a run's work, once in so many seconds: somebody watches, reports, keeps a page current.

A passing fault of Prefect's API or of the ledger ends none of it. If it dies of a defect nevertheless, the
log of defects says so, and what depends on it is informed.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from prefect.exceptions import PrefectException

from engine.control.error_log import describe, spare
from model.errors import MigrationError

AWAY = (httpx.HTTPError, PrefectException, MigrationError, OSError)
"""What is raised while Prefect's API or the ledger is away, or a disk is full."""
PASSING = (*AWAY, ValueError, RuntimeError)
"""Whatever Prefect's client raises when its API fails or answers with something else; and the ledger."""


@asynccontextmanager
async def standing(
    name: str,
    look: Callable[[], Awaitable[object]],
    seconds: float,
    died: Callable[[], None] | None = None,
    *,
    before: float = 0.0,
) -> AsyncIterator[None]:
    """Call `look` again and again during the block.

    Args:
        name: for the log.
        look: is called.
        seconds: the pause between two calls.
        died: is called if it ends by a defect.
        before: seconds until the first call.
    """
    task = asyncio.create_task(_repeated(name, look, seconds, before))
    task.add_done_callback(functools.partial(_ended, name, died))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _repeated(name: str, look: Callable[[], Awaitable[object]], seconds: float, before: float) -> None:
    logged: set[str] = set()
    await asyncio.sleep(before)
    while True:
        await tried(name, look, logged=logged)
        await asyncio.sleep(seconds)


async def tried(
    name: str,
    look: Callable[[], Awaitable[object]],
    passing: tuple[type[Exception], ...] = PASSING,
    logged: set[str] | None = None,
) -> None:
    """Call `look` once; a passing fault is logged by its class alone.

    Args:
        name: for the log.
        look: is called.
        passing: the faults that end nothing.
        logged: the classes of faults since a call last went through. Each is logged once, and so is the call
            that goes through again. It is kept up here; whoever calls again gives the same set.
    """
    log = logging.getLogger("kogge.standing")
    known = set[str]() if logged is None else logged
    try:
        await look()
    except passing as error:
        fault = type(error).__name__
        if fault not in known:
            log.warning("%s: %s", name, fault)
        known.add(fault)
        return
    if known:
        log.warning("%s: works again", name)
        known.clear()


async def draw(name: str, look: Callable[[], Awaitable[object]], logged: set[str] | None = None) -> None:
    """Call `look`, which only shows something, once. No fault of it reaches the work: see error_log.spare.

    Args:
        name: for the log.
        look: is called.
        logged: see tried.
    """
    with spare(name):
        await tried(name, look, AWAY, logged)


@asynccontextmanager
async def keep_drawing(
    name: str, look: Callable[[], Awaitable[object]], seconds: float, *, before: float = 0.0
) -> AsyncIterator[None]:
    """Call `look`, which only shows something, again and again during the block; see standing."""
    logged: set[str] = set()
    async with standing(name, functools.partial(draw, name, look, logged), seconds, before=before):
        yield


def _ended(name: str, died: Callable[[], None] | None, task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        logging.getLogger("kogge.defect").error("%s: %s", name, describe(error))
        if died is not None:
            died()


async def together(work: Iterable[Coroutine[Any, Any, None]], stop: threading.Event) -> None:
    """Run all at the same time, and return when all have ended.

    If one raises, the others are asked to stop, and are waited for before its error is raised.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        stop.set()
        await all_ended(tasks)
        raise


async def all_ended(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Wait for all, however they end."""
    if not tasks:
        return
    ended, _ = await asyncio.wait(tasks)
    for one in ended:
        if not one.cancelled():
            one.exception()  # else Python tells of an error that nobody looked at
