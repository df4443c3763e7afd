"""Record who let a mailbox go live in spite of a low score, and find whom a cutover would stop for its score.

An approval counts for the numbers that the person saw: more items that did not arrive, or that lack content,
need another one. Items whose difference a person accepted are not among them. A mailbox without a score was
not examined by anyone: it counts as a low one, and is asked for each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.approvals.score import Score, scores
from ledger.db.audit_log import Event
from ledger.db.rows import SCORE_LOW, MailboxRow, Phase
from ledger.leg.cutover_steps import DONE, FAILED, Steps
from ledger.store import Ledger
from ledger.views.scores import approved_numbers
from model.errors import Misconfigured

SCORE = "score"
"""The step of a cutover."""
PASSED = (SCORE, DONE)
UNRATED = "not-verified"
"""Stands for the rating of a mailbox that has none."""


def accept(ledger: Ledger, rows: Sequence[MailboxRow], by: str, reason: str) -> list[Event]:
    """Record an approval for each of these mailboxes whose cutover waits for its score, or would.

    Args:
        ledger: the ledger.
        rows: the mailboxes.
        by: who approves.
        reason: why.

    Returns:
        The recorded events.

    Raises:
        Misconfigured: if no cutover waits, or if one of the mailboxes has no score any more; nothing is
            recorded then.
    """
    steps = Steps(ledger).of(row.id for row in rows)
    current_scores = scores(ledger, [row.id for row in rows])
    low_now = would_stop(ledger, [row for row in rows if row.phase is not Phase.LIVE], current_scores)
    waiting = [
        row.id
        for row in rows
        if row.id in low_now or any(_waits(entry.name, entry.state) for entry in steps.get(row.id, ()))
    ]
    if not waiting:
        raise Misconfigured("CODE", f"nothing asks for {SCORE_LOW}: no cutover of these stops for its score")
    for number in waiting:
        if number not in current_scores:
            raise Misconfigured("CODE", f"{number} is not verified any more: run its cutover again")
    low = {number: current_scores[number] for number in waiting if current_scores[number].is_low}
    if not low:
        raise Misconfigured("CODE", "none of these scores low any more: run the cutover again")
    return record(ledger, low, by, reason)


def record(ledger: Ledger, low: Mapping[str, Score], by: str, reason: str) -> list[Event]:
    """Record that a person takes responsibility for these mailboxes, with these scores."""
    return [
        ledger.approve(number, SCORE_LOW, by, reason, about=_about(score)) for number, score in low.items()
    ]


def answer(score: Score | None, by: str, reason: str) -> Mapping[str, str | int]:
    """Return the detail of the event by which a person takes responsibility for a mailbox with this score."""
    return {"by": by, "code": SCORE_LOW, "reason": reason, **_about(score)}


def unaccepted(ledger: Ledger, rows: Sequence[MailboxRow]) -> dict[str, Score | None]:
    """Return those of these mailboxes with a low score, or none, for which no person takes responsibility."""
    current_scores = scores(ledger, [row.id for row in rows])
    return {
        row.id: current_scores.get(row.id)
        for row in rows
        if _is_asked(ledger, row, current_scores.get(row.id))
    }


def _is_asked(ledger: Ledger, row: MailboxRow, score: Score | None) -> bool:
    return score is None or (score.is_low and not is_accepted(ledger, row, score))


def would_stop(ledger: Ledger, rows: Sequence[MailboxRow], found: Mapping[str, Score]) -> set[str]:
    """Return those of these mailboxes that a cutover would stop for their score, if it stays as it is now.

    A mailbox that has passed this step is not asked again.

    Args:
        ledger: the ledger.
        rows: the mailboxes.
        found: their scores.
    """
    steps = Steps(ledger).of(row.id for row in rows)
    passed = {
        number for number, own in steps.items() if any((entry.name, entry.state) == PASSED for entry in own)
    }
    low = [row for row in rows if row.id in found and row.id not in passed and found[row.id].is_low]
    return {row.id for row in low if not is_accepted(ledger, row, found[row.id])}


def is_accepted(ledger: Ledger, row: MailboxRow, score: Score) -> bool:
    """Return True if a person approved this mailbox's score when it was no better than this one is now."""
    numbers = answered(ledger, row)
    return bool(numbers) and all(count <= numbers.get(name, 0) for name, count in _numbers(score).items())


def answered(ledger: Ledger, row: MailboxRow) -> dict[str, int]:
    """Return the numbers for which a person took responsibility: among others "missing" and "lacking" items.

    Returns:
        {} if no person did, or not for what the mailbox is now.
    """
    numbers = approved_numbers(ledger, row.id)
    return numbers if numbers and ledger.approved(row.id, SCORE_LOW) else {}


def _waits(name: str, state: str) -> bool:
    return (name, state) == (SCORE, FAILED)


def _about(score: Score | None) -> dict[str, str | int]:
    """Return the numbers of a score.

    Without a score there are none, so that the approval never counts for one.
    """
    if score is None:
        return {"rating": UNRATED}
    return {"rating": str(score.rating), "items": score.items, **_numbers(score)}


def _numbers(score: Score) -> dict[str, int]:
    return {"missing": score.items - score.arrived, "lacking": score.unanswered.lacking}
