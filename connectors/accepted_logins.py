"""Remember which logins servers accepted, so that one refusal after a success is not final.

A server whose database restarts may refuse a correct password. Therefore the first refusal after a success
with the same secret is a passing fault: the mailbox waits. The refusal counts once it is confirmed later. A
login that was never accepted is refused at once, because retries may lock an account.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from model.errors import Blocked, Transient

UNCONFIRMED = "login-unconfirmed"
WAIT_SECONDS = 60.0
"""Seconds before a refused login is tried again."""
PERSON, APPLICATION = 1, 3
"""How often a refusal must be confirmed: a few wrong passwords lock a person's account; an application's
secret locks no account."""


@dataclass(slots=True)
class _Doubt:
    """Hold a login that was accepted and then refused.

    Attributes:
        refusals: how many refusals counted.
        at: when the last attempt was, in seconds of the clock.
        trying: True while an attempt confirms it.
    """

    refusals: int
    at: float
    trying: bool = False


class Logins:
    """Hold what is known about logins in one process.

    Safe from several threads. It keeps digests only, no secrets.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing known.

        Args:
            clock: returns monotonic seconds.
        """
        self.clock = clock
        self._lock = threading.Lock()
        self._accepted: set[bytes] = set()
        self._doubts: dict[bytes, _Doubt] = {}

    def refuse_doubtful(self, login: bytes) -> None:
        """Check a login before it is tried.

        Many workers may share a secret; one of them confirms its refusal, once in WAIT_SECONDS.

        Args:
            login: see login_of.

        Raises:
            Transient: "login-unconfirmed" while it was refused a moment ago.
        """
        if login not in self._doubts:
            return
        with self._lock:
            doubt = self._doubts.get(login)
            if doubt is None:
                return
            left = doubt.at + WAIT_SECONDS - self.clock()
            if left > 0:
                raise _unconfirmed(left)
            doubt.at, doubt.trying = self.clock(), True

    def accepted(self, login: bytes) -> None:
        """Record that the server accepted a login."""
        if login in self._accepted and login not in self._doubts:
            return
        with self._lock:
            self._accepted.add(login)
            self._doubts.pop(login, None)

    def refused(self, login: bytes, error: Blocked, confirmations: int = PERSON) -> Blocked | Transient:
        """Record a refusal and return what it means.

        Attempts that were in progress beside the first refusal count with it.

        Args:
            login: see login_of.
            error: the refusal.
            confirmations: how often it must be confirmed.

        Returns:
            Transient("login-unconfirmed") until it is confirmed; then the error, and at once for a login that
            was never accepted.
        """
        with self._lock:
            if login not in self._accepted:
                return error
            doubt = self._doubts.get(login)
            if doubt is None:
                self._doubts[login] = _Doubt(1, self.clock())
            elif doubt.trying:
                doubt.refusals, doubt.trying = doubt.refusals + 1, False
            if doubt is not None and doubt.refusals > confirmations:
                self._accepted.discard(login)
                del self._doubts[login]
                return error
        return _unconfirmed(WAIT_SECONDS).quoting(error.words)


def _unconfirmed(after: float) -> Transient:
    return Transient(UNCONFIRMED, "a login was refused that was accepted before", after=after)


def login_of(*parts: str) -> bytes:
    """Return a digest that identifies a login.

    Args:
        parts: the server, the user and, where it does not change, the secret.
    """
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16, person=b"kogge-login").digest()


LOGINS = Logins()
"""The logins of this process: workers share what they know about a server."""
