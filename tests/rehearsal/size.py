"""How large a rehearsal is, and the practice world that it moves: all of it follows from size and seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from servers.faulty.plan import Fault, FaultPlan, Kind

from practice.world.world import World

SEED = 2026
KEPT = 64
"""Mailboxes that the practice Exchange holds at once: more than are at work at a time."""
KNOWN = 20_000
THIRDS = (0.1, 0.4, 0.7)


@dataclass(frozen=True, slots=True)
class Size:
    """small mailboxes of small_items mails and large ones of large_items, in waves of as many each. batch:
    mailboxes of one flow run. kill_seconds: from one kill to the next; marks: in place of that, at which
    shares of the work. pause: seconds after which what was killed comes back. patience: seconds after which a
    wave without any progress is given up; it is longer than the longest pause that a wave makes by itself."""

    small: int
    small_items: int
    large: int
    large_items: int
    waves: int
    batch: int
    legs: int
    kill_seconds: float
    marks: tuple[float, ...] = ()
    pause: float = 3.0
    patience: float = 1800.0

    @property
    def mailboxes(self) -> int:
        return self.small + self.large

    @property
    def items(self) -> int:
        return self.small * self.small_items + self.large * self.large_items

    def is_large(self, index: int) -> bool:
        """The large ones are spread over all waves."""
        return (
            self.large > 0
            and index % self._stride == self._stride // 2
            and index // self._stride < self.large
        )

    @property
    def _stride(self) -> int:
        return self.mailboxes // self.large

    def items_of(self, index: int) -> int:
        return self.large_items if self.is_large(index) else self.small_items

    def wave_of(self, index: int) -> str:
        """Neighbours are of one wave."""
        return f"wave-{index * self.waves // self.mailboxes + 1:02}"


SIZES: Mapping[str, Size] = {
    "whole": Size(40_000, 5, 20, 5_000, waves=20, batch=250, legs=4, kill_seconds=80.0),
    # Small enough to measure what a night costs, with the batches of the whole.
    "night": Size(998, 5, 2, 250, waves=2, batch=250, legs=4, kill_seconds=80.0),
    # A tenth of the whole: so the whole takes ten times as long.
    "day": Size(4_000, 5, 2, 5_000, waves=2, batch=250, legs=4, kill_seconds=80.0),
    "ci": Size(500, 5, 2, 250, waves=2, batch=60, legs=4, kill_seconds=20.0, pause=1.0),
    "test": Size(58, 5, 2, 60, 2, batch=15, legs=4, kill_seconds=0, marks=THIRDS, pause=0.5, patience=600.0),
}


def world_of(size: Size, seed: int = SEED, kept: int | None = KEPT) -> World:
    return World(seed=seed, people=size.mailboxes, items=size.items_of, nasty=False, large=(), held=kept)


def faults_of(seed: int = SEED) -> FaultPlan:
    """Throttling and passing faults, a hundredth of all calls; a few mails are rebuilt at every read."""
    rates = {
        Kind.HTTP_503: 0.003,
        Kind.SOAP_SERVER_BUSY: 0.002,
        Kind.INNER_BUSY: 0.001,
        Kind.CUT_MID_BODY: 0.001,
        Kind.ERROR_PAGE: 0.0005,
        Kind.SLOW: 0.002,
        Kind.INVALID_SYNC_STATE: 0.001,
        Kind.ITEM_SERVER_BUSY: 0.001,
        Kind.REBUILD_MIME: 0.005,
    }
    shapes = {
        Kind.HTTP_503: Fault(Kind.HTTP_503, seconds=1.0),
        Kind.SOAP_SERVER_BUSY: Fault(Kind.SOAP_SERVER_BUSY, millis=500),
        Kind.INNER_BUSY: Fault(Kind.INNER_BUSY, millis=500),
        Kind.ITEM_SERVER_BUSY: Fault(Kind.ITEM_SERVER_BUSY, millis=300),
        Kind.SLOW: Fault(Kind.SLOW, seconds=0.5),
    }
    return FaultPlan(seed, rates, shapes=shapes, known=KNOWN)
