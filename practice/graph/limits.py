"""Limit one app at one mailbox: four requests at a time, ten thousand in ten minutes."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from practice.graph.errors import throttled, too_busy

Key = tuple[str, str]


@dataclass(slots=True)
class Gauge:
    """Count requests by (client id, mailbox address). Thread-safe.

    Attributes:
        busiest: the most that there ever were at a time.
        refused: how many got a 429 for it.
    """

    at_a_time: int = 4
    in_window: int = 10_000
    window: float = 600.0
    clock: Callable[[], float] = time.monotonic
    busiest: Counter[Key] = field(default_factory=Counter)
    refused: int = 0
    _now: Counter[Key] = field(default_factory=Counter)
    _seen: dict[Key, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, key: Key) -> None:
        """Count a request, also when it is refused.

        Raises:
            GraphError: 429.
        """
        with self._lock:
            now = self.clock()
            seen = self._seen[key]
            while seen and seen[0] <= now - self.window:
                seen.popleft()
            seen.append(now)
            if len(seen) > self.in_window:
                self.refused += 1
                wait = max(int(seen[0] + self.window - now) + 1, 1)
                raise throttled("Application is over its RequestLimits limit.", wait)
            if self._now[key] >= self.at_a_time:
                self.refused += 1
                raise too_busy()
            self._now[key] += 1
            self.busiest[key] = max(self.busiest[key], self._now[key])

    @property
    def inside(self) -> int:
        """Return how many requests are running, of all apps and mailboxes."""
        with self._lock:
            return sum(self._now.values())

    def leave(self, key: Key) -> None:
        """Count that a request has ended."""
        with self._lock:
            self._now[key] -= 1
