"""Run the legs of many mailboxes at once, and contain the trouble of each.

Whatever runs legs has one Boundary a run: migrate and verify (flows.process.leg_runner), cutover, rollback
and repair.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from engine.config.load import Config
from engine.config.missing_secrets import with_the_others
from engine.control.error_log import Defect, contain_defects
from engine.control.stop_signal import Stop
from engine.pacing.login_breaker import REFUSED
from engine.pacing.run_breakers import RunBreakers
from ledger.db.rows import LegRow
from model.errors import Blocked, Corrupt, MigrationError, Misconfigured

T = TypeVar("T")
ALL_MAILBOXES = (Misconfigured, Corrupt)
"""Errors that concern every mailbox, whichever met them."""


class Outcome(Protocol):
    """Say how a leg, or the cutover of a mailbox, ended."""

    @property
    def code(self) -> str | None:
        """Why it ended so; None if it is done."""

    @property
    def accepted(self) -> bool:
        """True if both sides accepted the login."""


Ended = TypeVar("Ended", bound=Outcome)


@dataclass
class Boundary:
    """Contain the trouble of each mailbox of one run: an exception of a leg becomes its outcome.

    Attributes:
        stop: the request to end.
        breakers: the circuit breakers of the run.
        concerns_all: the classes of errors that end the run. A defect of ours never does.
        config: of the run, to name with a missing secret all others that are; None in tests.
        fault: what concerns every mailbox; it asks the others to stop. The first one stays.
    """

    stop: Stop
    breakers: RunBreakers = field(default_factory=RunBreakers)
    concerns_all: tuple[type[MigrationError], ...] = ALL_MAILBOXES
    config: Config | None = None
    fault: MigrationError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refused(self, mailbox: str) -> bool:
        """Return True if this mailbox's login was refused in this run: another try may lock its account."""
        return self.breakers.logins.refused(mailbox)

    def within(
        self, mailbox: str, act: Callable[[], Ended], failed: Callable[[MigrationError], Ended]
    ) -> Ended:
        """Run the work on a leg, or on a mailbox; raise nothing for its trouble.

        Args:
            mailbox: the id of the mailbox. If it was refused in this run, nothing is done.
            act: does the work, and returns its outcome.
            failed: returns the outcome of work that an error ended, and records it if act did not. A defect
                of ours is logged, and comes here as `internal-error`.

        Returns:
            The outcome.
        """
        if self.refused(mailbox):
            return failed(Blocked(REFUSED, "it was refused in this run already; it was not tried again"))
        try:
            with contain_defects(f"mailbox {mailbox}"):
                ended = act()
        except MigrationError as raised:
            error = self._in_full(raised)
            if isinstance(error, self.concerns_all) and not isinstance(error, Defect):
                self.end(error)
            ended = failed(error)
        fault = self.breakers.note(mailbox, ended.code, accepted=ended.accepted)
        if fault is not None:
            self.end(fault)
        return ended

    def _in_full(self, error: MigrationError) -> MigrationError:
        if self.config is None or not isinstance(error, Misconfigured):
            return error
        return with_the_others(self.config, error)

    def end(self, fault: MigrationError) -> None:
        """End the run: the other mailboxes end with the code of the first fault."""
        with self._lock:
            if self.fault is None:
                self.fault = fault
                self.stop.ask(fault.code)


def by_mailbox(rows: Iterable[LegRow]) -> list[list[LegRow]]:
    """Return the legs of each mailbox together, in the order given."""
    groups: dict[str, list[LegRow]] = {}
    for row in rows:
        groups.setdefault(row.mailbox, []).append(row)
    return list(groups.values())


def run_mailboxes(
    mailboxes: Iterable[Sequence[T]], at_once: int, shut: Callable[[], bool], one: Callable[[T], Ended]
) -> list[Ended]:
    """Do the work of each mailbox one after the other, of several mailboxes at once.

    Args:
        mailboxes: the work of each: its legs (by_mailbox), or itself.
        at_once: how many mailboxes are worked on at once.
        shut: returns True once nothing is to begin any more.
        one: does one piece of the work; must not raise (Boundary.within).

    Returns:
        How the work ended, without what was not begun.
    """

    def mailbox(work: Sequence[T]) -> list[Ended]:
        return [one(piece) for piece in work if not shut()]

    with ThreadPoolExecutor(at_once, thread_name_prefix="leg") as pool:
        return [ended for group in pool.map(mailbox, mailboxes) for ended in group]
