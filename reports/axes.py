"""Scale a chart: which amounts and times its axes name, and where a value lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 4, 6, 12)),
    *(days * DAY for days in (1, 2, 3, 7, 14, 28, 56, 112)),
)
"""Seconds from one named moment to the next."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Hold the amounts that an axis names, from 0 to the highest, and how many decimal places they need."""

    ticks: tuple[float, ...]
    digits: int


def amounts(most: float, *, whole: bool = False, steps: int = 4) -> Amounts:
    """Return round amounts for an axis that reaches at least `most`.

    Args:
        most: the highest value of the chart.
        whole: True for what is counted, of which there are no halves.
        steps: how many there are at most.
    """
    rough = max(most / steps, 1 if whole else 0) or 1
    exponent = floor(log10(rough))
    step = (
        next(times for times in (1, 2, 5, 10) if times * 10.0**exponent >= rough * 0.999_999) * 10.0**exponent
    )
    ticks = tuple(step * at for at in range(ceil(most / step * 0.999_999) + 1))
    return Amounts(ticks if len(ticks) > 1 else (0.0, step), max(0, -floor(log10(step) + 0.000_001)))


@dataclass(frozen=True, slots=True)
class Plot:
    """Place times from left to right and amounts from bottom to top.

    Attributes:
        left: the left edge, in pixels, as the other edges.
        right: the right edge.
        top: where the highest amount lies.
        bottom: where 0 lies.
        first: the time at the left edge, in seconds of the readers' clock.
        last: the time at the right edge.
        most: the highest amount.
    """

    left: float
    right: float
    top: float
    bottom: float
    first: int
    last: int
    most: float

    def x(self, second: float) -> float:
        """Return where a time lies."""
        return self.left + (self.right - self.left) * (second - self.first) / max(1, self.last - self.first)

    def y(self, amount: float) -> float:
        """Return where an amount lies."""
        return self.bottom - (self.bottom - self.top) * amount / self.most

    def moments(self, at_most: int) -> list[int]:
        """Return the times that the axis names, evenly spaced by the readers' clock."""
        span = self.last - self.first
        step = next((one for one in STEPS if span <= one * at_most), STEPS[-1])
        begin = ceil(self.first / step) * step
        return list(range(begin, self.last + 1, step))

    def names_day(self, moment: int) -> bool:
        """Return True for a midnight on an axis of more than a day, where an hour alone says too little."""
        return self.last - self.first > DAY and moment % DAY == 0
