"""Let one leg of a process have an item in hand while no other leg has any.

Only items with which workers died again and again go this way, so that a death says something about that
item.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

TICK_SECONDS = 0.5


class Hands:
    """Track which legs of a process have batches in hand. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holding: set[Hold] = set()
        self._waiting = 0
        self._alone = False

    def take(self, hold: Hold, check: Callable[[], None], *, alone: bool) -> None:
        """Wait until this leg may begin a batch.

        Args:
            hold: the leg.
            check: called while it waits; what it raises ends the waiting.
            alone: True if no other leg may have anything in hand.
        """
        with self._changed:
            self._waiting += alone
            try:
                while self._alone or (self._holding if alone else self._waiting):
                    check()
                    self._changed.wait(TICK_SECONDS)
            finally:
                self._waiting -= alone
                self._changed.notify_all()
            self._holding.add(hold)
            self._alone = alone

    def goes_on(self, hold: Hold) -> bool:
        """Return True if a leg with a batch in hand may begin another one.

        Not while another leg waits to be alone.
        """
        with self._changed:
            return hold in self._holding and not self._waiting

    def give(self, hold: Hold) -> None:
        """Note that this leg has nothing in hand any more."""
        with self._changed:
            if hold in self._holding:
                self._holding.remove(hold)
                self._alone = False
            self._changed.notify_all()


class Hold:
    """Take part in Hands for one leg.

    Args:
        check: see Hands.take.
        hands: the legs of the process; None for those of this process.
    """

    def __init__(self, check: Callable[[], None], hands: Hands | None = None) -> None:
        self._check = check
        self._hands = PROCESS if hands is None else hands

    def begin(self, *, in_hand: bool, alone: bool) -> bool:
        """Ask before a batch.

        Args:
            in_hand: True if the leg has a batch in hand.
            alone: True if the batch must be the only one in the process.

        Returns:
            False if what is in hand must be settled first; in this case nothing is waited for.
        """
        if in_hand:
            return not alone and self._hands.goes_on(self)
        self._hands.give(self)
        self._hands.take(self, self._check, alone=alone)
        return True

    def end(self) -> None:
        """Note that nothing is in hand."""
        self._hands.give(self)


PROCESS = Hands()
"""The legs of this process: it dies with all that they have in hand."""
