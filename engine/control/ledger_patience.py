"""Wait out a ledger whose database does not answer for a while, with the retry policy of all other servers.

A restart of PostgreSQL takes seconds, a failover a minute, a machine that is started again some minutes. What
is at work waits so long, and goes on; a lease that ended meanwhile is fenced as any other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from connectors.retry import RetryPolicy
from ledger.db.patience import UNAVAILABLE
from ledger.db.unwritable import READ_ONLY
from model.errors import Transient
from model.plural import many

if TYPE_CHECKING:
    from engine.config.load import Config

T = TypeVar("T")
COMMAND_SECONDS = 10.0
"""How long a command waits that only looks or decides: a person sits before it."""
TICK_SECONDS = 0.5
LEASE_LOST = "lease-lost"
AWAY = frozenset({UNAVAILABLE, LEASE_LOST})
"""The codes with which a leg ends of which nothing is known but that the ledger was away."""
ANSWERS = "the ledger's database answers again"


def log(line: str) -> None:
    """Write a line about the wait to the log of this process."""
    logging.getLogger("kogge.standing").warning("%s", line)


class LedgerPatience:
    """Repeat what the ledger's database did not answer, until it has been away for too long.

    All threads of a process count from the same moment, the first unanswered question, so that none of them
    begins to wait when the others give up.
    """

    def __init__(
        self,
        seconds: float,
        stopping: Callable[[], bool] = bool,
        say: Callable[[str], None] = log,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a patience that has seen no fault yet.

        Args:
            seconds: how long the database may be away.
            stopping: returns True once no more waiting is wanted.
            say: takes a line for people, from any thread: once when the wait begins, once when it ends.
            sleep: sleeps so many seconds.
            clock: returns seconds.
        """
        self.seconds = seconds
        self._stopping = stopping
        self._say = say
        self._sleep = sleep
        self._clock = clock
        self._since: float | None = None
        self._lock = threading.Lock()

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call returns; repeat it while the ledger's database does not answer.

        Args:
            call: one attempt; it must be harmless twice.

        Raises:
            Transient: the database did not answer for too long, or waiting is not wanted.
        """
        policy: RetryPolicy | None = None
        while True:
            try:
                answer = call()
            except Transient as error:
                if not passes(error):
                    raise
                left = self._left()
                policy = policy or RetryPolicy(left, self._waiting_for(error), {}, clock=self._clock)
                policy.pause(error)
            else:
                self.answered()
                return answer

    def answered(self) -> None:
        """Forget the faults so far; say that it goes on."""
        if self._since is None:
            return
        with self._lock:
            was_away, self._since = self._since is not None, None
        if was_away:
            self._say(ANSWERS)

    def _left(self) -> float:
        """Return for how long one may go on waiting; the first fault begins that time."""
        with self._lock:
            now, first = self._clock(), self._since is None
            since = self._since = now if self._since is None else self._since
        if first and self.seconds:
            most = many(round(self.seconds), "second", "seconds")
            self._say(f"the ledger's database does not answer; it is asked again for {most}")
        return max(0.0, self.seconds - (now - since))

    def _waiting_for(self, error: Transient) -> Callable[[float], None]:
        def wait(seconds: float) -> None:
            while seconds > 0:
                if self._stopping():
                    raise error
                self._sleep(min(TICK_SECONDS, seconds))
                seconds -= TICK_SECONDS

        return wait


def patience_of(config: Config) -> LedgerPatience:
    """Return the patience of a run that does one thing to the ledger, and is stopped by nobody."""
    return LedgerPatience(config.run.ledger_patience_seconds)


def passes(error: Transient) -> bool:
    """Return True for a fault of the ledger's database that may pass by itself.

    A server that only reads is a standby that takes over. A file that only reads has a path, which the error
    names, and needs a person.
    """
    return error.code in AWAY or (error.code == READ_ONLY and not error.local)


def walk_patiently(
    ask: Callable[[Callable[[], str | None]], str | None], walk: Callable[[], str | None]
) -> str | None:
    """Walk a leg again for as long as nothing but the ledger's database ends it.

    Args:
        ask: see LedgerPatience.ask.
        walk: walks the leg, and returns the code with which it ended.

    Returns:
        The code with which the last walk ended.
    """

    def once() -> str | None:
        code = walk()
        if code in AWAY:
            raise Transient(code)
        return code

    try:
        return ask(once)
    except Transient as error:
        if error.code not in AWAY:
            raise
        return error.code
