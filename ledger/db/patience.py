"""Define how long one waits for a ledger's database that does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")
UNAVAILABLE = "ledger-unavailable"
"""The code of a ledger whose database does not answer."""


class Patience(Protocol):
    """Repeat what a ledger's database did not answer. Thread-safe."""

    @property
    def seconds(self) -> float:
        """Return how long the database may be away."""

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call returns; repeat it while the database does not answer.

        Args:
            call: one attempt; it must be harmless twice.

        Raises:
            Transient: the database did not answer for too long, or waiting is not wanted.
        """

    def answered(self) -> None:
        """Note that the database answers."""


class NoPatience:
    """Ask once."""

    seconds = 0.0

    def ask(self, call: Callable[[], T]) -> T:
        """Return what the call returns."""
        return call()

    def answered(self) -> None:
        """Do nothing: no fault is remembered."""


AT_ONCE = NoPatience()


class ConnectPatience:
    """Hold the patience of a ledger: with it every transaction waits for a connection before it begins.

    A transaction that was cut off is not repeated by itself. Whoever knows that it may be done twice asks it
    through here.

    Attributes:
        chosen: the patience. Whoever opens a ledger replaces it for a while.
    """

    def __init__(self) -> None:
        self.chosen: Patience = AT_ONCE

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call returns; see Patience.ask."""
        return self.chosen.ask(call)

    @contextmanager
    def use(self, patience: Patience) -> Iterator[None]:
        """Wait with this patience during the block, in every thread; a longer one that is there stays."""
        before = self.chosen
        if patience.seconds >= before.seconds:
            self.chosen = patience
        try:
            yield
        finally:
            self.chosen = before
