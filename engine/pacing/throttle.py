"""At which pace a server is asked: from full speed down to a halt, and back, by how it answers. Pure.

Additive increase, multiplicative decrease, as TCP finds its way through a network nobody knows: where all who
share a server do so, they meet at what it can bear. Slowness alone never halts: it may be how the server is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.pacing.call_metrics import MetricsSample

FULL = 1.0
UP = 0.05
"""A period that went well."""

AGAIN = SLOWEST = 1 / 8
"""Where it begins after a halt; where slowness leaves it."""

FLOOR = 1 / 16
"""Below it, it is a halt."""

DOWN = 1 / 2
"""Of its calls fail: there is nothing to be slowed down."""

PERIODS = 3
"""That are looked at together; after a decrease, only those that came later."""

LEAST = 3
"""Calls, or errors, below which nothing is concluded: a connection may be cut at any time."""


@dataclass(slots=True)
class Throttle:
    """slow: seconds a call, on average, that are too many. share: of calls that fail, from 0 to 1."""

    slow: float
    share: float
    pace: float = FULL
    _past: deque[MetricsSample] = field(default_factory=lambda: deque(maxlen=PERIODS))
    _resting: bool = False

    @property
    def halted(self) -> bool:
        return self.pace == 0.0

    def judge(self, own: MetricsSample, others: Iterable[MetricsSample] = ()) -> float:
        """The pace after a period. others: what other workers found in theirs."""
        if self.halted:
            self._try(own)
        elif self._resting:  # what was at work before the decrease is still in it
            self._resting = False
        else:
            self._past.append(own)
            mine = sum(self._past, MetricsSample())
            self._turn(own, mine, sum(others, mine))
        return self.pace

    def _try(self, own: MetricsSample) -> None:
        if own.calls and not own.errors and own.latency <= self.slow:
            self._set(AGAIN)

    def _turn(self, own: MetricsSample, mine: MetricsSample, all_of_us: MetricsSample) -> None:
        if self._is_down(mine):
            self._set(0.0)
        elif self._fails(mine) or self._fails(all_of_us):
            self._set(self.pace / 2 if self.pace / 2 >= FLOOR else 0.0)
        elif self._is_slow(mine) or self._is_slow(all_of_us):
            self._set(max(self.pace / 2, min(self.pace, SLOWEST)))
        elif own.calls:
            self.pace = min(FULL, self.pace + UP)

    def _set(self, pace: float) -> None:
        self._resting = 0.0 < pace < self.pace
        self.pace = pace
        self._past.clear()

    def _is_down(self, seen: MetricsSample) -> bool:
        return seen.errors >= LEAST and seen.errors >= DOWN * seen.calls

    def _fails(self, seen: MetricsSample) -> bool:
        return seen.errors >= LEAST and seen.errors > self.share * seen.calls

    def _is_slow(self, seen: MetricsSample) -> bool:
        return seen.calls >= LEAST and seen.latency > self.slow


def shares(budget: int, wanted: dict[str, int]) -> dict[str, int]:
    """How many each worker may have of a budget: what it wants where that is less than an equal share, and of
    the rest an equal share. Of places that do not divide, those come first whose name does."""
    given = dict.fromkeys(wanted, 0)
    left = budget
    while left and (hungry := sorted(name for name in wanted if given[name] < wanted[name])):
        for name in hungry[:left] if left < len(hungry) else hungry:
            given[name] += 1
            left -= 1
    return given
