"""Remember which servers do not answer several commands at once as they answer each of them alone.

Every server has to (RFC 9051, section 5.5). Where a connection breaks again and again among such answers, or
an answer makes no sense, this process sends one command at a time to that server from then on.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from model.errors import Transient

BROKEN_MOST = 3
"""So many connections in a row that break among such answers are no accident."""
SENSELESS = "protocol-error"
CLOSED = "connection-closed"
"""We closed it ourselves."""


class Pipelining:
    """Count what went wrong with each server. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._broken: Counter[str] = Counter()

    def allows(self, server: str) -> bool:
        """Return True if several commands may be sent at once to a server ("host:port")."""
        return self._broken[server] < BROKEN_MOST

    @contextlib.contextmanager
    def trying(self, server: str) -> Iterator[None]:
        """Note how it goes to read the answers to several commands.

        Args:
            server: "host:port".
        """
        try:
            yield
        except Transient as error:
            if error.code != CLOSED:
                with self._lock:
                    self._broken[server] += BROKEN_MOST if error.code == SENSELESS else 1
            raise
        if self._broken[server]:
            with self._lock:
                self._broken[server] = 0 if self.allows(server) else BROKEN_MOST


PIPELINING = Pipelining()
"""What this process knows about all servers."""
