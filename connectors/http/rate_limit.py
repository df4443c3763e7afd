"""Describe a server's rate limit, and what a client asks before each request so that it is not exceeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Describe how many requests a server takes from one address with one User-Agent.

    Attributes:
        requests: the most requests in any window.
        seconds: the length of the window.
    """

    requests: int
    seconds: float


@runtime_checkable
class RateLimited(Protocol):
    """Settings of a server that limits the rate of requests.

    Attributes:
        limit: the limit; None for none.
        counted_as: a name for the requests that the server counts together.
    """

    @property
    def limit(self) -> RateLimit | None:
        """The limit; None for none."""
        ...

    @property
    def counted_as(self) -> str:
        """A name for the requests that the server counts together."""
        ...


class RequestBudget(Protocol):
    """Admit requests one by one. Thread-safe."""

    def take(self, pause: Callable[[float], None]) -> None:
        """Wait until one more request may be sent.

        Args:
            pause: sleeps so many seconds; raises when the connection is closed. It is called with 0 as well.

        Raises:
            Transient: what `pause` raises, and "ledger-unavailable".
        """
        ...

    def refused(self, seconds: float | None) -> bool:
        """Note that the server answered that its limit is exceeded.

        Args:
            seconds: how long it asks to wait; None if it does not say.

        Returns:
            True if the next `take` waits as long, so that nobody else has to.
        """
        ...


class NoBudget:
    """Admit every request at once: the budget of a server without a rate limit."""

    def take(self, pause: Callable[[float], None]) -> None:
        """Return at once."""

    def refused(self, seconds: float | None) -> bool:
        """Return False: nothing waits."""
        del seconds
        return False


NO_BUDGET = NoBudget()
