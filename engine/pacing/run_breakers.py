"""Hold the circuit breakers of a run, which end it because of how several of its mailboxes ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.context.restored_ledger_breaker import RestoredLedgerBreaker
from engine.context.shrink_guard import ShrinkBreaker
from engine.pacing.login_breaker import LoginBreaker
from model.errors import Blocked


@dataclass(frozen=True, slots=True)
class RunBreakers:
    """Hold one set of circuit breakers for each run. Thread-safe.

    Attributes:
        logins: counts refused logins.
        shrinking: counts sources that lose most of what was copied.
        restored: counts mailboxes that know more than the ledger.
    """

    logins: LoginBreaker = field(default_factory=LoginBreaker)
    shrinking: ShrinkBreaker = field(default_factory=ShrinkBreaker)
    restored: RestoredLedgerBreaker = field(default_factory=RestoredLedgerBreaker)

    def note(self, mailbox: str, code: str | None, *, accepted: bool) -> Blocked | None:
        """Take note of how a leg or a cutover ended.

        Args:
            mailbox: the id of the mailbox.
            code: the code with which it ended; None if there is none.
            accepted: True if its login was accepted.

        Returns:
            The fault of the whole run if this ends it; else None.
        """
        refused = self.logins.note(mailbox, code, accepted=accepted)
        older = self.restored.note(mailbox, code)
        return refused or self.shrinking.fault(code) or older
