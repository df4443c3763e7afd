"""Bound the time that a server may take for one whole answer.

A read timeout bounds the time between two bytes. A server that sends one byte now and then never reaches it
and holds a worker forever. Therefore every answer has an allowance of waiting: a fixed time, and more for
each byte that arrived. Time in which no thread waits for the server does not count. When the allowance is
used up, another thread cuts the connection, because the reading thread is blocked inside a library.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from model.errors import Transient

ANSWER_SECONDS = 1800.0
"""The allowance for an answer without bytes. Servers that move or assemble large objects may need minutes."""

SLOWEST = 10_000
"""Bytes a second; an answer that is slower than this, beyond ANSWER_SECONDS, is cut."""


class Deadline:
    """Hold the allowance of one answer."""

    def __init__(self, cut: Callable[[], None], seconds: float | None = None) -> None:
        """Start with the full allowance.

        Args:
            cut: ends the connection, from any thread; may raise OSError.
            seconds: the allowance of an answer without bytes; None: ANSWER_SECONDS.
        """
        self._cut = cut
        self._left = ANSWER_SECONDS if seconds is None else seconds
        self.until = 0.0
        self.late = False

    def moved(self, size: int) -> None:
        """Extend the allowance, because `size` bytes arrived or must be sent first."""
        more = size / SLOWEST
        self._left += more
        self.until += more

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time in which this thread waits for the server.

        Raises:
            Transient: "timeout", in place of the error that the cut connection causes in the reader, and also
                where the reader takes the cut for the end of the answer.
        """
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
        """Yield the chunks of a body; the wait for each is counted. Raises as `waiting` does."""
        reading = iter(chunks)
        while True:
            with self.waiting():
                chunk = next(reading, None)
            if chunk is None:
                return
            self.moved(len(chunk))
            yield chunk

    def end(self) -> None:
        """Cut the connection because the time is up. Only the watchdog calls this."""
        self.late = True
        with contextlib.suppress(OSError):
            self._cut()


class _Watch:
    """Watch all deadlines in one thread, which sleeps until the next of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Deadline] = set()
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    def add(self, deadline: Deadline) -> None:
        """Watch a deadline."""
        with self._changed:
            self._running.add(deadline)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif deadline.until < self._wakes:
                self._changed.notify()

    def drop(self, deadline: Deadline) -> None:
        """Stop watching a deadline."""
        with self._changed:
            self._running.discard(deadline)

    def _watch(self) -> None:
        """Cut expired connections, forever."""
        while True:
            for deadline in self._expired():
                deadline.end()

    def _expired(self) -> list[Deadline]:
        """Return the deadlines whose time is up; wait for the first when there is none."""
        with self._changed:
            now = time.monotonic()
            late = [deadline for deadline in self._running if deadline.until <= now]
            self._running.difference_update(late)
            if not late:
                self._wakes = min(
                    (deadline.until for deadline in self._running), default=now + ANSWER_SECONDS
                )
                self._changed.wait(self._wakes - now)
            return late


_WATCH = _Watch()
