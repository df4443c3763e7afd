"""Say what would stop a cutover first, before any of it is begun."""

from __future__ import annotations

from collections.abc import Sequence

from engine.approvals.low_score_approval import would_stop
from engine.approvals.score import scores
from engine.cutover.steps import readiness
from ledger.db.rows import SCORE_LOW, MailboxRow, Phase
from ledger.store import Ledger


def obstacles(ledger: Ledger, rows: Sequence[MailboxRow]) -> dict[str, str | None]:
    """Return why a cutover would not begin or go on, by mailbox; None if it would. Write nothing.

    Args:
        ledger: the ledger.
        rows: the mailboxes; those that are live have no obstacle.
    """
    staying = [row for row in rows if row.phase is not Phase.LIVE]
    low = would_stop(ledger, staying, scores(ledger, [row.id for row in staying]))
    found: dict[str, str | None] = {row.id: None for row in rows}
    for row in staying:
        found[row.id] = readiness(ledger, row.id) or (SCORE_LOW if row.id in low else None)
    return found
