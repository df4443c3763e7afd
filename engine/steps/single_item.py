"""Lets one leg of a process have an item in hand while no other leg has any.

Only what workers died with again and again goes this way, so that a death says something about that item.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

TICK_SECONDS = 0.5


class Hands:
    """Which legs of a process have batches in hand. Safe to use from their threads."""

    def __init__(self) -> None:
        self._worker_slots = threading.Condition()
        self._holding: set[Hold] = set()
        self._waiting = 0
        self._alone = False

    def take(self, hold: Hold, check: Callable[[], None], *, alone: bool) -> None:
        """Waits until this leg may begin a batch. Raises what check raises, which is asked while it waits."""
        with self._worker_slots:
            self._waiting += alone
            try:
                while self._alone or (self._holding if alone else self._waiting):
                    check()
                    self._worker_slots.wait(TICK_SECONDS)
            finally:
                self._waiting -= alone
                self._worker_slots.notify_all()
            self._holding.add(hold)
            self._alone = alone

    def goes_on(self, hold: Hold) -> bool:
        """Whether a leg with a batch in hand may begin another one: not while one waits to be alone."""
        with self._worker_slots:
            return hold in self._holding and not self._waiting

    def give(self, hold: Hold) -> None:
        """This leg has nothing in hand any more."""
        with self._worker_slots:
            if hold in self._holding:
                self._holding.remove(hold)
                self._alone = False
            self._worker_slots.notify_all()


class Hold:
    """One leg's part of it. check: see Hands.take."""

    def __init__(self, check: Callable[[], None], hands: Hands | None = None) -> None:
        self._check = check
        self._hands = PROCESS if hands is None else hands

    def begin(self, *, in_hand: bool, alone: bool) -> bool:
        """Before a batch. False: what is in hand must be settled first; nothing is waited for then."""
        if in_hand:
            return not alone and self._hands.goes_on(self)
        self._hands.give(self)
        self._hands.take(self, self._check, alone=alone)
        return True

    def end(self) -> None:
        """Nothing is in hand."""
        self._hands.give(self)


PROCESS = Hands()
"""Those of this process: it dies with all that its legs have in hand."""
