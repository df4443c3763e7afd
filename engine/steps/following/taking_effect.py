"""Put into force what acts by itself, such as rules for incoming mail, once the mailbox is frozen."""

from __future__ import annotations

from engine.context.leg_context import LegContext
from ledger.db.rows import Phase, State
from model.errors import Blocked, Rejected
from model.taking_effect import TakesEffect


def take_effect(leg: LegContext) -> None:
    """Put the items of a leg into force; out of force while the mailbox is staging. Idempotent.

    A mailbox is staging again if its cutover was taken back. Nothing acts while an item is rejected, which
    might have kept the others from acting.

    Args:
        leg: the open leg; nothing of this pass may be left to write.

    Raises:
        Blocked: "rules-rejected"; what the owner has at the target cannot be joined with the items.
    """
    if not isinstance(leg.target, TakesEffect):
        return
    if leg.mailbox.phase is Phase.STAGING:
        give_back(leg)
    elif leg.ledger.counts().get(State.REJECTED):
        raise Blocked("rules-rejected", "a rule could not be written, on which others may rest")
    else:
        leg.target.take_effect()


def give_back(leg: LegContext) -> None:
    """Put the items of a leg out of force, such as before a rollback removes them. Idempotent.

    Where somebody changed them since, they stay in force until each of them is removed.

    Args:
        leg: the open leg.
    """
    if isinstance(leg.target, TakesEffect):
        try:
            leg.target.give_back()
        except Rejected as error:
            if error.code != "changed-at-target":
                raise
