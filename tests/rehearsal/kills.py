"""Who is killed, and when: by turns, the manner and the moment by the seed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rehearsal.size import Size

KINDS = ("worker", "prefect", "dovecot")
SPREAD = (0.6, 1.4)


@dataclass(slots=True)
class Kills:
    """act: kind -> what kills it; says whether there was something to kill. done: so many kills of this
    rehearsal were before."""

    size: Size
    act: Mapping[str, Callable[[random.Random], bool]]
    dice: random.Random
    done: int = 0
    _next: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._next += self._pause()

    def due(self, share: float) -> str | None:
        """Kills if it is time; share: of the work that is done. Returns whom."""
        if share >= 1 or not self._is_time(share):
            return None
        kind = KINDS[self.done % len(KINDS)]
        if not self.act[kind](self.dice):
            return None
        self.done += 1
        self._next = time.monotonic() + self._pause()
        return kind

    def _is_time(self, share: float) -> bool:
        if self.size.marks:
            return self.done < len(self.size.marks) and share >= self.size.marks[self.done]
        return time.monotonic() >= self._next

    def _pause(self) -> float:
        return self.size.kill_seconds * self.dice.uniform(*SPREAD)
