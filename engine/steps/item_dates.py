"""The date of an item: what the source says, and the one that a date in the future gets in its place.

No server keeps a date that has not come, so it is clamped to the moment at which the record was read. That
value is the row's from then on: no later pass, worker or verification makes another of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from engine.context.leg_context import LegContext
from ledger.db.rows import ItemRow
from model.protocols import Loss, Mapped, Native

CLAMPED = (Loss("date", "in-the-future"), Loss("modified", "in-the-future"))
"""The losses of an item whose date was clamped."""


def is_clamped(losses: Iterable[Loss]) -> bool:
    """Whether the date lay in the future when the record was read."""
    return any(loss in CLAMPED for loss in losses)


def wanted(row: ItemRow, date: datetime | None, losses: Iterable[Loss]) -> datetime | None:
    """The date that an item is to have at the target, date and losses being what its mapping says now."""
    if row.date is None or not is_clamped(losses):
        return date
    return datetime.fromtimestamp(row.date, UTC)


def kept(row: ItemRow, mapped: Mapped) -> Mapped:
    """An item that is written (again), with the date that it was to get the last time if that was clamped."""
    if row.href is not None or not is_clamped(mapped.losses):
        return mapped
    return replace(mapped, item=replace(mapped.item, date=wanted(row, mapped.item.date, mapped.losses)))


def of(leg: LegContext, row: ItemRow, native: Native) -> tuple[datetime | None, bool]:
    """The date that the item of this record is to have, and whether the source's own has come: it is not
    clamped. Raises Rejected for a record that cannot be read."""
    if leg.form.date is None:
        return None, False
    date, losses = leg.form.date(native, leg.reading())
    return wanted(row, date, losses), date is not None and not is_clamped(losses)
