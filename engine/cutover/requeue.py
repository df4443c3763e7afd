"""Send mailboxes that are stopped back into the queue, because a person asked for it.

A blocked mailbox is never tried again by itself: a wrong password, tried often enough, locks a person out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.config.hooks import HooksSettings
from engine.cutover.given_back import GIVING_BACK
from engine.cutover.stopped import stops
from ledger.db.rows import LegState, MailboxRow, State
from ledger.plan.decision import deciding
from ledger.store import RETRYABLE, Ledger
from model.kinds import Kind


@dataclass(frozen=True, slots=True)
class Requeued:
    """Count what is pending again.

    Attributes:
        legs: workloads.
        mailboxes: whose these are, by random id.
        items: rejected items with new attempts.
    """

    legs: int = 0
    mailboxes: frozenset[str] = frozenset()
    items: int = 0


def going_back(ledger: Ledger, hooks: HooksSettings, rows: Sequence[MailboxRow]) -> set[str]:
    """Return the mailboxes whose give-back was begun and has not ended.

    What Kogge wrote must not come back before that.
    """
    legs = [leg for wave in {row.wave for row in rows} for leg in ledger.legs(wave)]
    found = stops(ledger, hooks, rows, legs)
    return {number for number, stop in found.items() if stop.code == GIVING_BACK}


def requeue(
    ledger: Ledger,
    wave: str,
    wanted: Collection[str],
    *,
    kinds: Collection[Kind] = frozenset(Kind),
    codes: Collection[str] = (),
    rejected: bool = False,
    asked: Mapping[str, str] | None = None,
    accepted: Mapping[str, str] | None = None,
) -> Requeued:
    """Set workloads of a wave that are stopped back to pending; an event records it.

    All of it, or nothing: without its event nobody would know who asked.

    Args:
        ledger: the ledger.
        wave: the wave's name.
        wanted: its mailboxes, by random id.
        kinds: only these workloads.
        codes: only workloads that stopped for one of these; empty for any.
        rejected: True to give rejected items new attempts as well.
        asked: what the event says of who asked, and why.
        accepted: by mailbox, the code for which a person takes responsibility; recorded first.

    Returns:
        What is pending again. Workloads that a worker holds stay as they are.
    """
    before = {
        leg.id: leg
        for leg in ledger.legs(wave)
        if leg.mailbox in wanted and leg.workload in kinds and (not codes or leg.code in codes)
    }
    summaries = ledger.summary(wave) if rejected else []
    items = {one.leg: one.counts.get(State.REJECTED, 0) for one in summaries if one.leg in before}
    again = {leg for leg, count in items.items() if count}
    given = sum(items.values())
    with deciding(ledger, wave) as decision:
        legs = decision.requeue(before, RETRYABLE, rejected=rejected)
        legs += decision.requeue(again, (LegState.VERIFIED, LegState.COPIED), rejected=True)
        for number, code in (accepted or {}).items():
            decision.approve(number, code, asked or {})
        if legs:
            decision.event("retried", {"legs": legs, "rejected": given, **(asked or {})})
    moved = {leg.mailbox for leg in ledger.legs(wave) if leg.id in before and before[leg.id] != leg}
    return Requeued(legs, frozenset(moved), given)
