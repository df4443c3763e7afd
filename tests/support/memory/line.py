"""The connection of a connector in memory: where a test may fail it."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from model.errors import Blocked, Transient

Step = Callable[[str], None]
T = TypeVar("T")


def no_step(_name: str) -> None:
    """Nothing fails."""


@dataclass(slots=True)
class Line:
    """The connection: dead after close(), and numbered so that orders differ from call to call."""

    step: Step
    calls: int = 0
    closed: bool = False

    def before(self, name: str) -> None:
        if self.closed:
            raise Transient("connection-closed", "closed from our side")
        self.calls += 1
        self.step(name)

    def after(self, name: str) -> None:
        self.step(f"{name} done")
        if self.closed:
            raise Transient("connection-closed", "closed from our side")

    def shuffled(self, things: Iterable[T]) -> list[T]:
        """In an order nobody should rely on, the same in every run."""
        order = list(things)
        random.Random(self.calls).shuffle(order)
        return order


def not_when_live(live: bool) -> None:
    if live:
        raise Blocked("live-phase", "the user works on this target; only approved rollbacks change it")


def body_of(raw: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(raw)
