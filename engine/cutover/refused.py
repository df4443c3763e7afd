"""Record which mailboxes a cutover refused to freeze for their score, and find those that still wait.

Nothing was begun there, so that no step says it.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.approvals.low_score_approval import would_stop
from engine.approvals.score import scores
from ledger.db.rows import SCORE_LOW, MailboxRow
from ledger.leg.phase_moves import MOVED
from ledger.store import Ledger
from ledger.views.decisions import of_kinds

REFUSED = "cutover-refused"
"""The kind of the event."""


def record_refusal(ledger: Ledger, row: MailboxRow) -> None:
    """Record that a cutover refused this mailbox for its score; once for each time in a phase."""
    if not _refused(ledger, [row]):
        ledger.event(row.wave, REFUSED, {"code": SCORE_LOW}, subject=row.id)


def waiting(ledger: Ledger, rows: Iterable[MailboxRow]) -> set[str]:
    """Return the ids of those that a cutover refused in this phase, and would refuse again. Write nothing."""
    refused = _refused(ledger, rows)
    return would_stop(ledger, refused, scores(ledger, [row.id for row in refused])) if refused else set()


def _refused(ledger: Ledger, rows: Iterable[MailboxRow]) -> list[MailboxRow]:
    known = list(rows)
    events = of_kinds(ledger, (row.id for row in known), (REFUSED, MOVED))
    newest = {(one.wave, one.subject): one.kind for one in events}
    return [row for row in known if newest.get((row.wave, row.id)) == REFUSED]
