"""How many items a second are done, measured over the last while."""

from __future__ import annotations

from collections import deque


class Pace:
    """Measure a rate between successive counts."""

    def __init__(self, window: float, least: float = 0.0) -> None:
        """Prepare.

        Args:
            window: seconds over which the rate is measured, at most.
            least: seconds that have to pass before there is one.
        """
        self._window, self._least = window, least
        self._past: deque[tuple[float, int]] = deque()

    def add(self, at: float, done: int) -> float | None:
        """Return items a second since this was first counted, but at most over the window.

        It is None if it is too early, or if less is done than before.

        Args:
            at: seconds, by a clock that never goes back.
            done: how many items are done now.
        """
        past = self._past
        past.append((at, done))
        while len(past) > 2 and at - past[1][0] >= self._window:
            past.popleft()
        began, before = past[0]
        passed = at - began
        return None if passed <= 0 or passed < self._least or done < before else (done - before) / passed
