"""Correct the dates of items that lay in the future when they were copied, once these dates have come.

This happens in the phases staging and frozen only, where the target is ours; `kogge repair` does it for a
live mailbox.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from engine.context.answers import fetched
from engine.context.leg_context import LegContext
from engine.leg.repair_walk import Repair, What, is_kept, repair_container
from engine.steps import item_dates
from ledger.db.rows import ContainerRow, Tally
from model.errors import Rejected
from model.protocols import Failed


def put_right(leg: LegContext, rows: Sequence[ContainerRow]) -> int:
    """Give items with a clamped date their own date, once it has come.

    Idempotent; may be interrupted anywhere, as engine.leg.repair_walk. If no date has come, only the source
    is asked, about the clamped items alone.

    Args:
        leg: the open leg.
        rows: the containers of the leg.

    Returns:
        How many items got their own date.
    """
    if not leg.mirror or not is_kept(leg, What.DATES):
        return 0
    clamped = leg.ledger.losses.of(item_dates.CLAMPED)
    order = Repair(What.DATES, execute=True)
    for row in rows if clamped else ():
        if row.gone or row.href is None or row.id not in clamped:
            continue
        if due := _due(leg, row, clamped[row.id]):
            repair_container(leg, order, row, due)
    count = order.counts["repaired"]
    if count:
        leg.ledger.tally.add(Tally(replaced=count))
        leg.ledger.event("repaired", {"what": str(What.DATES), "items": count})
    return count


def _due(leg: LegContext, row: ContainerRow, keys: Collection[bytes]) -> set[bytes]:
    """Return those of these items whose date has come by now."""
    items = [item for key in sorted(keys) if (item := leg.ledger.row(row.id, key)) is not None]
    due = set()
    for item, result in fetched(leg, row, items, bodies=leg.form.date_inside):
        leg.check()
        if isinstance(result, Failed):
            continue
        try:
            _, came = item_dates.of(leg, item, result)
        except Rejected:
            continue
        due |= {item.key} if came else set()
    return due
