"""Which logins servers have accepted, so that one refusal after that is not taken for the last word.

A server whose database restarts may refuse a password that is right. So the first refusal after a success
with the same secret is a passing fault: the mailbox waits. It counts once it is confirmed, later.
A login that was never accepted is refused at once: tried again, it may lock an account.
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
"""Before a refused login is tried again."""
PERSON, APPLICATION = 1, 3
"""How often a refusal has to be confirmed: a person's account is locked by a few wrong passwords, an
application's secret locks nobody out."""


@dataclass(slots=True)
class _Doubt:
    """Of a login that was accepted. refusals: how many counted; at: when the last try was; trying: whether
    somebody confirms it just now."""

    refusals: int
    at: float
    trying: bool = False


class Logins:
    """What is known of logins in one process. Safe from several threads; keeps no secret, only digests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._accepted: set[bytes] = set()
        self._doubts: dict[bytes, _Doubt] = {}

    def refuse_doubtful(self, login: bytes) -> None:
        """Before a login is tried. Raises Transient("login-unconfirmed") while it was refused a moment ago:
        many workers may share a secret, and one of them confirms its refusal, once in WAIT_SECONDS."""
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
        """The server accepted it just now."""
        if login in self._accepted and login not in self._doubts:
            return
        with self._lock:
            self._accepted.add(login)
            self._doubts.pop(login, None)

    def refused(self, login: bytes, error: Blocked, confirmations: int = PERSON) -> Blocked | Transient:
        """What a refusal means: Transient("login-unconfirmed") until it has been confirmed so many times, and
        error then, or where the login was never accepted. What was under way beside the first refusal counts
        with it."""
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
        return _unconfirmed(WAIT_SECONDS).said(error.words)


def _unconfirmed(after: float) -> Transient:
    return Transient(UNCONFIRMED, "a login was refused that was accepted before", after=after)


def login_of(*parts: str) -> bytes:
    """Names a login: the server, who logs in and, where it is one, the secret."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16, person=b"kogge-login").digest()


LOGINS = Logins()
"""Those of this process: workers share what they know of a server."""
