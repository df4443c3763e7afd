"""The circuit breaker of refused logins: an account that was refused is not asked again, and a run that is
refused one mailbox after the other stops. Tried on and on, logins lock people out, or a service account.

One of these belongs to each run, whatever the command. It counts mailboxes, each once, however many workloads
they have. Only an accepted login ends a row of refusals: a time-out says nothing about a password.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from model.errors import Blocked, Misconfigured

REFUSALS_MOST = 3
"""Mailboxes in a row whose login was refused, after which a run stops."""
REFUSED = "login-refused"
"""The code of a refused login."""
LEGS = ""
"""The side of a leg, which has both: its code does not tell which one refused it."""


class LoginBreaker:
    """Counts refused logins, each side for itself. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: set[tuple[str, str]] = set()
        self._row: dict[str, set[str]] = {}
        self._accepted: set[str] = set()
        self._first: dict[str, threading.Lock] = {}

    def refused(self, mailbox: str, side: str = LEGS) -> bool:
        """Whether this mailbox's login was refused in this run, so that it is not to be tried again."""
        with self._lock:
            return (mailbox, _account(side)) in self._refused

    def note(self, mailbox: str, code: str | None, *, accepted: bool, side: str = LEGS) -> Blocked | None:
        """Takes note of how something with this mailbox ended. accepted: its login was. Returns the fault of
        the whole run once enough mailboxes in a row were refused."""
        with self._lock:
            if accepted:
                self._row.pop(side, None)
            elif code == REFUSED:
                self._refused.add((mailbox, _account(side)))
                self._row.setdefault(side, set()).add(mailbox)
            if not self._is_over(side):
                return None
            return Blocked(REFUSED, f"{len(self._row[side])} mailboxes in a row; the run has stopped")

    @contextmanager
    def login(self, side: str, mailbox: str) -> Iterator[None]:
        """Around the first request of a look at a mailbox. Until a side has accepted one, its logins are
        tried one after the other; later, those already under way may exceed the count. Raises Misconfigured
        at the last refusal that is allowed, and from then on before anything is tried; Blocked for a mailbox
        that was refused before."""
        if side in self._accepted:
            with self._noted(side, mailbox):
                yield
            return
        with self._lock:
            first = self._first.setdefault(side, threading.Lock())
        with first, self._noted(side, mailbox):
            yield

    @contextmanager
    def _noted(self, side: str, mailbox: str) -> Iterator[None]:
        self._stop(side)
        if self.refused(mailbox, side):
            raise Blocked(REFUSED, "another workload of this mailbox was refused; it was not tried again")
        try:
            yield
        except Blocked as error:
            self.note(mailbox, error.code, accepted=False, side=side)
            self._stop(side)
            raise
        self._accepted.add(side)
        self.note(mailbox, None, accepted=True, side=side)

    def _stop(self, side: str) -> None:
        with self._lock:
            over = self._is_over(side)
        if over:
            raise Misconfigured(
                f"[{side}]",
                f"refused {REFUSALS_MOST} mailboxes in a row, so no more logins were tried, lest accounts be "
                "locked; correct the login or the password",
            )

    def _is_over(self, side: str) -> bool:
        return len(self._row.get(side, ())) >= REFUSALS_MOST


def _account(side: str) -> str:
    """The workloads of a target mostly share one account."""
    return side.partition(".")[0]
