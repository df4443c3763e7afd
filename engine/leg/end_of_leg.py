"""Say in which state a leg ends, by what its verification found."""

from __future__ import annotations

from engine.context.leg_context import LegContext
from engine.restored import restored_target
from engine.steps import organizer_first
from engine.verify.compare import Level, Verdict
from ledger.db.incidents import KILLS_WORKER
from ledger.db.rows import SOURCE_RESTORED, LegState


def end_of(leg: LegContext, level: Level, verdict: Verdict) -> tuple[LegState, str | None]:
    """Return the state and the code of a verified leg.

    Items of which workers died are not accounted for until a person says so.
    """
    if verdict.bad:
        return LegState.DIFFERS, verdict.bad_code
    if not verdict.clean:
        return LegState.COPIED, verdict.open_code
    if leg.ledger.incidents.killers() and not leg.approved(KILLS_WORKER):
        return LegState.COPIED, KILLS_WORKER
    if restored_target.has_unanswered(leg):
        return LegState.COPIED, restored_target.CODE
    if level not in (Level.TARGET, Level.BOTH):
        return LegState.VERIFIED, f"verified-by-{level}"
    return LegState.VERIFIED, SOURCE_RESTORED if verdict.lost else organizer_first.open_code(leg)
