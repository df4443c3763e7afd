"""Leave items that are not to be written now, and ask about them again in later passes.

Rights are given once the mailbox is frozen: before, nobody has the folders at the target, and in staging
Kogge would repair what people change there. A right also waits for its folder and for the person's account.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.context.leg_context import LegContext
from engine.steps.own_copies import split, stored
from engine.steps.settling.reconcile import HELD
from ledger.db.rows import ContainerRow, Phase
from model.protocols import Mapped

UNTIL_FROZEN = "right-until-frozen"


def left_now(leg: LegContext, mapped: Mapped) -> str:
    """Return the code by which an item is not written now; "" if it is written."""
    if not leg.traits.grants or mapped.left:
        return mapped.left
    return UNTIL_FROZEN if leg.mailbox.phase is Phase.STAGING else ""


def ask_again(leg: LegContext, containers: Iterable[ContainerRow]) -> None:
    """Make pending again what was left, and take back what must not be there any more. Idempotent.

    What was given is taken back in staging alone: the cutover of the mailbox was taken back.

    Args:
        leg: the open leg.
        containers: the containers of the leg.
    """
    if leg.traits.names_folders:
        from mappings.rules.reply_item import CODES as REPLY_CODES  # late, as below: only two kinds need them

        for code in REPLY_CODES:
            leg.ledger.reconsider(code)
    if not leg.traits.grants:
        return
    from mappings.rights.right_item import CODES

    if leg.mailbox.phase is not Phase.STAGING:
        for code in (*CODES, UNTIL_FROZEN):
            leg.ledger.reconsider(code)
        return
    for row in containers:
        _take_back(leg, row)


def _take_back(leg: LegContext, row: ContainerRow) -> None:
    given = [stored(item) for item in leg.ledger.rows(row.id, HELD)]
    if given:
        leg.check()
        removed, _ = split(leg.target.remove(str(row.href), given))
        leg.ledger.rewrite(row.id, [result.key for result in removed])
