"""Cut a row of groups into waves of about the same length. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

LONGER = 1.25
"""How many times longer a wave may be than the mean of as few waves as the limits allow; beyond that, one
wave more is made."""
HALVINGS = 20


@dataclass(frozen=True, slots=True)
class WaveLimits:
    """Limit the size of waves.

    Attributes:
        mailboxes: the most mailboxes of one wave.
        largest_bytes: the most bytes of one wave; None for no limit.
        pilot: how many mailboxes the first wave has.
    """

    mailboxes: int
    largest_bytes: int | None = None
    pilot: int = 0

    def for_pilot(self) -> WaveLimits:
        """Return the limits of the pilot."""
        return replace(self, mailboxes=min(self.mailboxes, self.pilot))


@dataclass(frozen=True, slots=True)
class Group:
    """Hold mailboxes that move together.

    Attributes:
        keys: their keys.
        bytes: their bytes.
        seconds: how long they take.
        priority: the highest of theirs.
        department: the department of most of them.
    """

    keys: tuple[str, ...]
    bytes: int = 0
    seconds: float = 0.0
    priority: int = 0
    department: str = ""


def fits(group: Group, rules: WaveLimits) -> bool:
    """Return True if the group is no larger than a wave may be."""
    small = rules.largest_bytes is None or group.bytes <= rules.largest_bytes
    return len(group.keys) <= rules.mailboxes and small


def cut(groups: Sequence[Group], rules: WaveLimits) -> list[list[Group]]:
    """Cut consecutive groups into waves.

    No wave has more mailboxes or bytes than it may, except a group that alone has more. No wave is longer
    than LONGER times the mean, or than the longest group. The result has the fewest waves for which that
    holds, the longest of them as short as possible.
    """
    if not groups:
        return []
    row = _Row(groups, rules)
    longest, total = max(group.seconds for group in groups), row.seconds[-1]
    most = max(LONGER * total / row.waves(math.inf)[0], longest)
    count = row.waves(most)[0]
    low = max(total / count, longest)
    for _ in range(HALVINGS):
        middle = (low + most) / 2
        low, most = (low, middle) if row.waves(middle)[0] <= count else (middle, most)
    return row.even(count, row.waves(most), most)


class _Row:
    """Hold the groups with their sums from the beginning, so that the sum of a stretch is one subtraction."""

    def __init__(self, groups: Sequence[Group], rules: WaveLimits) -> None:
        self.groups = groups
        self._rules = rules
        self.seconds = [0.0, *accumulate(group.seconds for group in groups)]
        self._bytes = [0, *accumulate(group.bytes for group in groups)]
        self._boxes = [0, *accumulate(len(group.keys) for group in groups)]

    def waves(self, most: float) -> list[int]:
        """Return how many waves of at most so many seconds the groups from each one on need."""
        needed = [0] * (len(self.groups) + 1)
        end = len(self.groups)
        for start in range(len(self.groups) - 1, -1, -1):
            while end > start + 1 and not self._allowed(start, end, most):
                end -= 1
            needed[start] = 1 + needed[end]
        return needed

    def even(self, count: int, needed: Sequence[int], most: float) -> list[list[Group]]:
        """Cut into `count` waves, each as near to the mean of the rest as the following ones allow."""
        waves = []
        start = 0
        for waves_left in range(count, 0, -1):
            end = self._end(start, waves_left, needed, most)
            waves.append(list(self.groups[start:end]))
            start = end
        return [wave for wave in waves if wave]

    def _end(self, start: int, waves_left: int, needed: Sequence[int], most: float) -> int:
        mean = (self.seconds[-1] - self.seconds[start]) / waves_left
        end = min(start + 1, len(self.groups))
        while end < len(self.groups) and self._allowed(start, end + 1, most):
            seconds_now, more = (self.seconds[at] - self.seconds[start] for at in (end, end + 1))
            if needed[end] < waves_left and more - mean > mean - seconds_now:
                break
            end += 1
        return end

    def _allowed(self, start: int, end: int, most: float) -> bool:
        """Return True if the groups from start up to end may be one wave."""
        largest = self._rules.largest_bytes
        return (
            self._boxes[end] - self._boxes[start] <= self._rules.mailboxes
            and (largest is None or self._bytes[end] - self._bytes[start] <= largest)
            and self.seconds[end] - self.seconds[start] <= most * (1 + 1e-9)
        )
