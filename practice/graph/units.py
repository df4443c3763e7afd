"""Count what files cost: each request has a price in units, of which an app has so many a minute."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from practice.graph.errors import throttled

PRICES: Mapping[str, int] = {"delta": 1, "get": 1, "content": 1, "list": 2, "permissions": 5}


@dataclass(slots=True)
class Units:
    """Count by client id. Thread-safe.

    Attributes:
        spent: all units that there ever were.
        refused: how many requests got a 429, which costs all the same.
    """

    a_minute: int = 1250
    window: float = 60.0
    clock: Callable[[], float] = time.monotonic
    spent: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    _seen: dict[str, deque[tuple[float, int]]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pay(self, client_id: str, what: str) -> None:
        """Count the price of a request.

        Raises:
            GraphError: 429.
        """
        price = PRICES[what]
        with self._lock:
            now, seen = self.clock(), self._seen[client_id]
            while seen and seen[0][0] <= now - self.window:
                seen.popleft()
            seen.append((now, price))
            self.spent[client_id] += price
            if sum(cost for _, cost in seen) > self.a_minute:
                self.refused += 1
                wait = max(int(seen[0][0] + self.window - now) + 1, 1)
                raise throttled("The app has exceeded its resource units.", wait)
