"""Find the older copies of items that a pass could not write again: one that is lost may keep others away."""

from __future__ import annotations

from collections.abc import Iterable

from engine.context.leg_context import LegContext
from ledger.db.rows import ContainerRow, State


def rejected_copies(leg: LegContext, containers: Iterable[ContainerRow]) -> dict[str, tuple[int, bytes]]:
    """Return the copies of rejected items that must still be at the target, in staging and frozen.

    Such an item changed and was rejected then, so its former copy stays. While it is there, another item with
    its UID is left out. Only servers that keep an item under a name of its own are asked.

    Args:
        leg: the open leg.
        containers: those that share a folder of the target.

    Returns:
        The container's id and the item's key, by href.
    """
    if not leg.mirror or not leg.context.target.replaces:
        return {}
    return {
        row.href: (container.id, row.key)
        for container in containers
        for row in leg.ledger.rows(container.id, (State.REJECTED,))
        if row.href is not None and leg.is_ours(row)
    }
