"""Leave items that are not to be written now, and ask about them again in later passes.

Rights are given once the mailbox is frozen: before, nobody has the folders at the target, and in staging
Kogge would repair what people change there. A right also waits for its folder and for the person's account.
Working hours act as soon as they are written: they wait likewise, and for the person's calendars. A rule that
sends mail out of the own domains is written switched off; once a person allows it, it is written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.context.leg_context import LegContext
from engine.steps.own_copies import CHANGED, held_by_others, split, stored
from engine.steps.settling.reconcile import HELD
from ledger.db.rows import ContainerRow, Phase, State, Tally
from mappings.fields.context import NO_DIGEST
from model.protocols import Mapped

UNTIL_FROZEN = "right-until-frozen"
ACTS_WHEN_FROZEN = "setting-until-frozen"


def left_now(leg: LegContext, row: ContainerRow, mapped: Mapped) -> str:
    """Return the code by which an item of a container is not written now; "" if it is written."""
    if mapped.left or leg.mailbox.phase is not Phase.STAGING:
        return mapped.left
    if leg.traits.grants:
        return UNTIL_FROZEN
    return ACTS_WHEN_FROZEN if row.source_id in leg.traits.at_once else ""


def ask_again(leg: LegContext, containers: Iterable[ContainerRow]) -> None:
    """Make pending again what was left, and take back what must not be there any more. Idempotent.

    What was given is taken back in staging alone: the cutover of the mailbox was taken back.

    Args:
        leg: the open leg.
        containers: the containers of the leg.
    """
    staging = leg.mailbox.phase is Phase.STAGING
    for code in _asked_again(leg, staging=staging):
        leg.ledger.reconsider(code)
    for row in containers if staging else ():
        if _acts_at_once(leg, row):
            _take_back(leg, row)
    _write_allowed(leg, containers)


def _acts_at_once(leg: LegContext, row: ContainerRow) -> bool:
    return leg.traits.grants or row.source_id in leg.traits.at_once


def _asked_again(leg: LegContext, *, staging: bool) -> Iterator[str]:
    """Yield the codes of what may be written by now. The mappings are imported late: most kinds need none."""
    if leg.traits.names_folders:
        from mappings.hours.hours_item import CODES as HOURS_CODES
        from mappings.rules.reply_item import CODES as REPLY_CODES

        yield from (*REPLY_CODES, *HOURS_CODES)
    if leg.traits.at_once and not staging:
        yield ACTS_WHEN_FROZEN
    if leg.traits.grants and not staging:
        from mappings.rights.right_item import CODES

        yield from (*CODES, UNTIL_FROZEN)


def _write_allowed(leg: LegContext, containers: Iterable[ContainerRow]) -> None:
    """Have rules written again that a person has allowed since. A live mailbox is its owner's: not there."""
    allowed = leg.allowed() if leg.traits.names_folders and leg.mirror else NO_DIGEST
    for row in containers if allowed is not NO_DIGEST else ():
        rules = list(leg.ledger.rows(row.id, HELD))
        if any(item.digest in allowed for item in rules):  # later rules may be said otherwise behind this one
            leg.ledger.recheck(row.id, [item.key for item in rules], counted=False)


def _take_back(leg: LegContext, row: ContainerRow) -> None:
    given = [stored(item) for item in leg.ledger.rows(row.id, HELD)]
    if given:
        leg.check()
        removed, _ = split(leg.target.remove(str(row.href), given))
        leg.ledger.rewrite(row.id, [result.key for result in removed])


def take_back_left(leg: LegContext, row: ContainerRow) -> int:
    """Take back what was given once and is left now, since it would be wider than what the source has.

    What another row gives by now stays. What somebody changed at the target stays, too, and is no longer
    ours. Those rows are pending again afterwards. Idempotent.

    Args:
        leg: the open leg.
        row: a container of the leg.

    Returns:
        How many rows are pending again.
    """
    if not _acts_at_once(leg, row) or not leg.mirror or row.href is None:
        return 0
    left = [item for item in leg.ledger.rows(row.id, (State.SKIPPED,)) if item.href is not None]
    if not left:
        return 0
    leg.check()
    for code in {item.code for item in left if item.code is not None}:
        leg.ledger.reconsider(code, held=True)
    kept = held_by_others(leg, row, left)
    removed, failed = split(
        leg.target.remove(row.href, [stored(item) for item in left if item.href not in kept])
    )
    changed = [failure.key for failure in failed if failure.error.code == CHANGED]
    again = [*(item.key for item in left if item.href in kept), *(one.key for one in removed), *changed]
    leg.ledger.rewrite(row.id, again)
    leg.ledger.tally.add(Tally(new=len(again), replaced=-len(again), withdrawn=len(removed)))
    return len(again)
