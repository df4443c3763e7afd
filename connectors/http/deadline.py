"""How long a server may take over one answer as a whole.

A read timeout bounds the time between two bytes. A server that sends one byte now and then never meets it,
and holds a worker for ever. So every answer has an allowance of waiting: a fixed time, and more for each byte
that came. Time in which nobody waits for the server does not count. When the allowance is used up the
connection is cut from another thread, because the one that reads is inside of a library and blocked.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from model.errors import Transient

ANSWER_SECONDS = 1800.0
"""For an answer of no bytes. Servers that move or assemble large things may think for minutes."""

SLOWEST = 10_000
"""Bytes a second: an answer that is slower than this, beyond ANSWER_SECONDS, is no answer."""


class Deadline:
    """The allowance of one answer.

    Args:
        cut: ends the connection, from any thread; may raise OSError.
        seconds: for an answer of no bytes; None: ANSWER_SECONDS.
    """

    def __init__(self, cut: Callable[[], None], seconds: float | None = None) -> None:
        self._cut = cut
        self._left = ANSWER_SECONDS if seconds is None else seconds
        self.until = 0.0
        self.late = False

    def moved(self, size: int) -> None:
        """So many bytes came, or are to be sent first: the answer may take longer."""
        self._left += size / SLOWEST

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While this thread waits for the server. Raises Transient("timeout") in place of whatever the cut
        connection makes the reader raise, and also where the reader takes the cut for the answer's end."""
        began = time.monotonic()
        self.until = began + self._left
        _WATCH.add(self)
        try:
            yield
        finally:
            _WATCH.drop(self)
            self._left -= time.monotonic() - began
            if self.late:
                raise Transient("timeout", "the server's answer takes too long as a whole") from None

    def paced(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks of a body, each waited for. Raises as waiting() does."""
        reading = iter(chunks)
        while True:
            with self.waiting():
                chunk = next(reading, None)
            if chunk is None:
                return
            self.moved(len(chunk))
            yield chunk

    def end(self) -> None:
        """The time is up: for the watch alone."""
        self.late = True
        with contextlib.suppress(OSError):
            self._cut()


class _Watch:
    """One thread for all deadlines, which sleeps until the next of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Deadline] = set()
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    def add(self, one: Deadline) -> None:
        with self._changed:
            self._running.add(one)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif one.until < self._wakes:
                self._changed.notify()

    def drop(self, one: Deadline) -> None:
        with self._changed:
            self._running.discard(one)

    def _watch(self) -> None:
        while True:
            for one in self._next():
                one.end()

    def _next(self) -> list[Deadline]:
        """Those whose time is up; waits for the first of them."""
        with self._changed:
            now = time.monotonic()
            late = [one for one in self._running if one.until <= now]
            self._running.difference_update(late)
            if not late:
                self._wakes = min((one.until for one in self._running), default=now + ANSWER_SECONDS)
                self._changed.wait(self._wakes - now)
            return late


_WATCH = _Watch()
