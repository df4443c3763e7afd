"""Remember which servers do not answer several commands at once as they answer each of them alone.

Every server has to (RFC 9051, section 5.5). Where a connection breaks again and again among such answers, or
an answer makes no sense, this process sends one command at a time to that server for a while.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from model.errors import Transient

BROKEN_MOST = 3
"""So many connections that break one after the other among such answers are no accident."""
ALONE_SECONDS = 3600.0
"""How long a server gets one command at a time. Then several are tried again, until one more connection
breaks: a network that failed, or a server that was restarted, has broken connections too."""
SENSELESS = "protocol-error"
CLOSED = "connection-closed"
"""We closed it ourselves."""


class Use(Enum):
    """Name what several commands are sent for. A server may take some of them at once, and not others."""

    LOGIN = "login"
    ACCOUNT = "account"
    FOLDER = "folder"
    FOLDERS = "folders"


@dataclass(slots=True)
class _Count:
    """Hold how many connections broke one after the other, and when the last one did."""

    broken: int = 0
    at: float = -math.inf


class Pipelining:
    """Count what went wrong with each server. Safe from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing known.

        Args:
            clock: returns monotonic seconds.
        """
        self.clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Use], _Count] = {}
        self._alone: dict[str, float] = {}

    def allows(self, server: str) -> bool:
        """Return True if several commands may be sent at once to a server ("host:port")."""
        if server not in self._alone:
            return True
        with self._lock:
            if self.clock() < self._alone.get(server, 0.0):
                return False
            self._alone.pop(server, None)
            for (each, _), count in self._counts.items():
                if each == server:
                    count.broken = BROKEN_MOST - 1
            return True

    def alone(self) -> frozenset[str]:
        """Return the servers ("host:port") that get one command at a time just now."""
        with self._lock:
            return frozenset(server for server, until in self._alone.items() if self.clock() < until)

    @contextlib.contextmanager
    def trying(self, server: str, use: Use, since: float, *, done: bool = True) -> Iterator[None]:
        """Note how it goes to read the answers to several commands.

        Connections that break at the same time, as when a server is restarted, count once.

        Args:
            server: "host:port".
            use: what they were sent for.
            since: when they were sent, by the clock.
            done: True if these are the last of the answers: only then it has gone well.
        """
        try:
            yield
        except Transient as error:
            if error.code != CLOSED:
                self._broke(server, use, since, senseless=error.code == SENSELESS)
            raise
        if done and (server, use) in self._counts:
            with self._lock:
                if server not in self._alone:  # else these were sent before
                    self._counts.pop((server, use), None)

    def _broke(self, server: str, use: Use, since: float, *, senseless: bool) -> None:
        with self._lock:
            count = self._counts.setdefault((server, use), _Count())
            if senseless:
                count.broken = BROKEN_MOST
            elif since >= count.at:
                count.broken += 1
            count.at = self.clock()
            if count.broken >= BROKEN_MOST:
                self._alone[server] = self.clock() + ALONE_SECONDS


PIPELINING = Pipelining()
"""What this process knows about all servers."""
