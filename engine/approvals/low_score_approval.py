"""Who let a mailbox go live in spite of a low score, with which numbers before their eyes, and whom a cutover
would stop for it.

An approval counts for what was looked at: more that did not arrive, or that lacks content, asks for another.
A mailbox without a score was looked at by nobody: it counts as a low one, and is asked for each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.approvals.score import LOW, Score, scores
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
"""In place of a rating, of a mailbox that has none."""


def accept(ledger: Ledger, rows: Sequence[MailboxRow], by: str, reason: str) -> list[Event]:
    """Records it for each of these mailboxes whose cutover waits for its score, or would. Raises
    Misconfigured where none does, or where one has no score any more, and then records nothing."""
    steps = Steps(ledger).of(row.id for row in rows)
    found = scores(ledger, [row.id for row in rows])
    low_now = would_stop(ledger, [row for row in rows if row.phase is not Phase.LIVE], found)
    waiting = [
        row.id
        for row in rows
        if row.id in low_now or any(_waits(entry.name, entry.state) for entry in steps.get(row.id, ()))
    ]
    if not waiting:
        raise Misconfigured("CODE", f"nothing asks for {SCORE_LOW}: no cutover of these stops for its score")
    for number in waiting:
        if number not in found:
            raise Misconfigured("CODE", f"{number} is not verified any more: run its cutover again")
    low = {number: found[number] for number in waiting if found[number].rating in LOW}
    if not low:
        raise Misconfigured("CODE", "none of these scores low any more: run the cutover again")
    return record(ledger, low, by, reason)


def record(ledger: Ledger, low: Mapping[str, Score], by: str, reason: str) -> list[Event]:
    """Somebody takes responsibility for these mailboxes, with these scores."""
    return [
        ledger.approve(number, SCORE_LOW, by, reason, about=_about(score)) for number, score in low.items()
    ]


def answer(score: Score | None, by: str, reason: str) -> Mapping[str, str | int]:
    """What the event says by which somebody takes responsibility for a mailbox with this score."""
    return {"by": by, "code": SCORE_LOW, "reason": reason, **_about(score)}


def unaccepted(ledger: Ledger, rows: Sequence[MailboxRow]) -> dict[str, Score | None]:
    """Those of these mailboxes that score low, or have no score, and of which nobody has said that they may
    go live so."""
    found = scores(ledger, [row.id for row in rows])
    return {row.id: found.get(row.id) for row in rows if _is_asked(ledger, row, found.get(row.id))}


def _is_asked(ledger: Ledger, row: MailboxRow, score: Score | None) -> bool:
    return score is None or (score.rating in LOW and not is_accepted(ledger, row, score))


def would_stop(ledger: Ledger, rows: Sequence[MailboxRow], found: Mapping[str, Score]) -> set[str]:
    """Those of these mailboxes that a cutover would stop for their score, if it is then what it is now.
    found: their scores. One that has passed this step is not asked again."""
    steps = Steps(ledger).of(row.id for row in rows)
    passed = {
        number for number, own in steps.items() if any((entry.name, entry.state) == PASSED for entry in own)
    }
    low = [row for row in rows if row.id in found and row.id not in passed and found[row.id].rating in LOW]
    return {row.id for row in low if not is_accepted(ledger, row, found[row.id])}


def is_accepted(ledger: Ledger, row: MailboxRow, score: Score) -> bool:
    """Whether a person approved this mailbox's score when it was no better than this one is now."""
    seen = answered(ledger, row)
    return bool(seen) and all(count <= seen.get(name, 0) for name, count in _numbers(score).items())


def answered(ledger: Ledger, row: MailboxRow) -> dict[str, int]:
    """What a person took responsibility for: "missing" and "lacking" items among other numbers. {} where
    nobody did, or not for what the mailbox is now."""
    seen = approved_numbers(ledger, row.id)
    return seen if seen and ledger.approved(row.id, SCORE_LOW) else {}


def _waits(name: str, state: str) -> bool:
    return (name, state) == (SCORE, FAILED)


def _about(score: Score | None) -> dict[str, str | int]:
    """Without numbers where there is no score: such an approval never counts for one."""
    if score is None:
        return {"rating": UNRATED}
    return {"rating": str(score.rating), "items": score.items, **_numbers(score)}


def _numbers(score: Score) -> dict[str, int]:
    return {"missing": score.items - score.arrived, "lacking": score.lacking}
