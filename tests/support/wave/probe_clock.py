"""Time for an invitation probe that passes only when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from servers.dav.scheduling import SchedulingServer

from engine.preflight.invitation_probe import Time

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Clock:
    """The practice server lives by it too, where there is one."""

    def __init__(self) -> None:
        self.over = 0.0
        self.server: SchedulingServer | None = None
        self.then: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.over)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.over += seconds
        if self.server is not None:
            self.server.settle()
        self.then()

    @property
    def times(self) -> Time:
        return Time(lambda: self.over, self.sleep, self.now)
