"""What one application may ask of one mailbox: four requests at a time, ten thousand in ten minutes.

All sources of one mailbox in this process share it, each leg having its own. Other processes do not: there,
Graph's own 429 keeps the peace.
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
    """Thread-safe."""

    def __init__(self, lanes: int, requests: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lanes = lanes
        self._requests = requests
        self._clock = clock
        self._free = lanes
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, requests: int, wait: Wait) -> Iterator[None]:
        """Within it, so many requests are under way: a batch is as many as it has parts, of which the server
        runs four at a time."""
        lanes = min(requests, self._lanes)
        while (seconds := self._try(lanes, requests)) is not None:
            wait(seconds)
        try:
            yield
        finally:
            with self._changed:
                self._free += lanes
                self._changed.notify_all()

    def _try(self, lanes: int, requests: int) -> float | None:
        """None when they are taken, else how long to wait before the next attempt."""
        now = self._clock()
        with self._changed:
            while self._spent and self._spent[0][0] <= now - MINUTES_10:
                self._total -= self._spent.popleft()[1]
            if self._spent and self._total + requests > self._requests:
                return max(self._spent[0][0] + MINUTES_10 - now, POLL)
            if self._free < lanes:
                self._changed.wait(POLL)
                return 0.0
            self._free -= lanes
            self._total += requests
            self._spent.append((now, requests))
            return None


_LOCK = threading.Lock()
_SHARED: weakref.WeakValueDictionary[tuple[str, ...], Allowance] = weakref.WeakValueDictionary()


def allowance(key: tuple[str, ...], lanes: int, requests: int) -> Allowance:
    """The one of this application and mailbox, for as long as a source holds it."""
    with _LOCK:
        found = _SHARED.get(key)
        if found is None:
            found = _SHARED[key] = Allowance(lanes, requests)
        return found
