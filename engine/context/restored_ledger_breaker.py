"""The circuit breaker of a ledger that was restored from a backup: it is older for all mailboxes alike, so
that a run stops after a few instead of asking about each.

Not after one: the number of a pass may stand in a mailbox's own account, where its user can change it.
"""

from __future__ import annotations

import threading

from model.errors import Blocked

CODE = "ledger-restored"
"""The code of a mailbox of which the ledger knows less than what was done."""
MAILBOXES_MOST = 3


class RestoredLedgerBreaker:
    """Counts, for all legs of one run, the mailboxes that know more than the ledger. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mailboxes: set[str] = set()

    def note(self, mailbox: str, code: str | None) -> Blocked | None:
        """Takes note of how a leg or a cutover of this mailbox ended. Returns the fault of the whole run once
        enough mailboxes ended so."""
        if code != CODE:
            return None
        with self._lock:
            self._mailboxes.add(mailbox)
            count = len(self._mailboxes)
        if count < MAILBOXES_MOST:
            return None
        return Blocked(CODE, f"{count} mailboxes know more than the ledger; the run has stopped")
