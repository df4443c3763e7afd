"""Check that a file fits into its account, by the quota that the server stated last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from model.errors import Blocked

FRESH = 60.0
"""Seconds for which the server's figure is used, while at most half of the free space was given away: others
may write to the account, too. If the space is exhausted nevertheless, the server refuses the file after it
was sent."""


class QuotaRoom:
    """Keep the free space of an account. Safe from several threads."""

    def __init__(self, ask: Callable[[], int | None]) -> None:
        """Prepare; the server is asked on first use.

        Args:
            ask: returns the free bytes; None where they are unknown.
        """
        self._ask = ask
        self._lock = threading.Lock()
        self._until = 0.0
        self._left: int | None = None
        self._ample = 0

    def take(self, size: int) -> None:
        """Reserve space for a file that is about to be sent.

        Args:
            size: bytes of the file.

        Raises:
            Blocked: "over-quota", by a figure that was just asked.
        """
        with self._lock:
            if not self._is_reliable(size):
                self._left = self._ask()
                self._until = time.monotonic() + FRESH
                self._ample = (self._left or 0) // 2
            if self._left is None:
                return
            if self._left < size:
                self._until = 0.0
                raise Blocked("over-quota", "the account has no more room")
            self._left -= size

    def _is_reliable(self, size: int) -> bool:
        """Return True if the known figure is fresh and large enough for `size` bytes."""
        fresh = time.monotonic() < self._until
        return fresh and (self._left is None or self._left - size >= self._ample)
