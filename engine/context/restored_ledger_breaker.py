"""Stop a run when its ledger was restored from a backup.

Such a ledger is older for all mailboxes alike, so the run stops after a few mailboxes instead of asking about
each. It does not stop after one: the number of a pass may stand in a mailbox's own account, where its user
can change it.
"""

from __future__ import annotations

import threading

from model.errors import Blocked

CODE = "ledger-restored"
"""The code of a mailbox about which the ledger knows less than what was done."""
MAILBOXES_MOST = 3


class RestoredLedgerBreaker:
    """Count, for all legs of one run, the mailboxes that know more than the ledger. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mailboxes: set[str] = set()

    def note(self, mailbox: str, code: str | None) -> Blocked | None:
        """Take note of how a leg or a cutover ended.

        Args:
            mailbox: the id of the mailbox.
            code: the code with which the leg or the cutover ended.

        Returns:
            The fault of the whole run once enough mailboxes ended so; else None.
        """
        if code != CODE:
            return None
        with self._lock:
            self._mailboxes.add(mailbox)
            count = len(self._mailboxes)
        if count < MAILBOXES_MOST:
            return None
        return Blocked(CODE, f"{count} mailboxes know more than the ledger; the run has stopped")
