"""Wait out a Prefect API that does not answer for a while, with the retry policy of all other servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from connectors.retry import RetryPolicy
from model.errors import Transient

T = TypeVar("T")
UNAVAILABLE = "prefect-unavailable"
PASSING = frozenset({408, 429, 500, 502, 503, 504})
TICK_SECONDS = 1.0
ADVICE = "Prefect did not answer for some minutes; nothing is lost. See that it runs, then start this again"
ANSWERS = "Prefect answers again"


class PrefectPatience:
    """Repeat what is asked of Prefect's API for as long as it may pass that the API does not answer.

    Args:
        seconds: how long it may be away since it answered last; that of the ledger's database, which it may
            share. Prefect's own client has tried each call again for about a minute before.
        stopping: returns True once no more waiting is wanted.
        say: takes a line of the run's log.
        clock: returns seconds.
    """

    def __init__(
        self,
        seconds: float,
        stopping: Callable[[], bool],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stopping = stopping
        self._say = say
        self._delays: list[float] = []
        self._policy = RetryPolicy(seconds, self._delays.append, {}, clock=clock)
        self._told = False

    async def ask(self, call: Callable[[], Awaitable[T]], begun: Callable[[], bool] = lambda: False) -> T:
        """Return what a call returns; repeat it while Prefect does not answer.

        Args:
            call: one attempt; it must be harmless twice.
            begun: returns True if a call that failed is not to be repeated, as its work has begun.

        Raises:
            Transient: `prefect-unavailable` if there is no time left, somebody wants to stop, or the work has
                begun.
            httpx.HTTPStatusError: Prefect refused the call.
        """
        while True:
            try:
                answer = await call()
            except httpx.HTTPError as error:
                if not passes(error):
                    raise
                if begun():
                    raise Transient(UNAVAILABLE, ADVICE) from None
                await self.pause(f"Prefect does not answer ({word_of(error)}); it is asked again")
            else:
                self.answered()
                return answer

    async def pause(self, line: str) -> None:
        """Wait before the next attempt, longer each time; the log says why, once.

        Raises:
            Transient: `prefect-unavailable`, as ask.
        """
        self._policy.pause(Transient(UNAVAILABLE, ADVICE))
        if not self._told:
            self._say(line)
        self._told = True
        left = self._delays.pop()
        while left > 0:
            if self._stopping():
                raise Transient(UNAVAILABLE, ADVICE)
            await asyncio.sleep(min(TICK_SECONDS, left))
            left -= TICK_SECONDS

    def answered(self) -> None:
        """Forget the faults so far; the log says that it goes on."""
        if self._told:
            self._say(ANSWERS)
        self._told = False
        self._policy.progressed()


def passes(error: httpx.HTTPError) -> bool:
    """Return True for a fault that may pass by itself."""
    return not isinstance(error, httpx.HTTPStatusError) or error.response.status_code in PASSING


def word_of(error: httpx.HTTPError) -> str:
    """Return the status of the answer, or the class of the fault; never what the server said."""
    if isinstance(error, httpx.HTTPStatusError):
        return str(error.response.status_code)
    return type(error).__name__
