"""Put into force what acts by itself, such as rules for incoming mail, once the mailbox is frozen."""

from __future__ import annotations

from engine.context.leg_context import LegContext
from ledger.db.rows import Phase
from model.errors import Rejected
from model.taking_effect import TakesEffect


def take_effect(leg: LegContext) -> None:
    """Put the items of a leg into force; out of force while the mailbox is staging. Idempotent.

    A mailbox is staging again if its cutover was taken back.

    Args:
        leg: the open leg; nothing of this pass may be left to write.

    Raises:
        Blocked: what the owner has at the target cannot be joined with the items.
    """
    if leg.mailbox.phase is Phase.STAGING:
        give_back(leg)
    elif isinstance(leg.target, TakesEffect):
        leg.target.take_effect()


def give_back(leg: LegContext) -> None:
    """Put the items of a leg out of force, such as before a rollback removes them. Idempotent.

    Where somebody changed them since, they stay in force: removing them fails then, and says so for each.

    Args:
        leg: the open leg.
    """
    if isinstance(leg.target, TakesEffect):
        try:
            leg.target.give_back()
        except Rejected as error:
            if error.code != "changed-at-target":
                raise
