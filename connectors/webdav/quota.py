"""Whether a file fits into its account, by what the server last said of the quota."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from model.errors import Blocked

FRESH = 60.0
"""Seconds that the server's word holds, while no more than half of the room it told is given away: others may
write to the account, too. Who still comes too late is told so by the server when all has been sent."""


class QuotaRoom:
    """Safe from several threads. ask: the bytes that still fit; None where nobody knows."""

    def __init__(self, ask: Callable[[], int | None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._until = 0.0
        self._left: int | None = None
        self._ample = 0

    def take(self, size: int) -> None:
        """For a file that is about to be sent. Raises Blocked("over-quota"), by a word that is new."""
        with self._lock:
            if not self._holds(size):
                self._left = self._ask()
                self._until = time.monotonic() + FRESH
                self._ample = (self._left or 0) // 2
            if self._left is None:
                return
            if self._left < size:
                self._until = 0.0
                raise Blocked("over-quota", "the account has no more room")
            self._left -= size

    def _holds(self, size: int) -> bool:
        fresh = time.monotonic() < self._until
        return fresh and (self._left is None or self._left - size >= self._ample)
