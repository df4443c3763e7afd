"""Say in which state a leg ends, by what its verification found."""

from __future__ import annotations

from engine.context.leg_context import LegContext
from engine.restored import restored_target
from engine.steps.copying import organizer_first
from engine.verify.compare import Level, Verdict
from ledger.db.incidents import KILLS_WORKER
from ledger.db.rows import SOURCE_RESTORED, Lease, LegRow, LegState, Outcome
from ledger.store import Ledger

NO_FAULT = frozenset({Outcome.MATCH, Outcome.REBUILT, Outcome.DELIVERED})


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


def stands(ledger: Ledger, held: Lease, former: LegRow) -> bool:
    """Return True if a verification that was stopped leaves the verdict of the one before it.

    It does not if it found something in a verified leg before it was stopped.

    Args:
        ledger: the ledger.
        held: the lease of the verification.
        former: the leg right before it was claimed.
    """
    if former.owner is not None or former.epoch + 1 != held.epoch:
        return False
    if former.state is not LegState.VERIFIED:
        return True
    return all(finding.outcome in NO_FAULT for _, finding in ledger.findings(held.leg))
