"""Represent the request to stop, and how a leg that obeys it ends."""

from __future__ import annotations

import threading

STOPPED = "stopped"


class Stop(threading.Event):
    """Ask legs to end at their next batch boundary.

    Attributes:
        code: why; the first reason stays.
    """

    code: str = STOPPED

    def __init__(self) -> None:
        super().__init__()
        # Reentrant, unlike that of an Event: a signal asks to stop wherever its thread is, also in here.
        self._cond = threading.Condition()

    def ask(self, code: str) -> None:
        """Request the stop. The first reason stays. Idempotent."""
        if not self.is_set():
            self.code = code
            self.set()


def reason(stop: threading.Event) -> str:
    """Return the code of a leg that ended because of this request."""
    return stop.code if isinstance(stop, Stop) else STOPPED


class StopRequested(Exception):
    """Raised between two batches after a stop was requested; everything is settled then.

    Attributes:
        code: why.
    """

    def __init__(self, code: str = STOPPED) -> None:
        super().__init__(code)
        self.code = code
