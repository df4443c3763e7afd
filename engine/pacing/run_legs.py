"""Many mailboxes at once, and where the trouble of each ends: for what runs legs beside `migrate`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from engine.control.error_log import described
from engine.control.stop_signal import Stop
from engine.pacing.login_breaker import REFUSED, LoginBreaker
from ledger.db.rows import LegRow
from model.errors import Corrupt, MigrationError, Misconfigured

Ended = TypeVar("Ended")


@dataclass
class Boundary:
    """stop: the wish to end. fault: what concerns every mailbox; it asks the others to stop. So does one
    mailbox after the other whose login is refused (engine.pacing.login_breaker)."""

    stop: Stop
    fault: MigrationError | None = None
    breaker: LoginBreaker = field(default_factory=LoginBreaker)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def within(self, row: LegRow, act: Callable[[], str | None]) -> str | None:
        """What act returns: the code with which a leg ended, None when it is done. Never raises for its
        trouble: the code of the error, or "internal-error" for a defect of ours, which is logged. A leg whose
        mailbox was refused in this run does not act: "login-refused"."""
        if self.breaker.refused(row.mailbox):
            return REFUSED
        fault: MigrationError | None = None
        try:
            code = act()
        except MigrationError as error:
            code = error.code
            fault = error if isinstance(error, (Misconfigured, Corrupt)) else None
        except Exception as error:  # noqa: BLE001 (the mailbox boundary)
            logging.getLogger("kogge.defect").error("leg %s: %s", row.id, described(error))
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
    """How the legs ended: those of one mailbox one after the other, several mailboxes at once. Left out: what
    was not begun when nothing was to begin any more (shut). one raises for nothing (Boundary.within)."""
    groups: dict[str, list[LegRow]] = {}
    for row in rows:
        groups.setdefault(row.mailbox, []).append(row)

    def mailbox(legs: Sequence[LegRow]) -> list[Ended]:
        return [one(leg) for leg in legs if not shut()]

    with ThreadPoolExecutor(at_once, thread_name_prefix="leg") as pool:
        return [ended for group in pool.map(mailbox, groups.values()) for ended in group]
