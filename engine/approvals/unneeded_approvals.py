"""Refuse approvals that no pending check requires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from connectors.catalogue.entries import connectors
from ledger.db.rows import ACCEPTABLE, KEPT, ORGANIZER_FIRST, STALE, TARGET_RESTORED, TOUCHED, UNSTABLE
from model.errors import Misconfigured

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.db.rows import LegRow, MailboxRow
    from ledger.store import Ledger

OF_WAVES = frozenset({"control-mailbox", "may-write", "tenant-wide"})
"""Codes about a credential: required for a wave, never for a mailbox."""

OF_GRAPH = frozenset({"may-write", "tenant-wide"})
AFTERWARDS = "no mailbox is stopped by it; it counts for what is known, not beforehand"
NEEDLESS = {
    "asserted": "every account of these mailboxes is proven by more than mailboxes.csv",
    "folder-lent": AFTERWARDS,
    "folder-replaced": AFTERWARDS,
    "kills-worker": AFTERWARDS,
    KEPT: AFTERWARDS,
    STALE: AFTERWARDS,
    TOUCHED: AFTERWARDS,
    UNSTABLE: AFTERWARDS,
    "ledger-restored": AFTERWARDS,
    ORGANIZER_FIRST: AFTERWARDS,
    "readable-by-others": "these mailboxes were copied, and nobody else could read them then",
    "sent-items": "whose these mailboxes are was looked at, and nothing spoke against it",
    "source-rekeyed": AFTERWARDS,
    "source-shrunk": AFTERWARDS,
    "target-in-use": AFTERWARDS,
    TARGET_RESTORED: AFTERWARDS,
    "target-not-empty": "these mailboxes were copied, and nothing at the target was in the way",
}


def refuse_needless(
    config: Config, ledger: Ledger, code: str, rows: Sequence[MailboxRow], *, of_wave: bool
) -> None:
    """Refuse an approval that no run of these mailboxes will require, as far as this can be known.

    Args:
        config: the configuration.
        ledger: the ledger.
        code: the code to approve.
        rows: the mailboxes.
        of_wave: True if they are a whole wave.

    Raises:
        Misconfigured: with why the approval is not required.
    """
    if code in OF_WAVES and not of_wave:
        raise Misconfigured(
            "--mailbox", f"{code} is about a credential, so it is asked for a wave: give --wave"
        )
    if code == "control-mailbox" and config.gate.control is None:
        raise _needless(code, "no control mailbox is set (gate.control)")
    if code in OF_GRAPH and not any(connectors()[source.kind].scoped for source in config.sources.values()):
        raise _needless(code, "only Microsoft 365 tells what a credential may do")
    if code not in NEEDLESS:
        return
    from ledger.plan.approvals import plan_rows

    ids = {row.id for row in rows}
    legs = [leg for leg in ledger.legs() if leg.mailbox in ids]
    checked = {row.mailbox: row.level for row in plan_rows(ledger)}
    if not any(_may_ask(config, code, leg, leg.level or checked.get(leg.mailbox)) for leg in legs):
        raise _needless(code, NEEDLESS[code])


def _needless(code: str, why: str) -> Misconfigured:
    return Misconfigured("CODE", f"nothing asks for {code}: {why}")


def _may_ask(config: Config, code: str, leg: LegRow, level: str | None) -> bool:
    """Return True if a run of the leg may require the code.

    `level` is that of the newest proof, by a run or else by `kogge check`; None if there is none.
    """
    from engine.identity.identity_gate import LEVELS, NEEDS_APPROVAL
    from ledger.db.rows import LegState

    if leg.code is not None and NEEDS_APPROVAL.get(leg.code, leg.code) == code:
        return True
    if code == "asserted":
        return level is None or LEVELS.index(level) < LEVELS.index(config.gate.accept)
    if code == "sent-items":
        return leg.level is None
    if code in ACCEPTABLE:
        return leg.state is LegState.DIFFERS
    if code in ("target-not-empty", "readable-by-others"):
        return not leg.done or leg.state in (LegState.BLOCKED, LegState.DIFFERS)
    return False
