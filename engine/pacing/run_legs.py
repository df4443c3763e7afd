"""Run the legs of many mailboxes at once, and contain the trouble of each.

For what runs legs beside `migrate`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from engine.control.error_log import describe
from engine.control.stop_signal import Stop
from engine.pacing.login_breaker import REFUSED, LoginBreaker
from ledger.db.rows import LegRow
from model.errors import Corrupt, MigrationError, Misconfigured

Ended = TypeVar("Ended")


@dataclass
class Boundary:
    """Contain the trouble of one mailbox.

    Attributes:
        stop: the request to end.
        fault: what concerns every mailbox; it asks the others to stop. Several mailboxes in a row whose login
            is refused do so too (engine.pacing.login_breaker).
        breaker: counts refused logins.
    """

    stop: Stop
    fault: MigrationError | None = None
    breaker: LoginBreaker = field(default_factory=LoginBreaker)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def within(self, row: LegRow, act: Callable[[], str | None]) -> str | None:
        """Run the work on a leg; raise nothing for its trouble.

        Args:
            row: the leg. If its mailbox was refused in this run, nothing is done.
            act: does the work. Returns the code with which the leg ended, or None when it is done.

        Returns:
            What act returns; or the code of the error; or "internal-error" for a defect of ours, which is
                logged; or "login-refused".
        """
        if self.breaker.refused(row.mailbox):
            return REFUSED
        fault: MigrationError | None = None
        try:
            code = act()
        except MigrationError as error:
            code = error.code
            fault = error if isinstance(error, (Misconfigured, Corrupt)) else None
        except Exception as error:  # noqa: BLE001 (the mailbox boundary)
            logging.getLogger("kogge.defect").error("leg %s: %s", row.id, describe(error))
            code = "internal-error"
        fault = self.breaker.note(row.mailbox, code, accepted=code is None) or fault
        with self._lock:
            if fault is not None and self.fault is None:
                self.fault = fault
                self.stop.ask(fault.code)
        return code


def legs_of_each(
    rows: Iterable[LegRow], at_once: int, shut: Callable[[], bool], one: Callable[[LegRow], Ended]
) -> list[Ended]:
    """Run the legs of each mailbox one after the other, several mailboxes at once.

    Args:
        rows: the legs.
        at_once: how many mailboxes are worked on at once.
        shut: returns True once nothing is to begin any more.
        one: runs a leg; must not raise (Boundary.within).

    Returns:
        How the legs ended, without those that were not begun.
    """
    groups: dict[str, list[LegRow]] = {}
    for row in rows:
        groups.setdefault(row.mailbox, []).append(row)

    def mailbox(legs: Sequence[LegRow]) -> list[Ended]:
        return [one(leg) for leg in legs if not shut()]

    with ThreadPoolExecutor(at_once, thread_name_prefix="leg") as pool:
        return [ended for group in pool.map(mailbox, groups.values()) for ended in group]
