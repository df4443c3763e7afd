"""Wait out passing faults of a server: backoff with jitter, Retry-After, reset by progress."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from model.errors import Blocked, Transient

T = TypeVar("T")
FIRST_WAIT, LONGEST_WAIT = 0.1, 30.0
"""Seconds: the first pause and the longest that is chosen here. A server may ask for a longer one."""
FACTOR = 3.0
"""Each pause is so many times as long as the one before."""
SPREAD = 0.5
"""The part of a pause that is left to chance, so that many workers do not come back at the same moment."""


class RetryPolicy:
    """Waits between attempts at one piece of work, and says when to give up."""

    def __init__(
        self,
        seconds: float,
        wait: Callable[[float], None],
        limits: Mapping[str, int],
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Make a policy that has seen no fault yet.

        Args:
            seconds: how long to go on since the last progress.
            wait: sleeps so many seconds; raises when the connection is closed meanwhile.
            limits: how many pauses a fault gets since the last progress, by its code. Any other code gets as
                many as there is time for.
            chance: returns a number from 0 to below 1.
            clock: returns seconds, and stands still while the work waits for what is no fault; None for the
                machine's monotonic clock.
        """
        self._seconds = seconds
        self._wait = wait
        self._limits = limits
        self._chance = chance
        self._clock = clock or time.monotonic
        self._since: float | None = None
        self._pauses: Counter[str] = Counter()

    def progressed(self) -> None:
        """Forget the faults so far: something was done since."""
        self._since = None
        self._pauses.clear()

    def pause(self, error: Transient) -> None:
        """Wait as long as the server asked, or longer each time.

        Raises:
            Transient: the fault itself, with the pause that it would have taken, when its code had all its
                pauses or the time would not suffice.
        """
        now = self._clock()
        if self._since is None:
            self._since = now
        delay = self._backoff() if error.after is None else error.after
        self._pauses[error.code] += 1
        spent = self._pauses[error.code] > self._limits.get(error.code, self._pauses.total())
        if spent or now - self._since + delay > self._seconds:
            final = Transient(error.code, error.advice, after=delay)
            raise final.about(error.detail).with_local_cause(error.local).quoting(error.words)
        self._wait(delay)

    def _backoff(self) -> float:
        longest = min(LONGEST_WAIT, FIRST_WAIT * FACTOR ** self._pauses.total())
        return longest * (1 - SPREAD * self._chance())


def repeated(attempt: Callable[[], T], pause: Callable[[Transient], None]) -> T:
    """Return the result of `attempt`; repeat it while its faults may pass.

    Args:
        attempt: one attempt; it must change nothing at the server, because it may be repeated.
        pause: waits before the next attempt, or raises when there is to be none.
    """
    while True:
        try:
            return attempt()
        except Transient as error:
            pause(error)


class WrongServer:
    """Judge a server that answers in another protocol than the one that is asked for.

    A proxy may answer so for a while. So it is a passing fault the first time that the retries are used up,
    and it blocks the second time, unless the right server answered in between.

    Attributes:
        code: the code of the fault.
    """

    def __init__(self, code: str, advice: str) -> None:
        """Make a judge that has seen nothing yet.

        Args:
            code: the code of the fault, such as `not-soap`.
            advice: what it means when it stays.
        """
        self.code = code
        self._advice = advice
        self._seen = False

    def answered(self) -> None:
        """Note that the right server answered."""
        self._seen = False

    def pause(self, patience: RetryPolicy, error: Transient) -> None:
        """Wait before the next attempt.

        Args:
            patience: the retry policy.
            error: the fault of the last attempt.

        Raises:
            Transient: the retries are used up.
            Blocked: the retries are used up a second time, and the wrong server is the cause again.
        """
        try:
            patience.pause(error)
        except Transient as final:
            if final.code != self.code:
                raise
            if self._seen:
                raise Blocked(self.code, self._advice) from None
            self._seen = True
            raise
