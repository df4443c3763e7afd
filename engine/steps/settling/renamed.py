"""Follow the names of items that the target stores otherwise than an earlier version took them to be."""

from __future__ import annotations

from engine.context.leg_context import LegContext
from engine.steps.settling.reconcile import AT_TARGET
from model.optional_protocols import NamesOtherwise


def follow(leg: LegContext) -> int:
    """Record under which names the target has this leg's items. Idempotent; the target is not asked.

    Without it the items would be missing under the old names, and be strangers under the new ones.

    Args:
        leg: the open leg.

    Returns:
        How many items have another name now.
    """
    if not isinstance(leg.target, NamesOtherwise) or not leg.target.names_otherwise:
        return 0
    followed = 0
    for container in leg.ledger.containers():
        names = {
            row.key: name
            for row in leg.ledger.rows(container.id, AT_TARGET)
            if row.href is not None and (name := leg.target.stored_as(row.key, row.href)) != row.href
        }
        if names:
            leg.ledger.rehref(container.id, names)
        followed += len(names)
    if followed:
        leg.ledger.event("target-names-followed", {"items": followed})
    return followed
