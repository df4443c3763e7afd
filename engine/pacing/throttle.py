"""Set the pace at which a server is asked, from full speed down to a halt and back, by how it answers.

All functions are pure. The pace follows additive increase and multiplicative decrease, as in TCP's congestion
control: workers that share a server and all do so converge on what it can bear. Slowness alone never halts,
because a server may always be slow.

A server that was away is not one that had too much to do. Once it answers again the pace doubles with each
period, as in TCP's slow start, up to what it was before. If it goes away again soon, the limit is half of
what it had reached: then it may have been too much.

Source:
    RFC 5681 (slow start; additive increase, multiplicative decrease).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.pacing.call_metrics import OUTAGE, MetricsSample

FULL = 1.0
UP = 0.05
"""What a period without trouble adds to the pace."""

AGAIN = SLOWEST = 1 / 8
"""The pace after a halt; also the lowest pace that slowness alone leads to."""

FLOOR = 1 / 16
"""A pace below this is a halt."""

DOWN = 1 / 2
"""The share of failed calls at which slowing down no longer helps."""

PERIODS = 3
"""How many periods are judged together; after a decrease, only later ones."""

LEAST = 3
"""Calls, or errors, below which nothing is concluded: a connection may be cut at any time."""

STEADY = 12
"""Periods without trouble after which a server that goes away is taken for one that was well."""


@dataclass(slots=True)
class Throttle:
    """Set the pace for one server.

    Attributes:
        slow: the average seconds for one call that are too many.
        share: the share of calls that may fail, from 0 to 1.
        pace: the pace, from 0 (halted) to FULL.
    """

    slow: float
    share: float
    pace: float = FULL
    _past: deque[MetricsSample] = field(default_factory=lambda: deque(maxlen=PERIODS))
    _resting: bool = False
    _limit: float = 0.0
    _well: int = STEADY

    @property
    def halted(self) -> bool:
        """True if the server is not asked for anything, except by a probe."""
        return self.pace == 0.0

    @property
    def recovers(self) -> bool:
        """True while the pace doubles with each period, because the server was away and is back."""
        return 0.0 < self.pace < self._limit

    def judge(self, own: MetricsSample, others: Iterable[MetricsSample] = ()) -> float:
        """Return the pace after a period.

        Args:
            own: what this worker measured.
            others: what other workers measured in their periods.
        """
        if self.halted:
            self._try(own)
        elif own.failures >= OUTAGE:
            self._away(own, 0.0)
        elif own.outage:
            self._away(own, AGAIN)
        elif self._resting:  # it still contains calls from before the decrease
            self._resting = False
        else:
            self._past.append(own)
            mine = sum(self._past, MetricsSample())
            self._turn(own, mine, sum(others, mine))
        return self.pace

    def _try(self, own: MetricsSample) -> None:
        if own.calls and not own.errors and own.latency <= self.slow:
            self._set(AGAIN, limit=self._limit)

    def _away(self, own: MetricsSample, pace: float) -> None:
        """Spare a server that was away, and may come back to what it bore before."""
        was_well = self._well >= STEADY and own.latency <= self.slow
        self._set(min(pace, self.pace), limit=self.pace if was_well else self.pace / 2)
        self._well = 0

    def _turn(self, own: MetricsSample, mine: MetricsSample, all_of_us: MetricsSample) -> None:
        if self._is_down(mine):
            self._set(0.0)
        elif self._fails(mine) or self._fails(all_of_us):
            self._set(self.pace / 2 if self.pace / 2 >= FLOOR else 0.0)
        elif self._is_slow(mine) or self._is_slow(all_of_us):
            self._set(max(self.pace / 2, min(self.pace, SLOWEST)))
        elif self.recovers:
            self.pace = min(self._limit, 2 * self.pace) if own.calls else self.pace
        elif own.calls:
            self._well += 1
            self.pace = min(FULL, self.pace + UP)

    def _set(self, pace: float, *, limit: float = 0.0) -> None:
        self._resting = 0.0 < pace < self.pace and not limit
        self._limit = limit
        self.pace = pace
        self._past.clear()

    def _is_down(self, sample: MetricsSample) -> bool:
        return sample.errors >= LEAST and sample.errors >= DOWN * sample.calls

    def _fails(self, sample: MetricsSample) -> bool:
        return sample.errors >= LEAST and sample.errors > self.share * sample.calls

    def _is_slow(self, sample: MetricsSample) -> bool:
        return sample.calls >= LEAST and sample.latency > self.slow


def shares(budget: int, demands: dict[str, int]) -> dict[str, int]:
    """Divide a budget among the workers.

    A worker that wants less than an equal share gets what it wants; the rest is divided equally. Places that
    cannot be divided go to the workers whose name comes first.

    Args:
        budget: how many legs may be at work.
        demands: how many legs each worker wants.

    Returns:
        How many legs each worker may have.
    """
    divided = dict.fromkeys(demands, 0)
    remaining = budget
    while remaining and (hungry := sorted(name for name in demands if divided[name] < demands[name])):
        for name in hungry[:remaining] if remaining < len(hungry) else hungry:
            divided[name] += 1
            remaining -= 1
    return divided
