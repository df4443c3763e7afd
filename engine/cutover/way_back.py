"""Decide what gives a mailbox back to its source, wherever its cutover stopped."""

from __future__ import annotations

from enum import StrEnum

from engine.cutover.steps import is_rolled_back
from ledger.db.rows import Phase
from ledger.leg.cutover_steps import RELEASE, Steps
from ledger.store import Ledger


class WayBack(StrEnum):
    """Name what is to be done.

    Attributes:
        NOTHING: its user works at the source, and no hook is in force.
        UNDO: the begun hooks are undone, and the mailbox goes back to staging.
        ROLL_BACK: somebody may work at the target: what Kogge wrote is rolled back first.
    """

    NOTHING = "nothing"
    UNDO = "undo"
    ROLL_BACK = "roll-back"


def way_back(ledger: Ledger, mailbox_id: str) -> WayBack:
    """Return what gives this mailbox back, as the ledger is now. Write nothing.

    What was interrupted goes on: a rollback that has not ended, or hooks that are being undone.
    """
    phase = ledger.mailbox(mailbox_id).phase
    steps = {step.name for step in Steps(ledger).all(mailbox_id)}
    if phase is Phase.STAGING and not steps:
        return WayBack.NOTHING
    opened = phase is Phase.LIVE or RELEASE in steps
    return WayBack.ROLL_BACK if opened and not is_rolled_back(ledger, mailbox_id) else WayBack.UNDO
