"""The wish to stop, and how a leg that heeds it ends."""

from __future__ import annotations

import threading

STOPPED = "stopped"


class Stop(threading.Event):
    """The wish that legs end at their next batch boundary. code: why; the first reason stays."""

    code: str = STOPPED

    def ask(self, code: str) -> None:
        if not self.is_set():
            self.code = code
            self.set()


def reason(stop: threading.Event) -> str:
    """The code of a leg that ended because of it."""
    return stop.code if isinstance(stop, Stop) else STOPPED


class StopRequested(Exception):
    """Raised between two batches after somebody asked to stop; everything is settled. code: why."""

    def __init__(self, code: str = STOPPED) -> None:
        super().__init__(code)
        self.code = code
