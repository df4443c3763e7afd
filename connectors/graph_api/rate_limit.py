"""Limit what one application asks of one mailbox: four requests at a time, ten thousand in ten minutes.

All sources of one mailbox in this process share the limit, because each leg has its own source. Other
processes do not share it; there Graph's own 429 limits the requests.

Source:
    https://learn.microsoft.com/graph/throttling-limits
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MINUTES_10 = 600.0
POLL = 0.2

Wait = Callable[[float], None]
"""Sleeps; raises as soon as the source is closed."""


class Allowance:
    """Count requests in progress and in the last ten minutes. Thread-safe."""

    def __init__(self, slots: int, requests: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing spent.

        Args:
            slots: the most requests at a time.
            requests: the most requests in ten minutes.
            clock: returns monotonic seconds.
        """
        self._slots = slots
        self._requests = requests
        self._clock = clock
        self._free = slots
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, requests: int, wait: Wait) -> Iterator[None]:
        """Reserve requests while the block runs.

        A batch counts as many as it has parts, of which the server runs four at a time.

        Args:
            requests: the number of requests.
            wait: sleeps; raises as soon as the source is closed.
        """
        slots = min(requests, self._slots)
        while (seconds := self._try(slots, requests)) is not None:
            wait(seconds)
        try:
            yield
        finally:
            with self._changed:
                self._free += slots
                self._changed.notify_all()

    def _try(self, slots: int, requests: int) -> float | None:
        """Reserve the requests and return None, or return how long to wait before the next attempt."""
        now = self._clock()
        with self._changed:
            while self._spent and self._spent[0][0] <= now - MINUTES_10:
                self._total -= self._spent.popleft()[1]
            if self._spent and self._total + requests > self._requests:
                return max(self._spent[0][0] + MINUTES_10 - now, POLL)
            if self._free < slots:
                self._changed.wait(POLL)
                return 0.0
            self._free -= slots
            self._total += requests
            self._spent.append((now, requests))
            return None


_LOCK = threading.Lock()
_SHARED: weakref.WeakValueDictionary[tuple[str, ...], Allowance] = weakref.WeakValueDictionary()


def allowance(key: tuple[str, ...], slots: int, requests: int) -> Allowance:
    """Return the shared allowance of this application and mailbox, for as long as a source holds it.

    Args:
        key: identifies the application and the mailbox.
        slots: the most requests at a time.
        requests: the most requests in ten minutes.
    """
    with _LOCK:
        shared = _SHARED.get(key)
        if shared is None:
            shared = _SHARED[key] = Allowance(slots, requests)
        return shared
