"""Stop a run whose logins are refused, and wait only once for a server that cannot be reached.

It is a circuit breaker that prevents locked accounts.

An account that was refused is not asked again in the run, and a run whose mailboxes are refused one after the
other stops. Repeated login attempts lock people, or a service account, out. Each run has one breaker,
whatever the command. It counts each mailbox once, however many workloads it has. Only an accepted login ends
a row of refusals: a time-out says nothing about a password.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model.errors import Blocked, Misconfigured, Transient

REFUSALS_MOST = 3
"""Mailboxes in a row whose login was refused, after which a run stops."""
REFUSED = "login-refused"
"""The code of a refused login."""
UNREACHABLE = frozenset({"unreachable", "server-unreachable"})
"""The codes of a server to which no connection is made."""
AWAY_MOST = 3
"""Mailboxes in a row for which a side that answered before could not be reached, until it counts as away."""
AWAY_SECONDS = 60.0
"""How often a side that is away is asked for one mailbox, to see whether it is back."""
LEGS = ""
"""The side of a leg, which uses both: its code does not say which side refused it."""


class LoginBreaker:
    """Count refused logins, separately for each side. Thread-safe."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        describe: Callable[[str], tuple[str, str]] = lambda side: (f"[{side}]", "the server"),
    ) -> None:
        """Make a breaker that has seen nothing yet.

        Args:
            clock: seconds, from any origin.
            describe: returns where the login of a side is set, and its server; for the error.
        """
        self._clock = clock
        self._describe = describe
        self._away: Counter[str] = Counter()
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()
        self._refused: set[tuple[str, str]] = set()
        self._row: dict[str, set[str]] = {}
        self._accepted: set[str] = set()
        self._reached: set[str] = set()
        self._unreachable: dict[str, Transient] = {}
        self._first: dict[str, threading.Lock] = {}

    def refused(self, mailbox: str, side: str = LEGS) -> bool:
        """Return True if this mailbox's login was refused in this run and must not be tried again."""
        with self._lock:
            return (mailbox, _account(side)) in self._refused

    def note(self, mailbox: str, code: str | None, *, accepted: bool, side: str = LEGS) -> Blocked | None:
        """Take note of how work on a mailbox ended.

        Args:
            mailbox: the id of the mailbox.
            code: the code with which it ended; None if there is none.
            accepted: True if its login was accepted.
            side: the side that was asked.

        Returns:
            The fault of the whole run once enough mailboxes in a row were refused; else None.
        """
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
        """Guard the first request to a mailbox.

        Until a side has accepted a login, its logins are tried one after the other. Later, logins that are
        already under way may exceed the count. If a side cannot be reached before it has answered anything,
        it is not asked again: each mailbox would wait as long, to no use. One that answered, and then cannot
        be reached for several mailboxes in a row, is asked now and then, and not for the others.

        Args:
            side: the side that is asked.
            mailbox: the id of the mailbox.

        Raises:
            Misconfigured: at the last refusal that is allowed, and from then on before anything is tried.
            Blocked: `login-refused` for a mailbox that was refused before.
            Transient: the fault of an earlier mailbox, if the side could not be reached for it.
        """
        if side in self._accepted:
            with self._note_result(side, mailbox):
                yield
            return
        with self._lock:
            first = self._first.setdefault(side, threading.Lock())
        with first, self._note_result(side, mailbox):
            yield

    @contextmanager
    def _note_result(self, side: str, mailbox: str) -> Iterator[None]:
        self._stop(side)
        self._refuse_unreachable(side)
        if self.refused(mailbox, side):
            raise Blocked(REFUSED, "another workload of this mailbox was refused; it was not tried again")
        try:
            yield
        except Blocked as error:
            self._reached.add(side)
            self._note_answer(side)
            self.note(mailbox, error.code, accepted=False, side=side)
            self._stop(side)
            raise
        except Transient as error:
            self._note_fault(side, error)
            raise
        self._accepted.add(side)
        self._note_answer(side)
        self.note(mailbox, None, accepted=True, side=side)

    def _stop(self, side: str) -> None:
        with self._lock:
            over = self._is_over(side)
        if over:
            place, server = self._describe(side)
            raise Misconfigured(
                place,
                f"{server} refused {REFUSALS_MOST} mailboxes in a row, so no more logins were tried, lest "
                "accounts be locked; correct the login or the password, then `kogge check`",
            )

    def _note_answer(self, side: str) -> None:
        with self._lock:
            self._away.pop(side, None)
            self._unreachable.pop(side, None)

    def _note_fault(self, side: str, error: Transient) -> None:
        if error.code not in UNREACHABLE:
            self._reached.add(side)
            self._note_answer(side)
            return
        with self._lock:
            self._away[side] += 1
            if side not in self._accepted | self._reached or self._away[side] >= AWAY_MOST:
                self._unreachable[side] = error
                self._asked[side] = self._clock()

    def _refuse_unreachable(self, side: str) -> None:
        with self._lock:
            fault = self._unreachable.get(side)
            is_due = self._clock() - self._asked.get(side, 0.0) >= AWAY_SECONDS
            if fault is not None and is_due and side in self._accepted | self._reached:
                self._asked[side] = self._clock()
                return
        if fault is not None:  # a new error each time, as one that is raised again keeps every traceback
            raise Transient(fault.code, fault.advice).about(fault.detail).with_local_cause(fault.local)

    def _is_over(self, side: str) -> bool:
        return len(self._row.get(side, ())) >= REFUSALS_MOST


def _account(side: str) -> str:
    """Return the account of a side: the workloads of a target mostly share one."""
    return side.partition(".")[0]
