"""How long passing faults of a source are waited out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from model.errors import Transient

FIRST_WAIT, LONGEST_WAIT = 0.1, 30.0
TRIES = {
    "login-unconfirmed": 1,
    "not-soap": 3,
    "not-graph": 3,
    "server-error": 5,
}  # faults that waiting seldom cures


class RetryPolicy:
    """How long one mailbox waits out passing faults: so many seconds since the last progress."""

    def __init__(self, seconds: float, wait: Callable[[float], None]) -> None:
        self._seconds = seconds
        self._wait = wait
        self._since: float | None = None
        self._tries: Counter[str] = Counter()

    def progressed(self) -> None:
        self._since = None
        self._tries.clear()

    def pause(self, error: Transient) -> None:
        """Waits as the server asked, or longer each time; raises error when patience is over."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        tries = self._tries.total()
        delay = error.after if error.after is not None else min(LONGEST_WAIT, FIRST_WAIT * 4**tries)
        self._tries[error.code] += 1
        hopeless = self._tries[error.code] >= TRIES.get(error.code, tries + 2)
        if hopeless or error.code == "source-closed" or now - self._since + delay > self._seconds:
            raise Transient(error.code, error.advice, after=delay).said(error.words)
        self._wait(delay)
