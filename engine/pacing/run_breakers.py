"""What ends a whole run because of how several of its mailboxes ended: circuit breakers, one set a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.context.restored_ledger_breaker import RestoredLedgerBreaker
from engine.context.shrink_guard import ShrinkBreaker
from engine.pacing.login_breaker import LoginBreaker
from model.errors import Blocked


@dataclass(frozen=True, slots=True)
class RunBreakers:
    """Safe from any thread. logins: refused ones. shrinking: sources that lose most of what was copied.
    restored: mailboxes that know more than the ledger."""

    logins: LoginBreaker = field(default_factory=LoginBreaker)
    shrinking: ShrinkBreaker = field(default_factory=ShrinkBreaker)
    restored: RestoredLedgerBreaker = field(default_factory=RestoredLedgerBreaker)

    def note(self, mailbox: str, code: str | None, *, accepted: bool) -> Blocked | None:
        """Takes note of how a leg or a cutover of this mailbox ended. accepted: its login was. Returns the
        fault of the whole run, where that ends it."""
        refused = self.logins.note(mailbox, code, accepted=accepted)
        older = self.restored.note(mailbox, code)
        return refused or self.shrinking.fault(code) or older
