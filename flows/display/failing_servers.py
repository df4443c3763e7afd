"""Which servers of a wave fail, and since when, from what the workers report. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.pacing.server_notices import servers
from ledger.views.server_health import Health

FAILING_SHARE, FAILING_CALLS = 5, 20
"""A server fails if every fifth call does, of at least so many."""
UNHEARD = timedelta(minutes=3)
"""A server that nobody asks for so long is not known to fail any more."""
PATIENCE = timedelta(minutes=15)
"""A server that fails for so long is told to who runs it."""


def failing(reports: Iterable[Health]) -> frozenset[str]:
    """Return the servers that are halted, or that answer at least every FAILING_SHARE-th call with an error.

    Args:
        reports: the workers' newest reports.
    """
    return frozenset(
        str(row["system"])
        for row in servers(reports)
        if row["pace"] == 0 or int(row["errors"]) * FAILING_SHARE >= max(int(row["calls"]), FAILING_CALLS)
    )


@dataclass(frozen=True, slots=True)
class FailingServer:
    """Describe a server by its role and what uses it, and since when it fails."""

    system: str
    since: datetime

    def in_words(self, now: datetime) -> str:
        """Return what a wave says of it at this moment."""
        told = f"{self.named()}; Kogge asks it now and then, and goes on by itself"
        return f"{told}. Tell who runs it." if now - self.since >= PATIENCE else f"{told}."

    def named(self) -> str:
        """Return its name and since when it fails."""
        return f"{self.system} fails since {self.since.astimezone(UTC):%H:%M} UTC"


class FailingServers:
    """Remember since when each server fails.

    A halted one is asked so seldom that a single look may find neither a call nor an error. It fails until
    calls to it succeed.
    """

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._heard: dict[str, datetime] = {}

    def look(
        self, reports: Sequence[Health], used: Collection[str], now: datetime
    ) -> tuple[FailingServer, ...]:
        """Return those that fail now, of those that the wave uses.

        Args:
            reports: the workers' newest reports.
            used: the servers of the wave.
            now: the time of the reports.
        """
        down = failing(reports)
        for row in servers(reports):
            system = str(row["system"])
            self._heard[system] = now
            if system in down:
                self._since.setdefault(system, now)
            elif int(row["calls"]) > int(row["errors"]) * FAILING_SHARE:
                self._since.pop(system, None)
        for system in [one for one, at in self._heard.items() if now - at > UNHEARD]:
            self._since.pop(system, None)
        return tuple(FailingServer(one, at) for one, at in sorted(self._since.items()) if one in used)
