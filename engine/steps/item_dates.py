"""Decide the date of an item: the source's date, or the moment of reading if that date lies in the future.

No server keeps a date that has not come, so it is clamped to the moment at which the record was read. The row
keeps that value from then on: no later pass, worker or verification changes it.
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
    """Return True if the date lay in the future when the record was read."""
    return any(loss in CLAMPED for loss in losses)


def target_date(row: ItemRow, date: datetime | None, losses: Iterable[Loss]) -> datetime | None:
    """Return the date that an item is to have at the target.

    Args:
        row: the row of the item, with the date that it got before.
        date: what the mapping says now; None if the source has no date.
        losses: the losses of the mapping.
    """
    if row.date is None or not is_clamped(losses):
        return date
    return datetime.fromtimestamp(row.date, UTC)


def with_kept_date(row: ItemRow, mapped: Mapped) -> Mapped:
    """Return an item that is written (again); if its date was clamped the last time, it keeps that date."""
    if row.href is not None or not is_clamped(mapped.losses):
        return mapped
    return replace(mapped, item=replace(mapped.item, date=target_date(row, mapped.item.date, mapped.losses)))


def of(leg: LegContext, row: ItemRow, native: Native) -> tuple[datetime | None, bool]:
    """Return the date that the item of this record is to have.

    Args:
        leg: the open leg.
        row: the row of the item.
        native: the record.

    Returns:
        The date, and True if it is the source's own and not clamped.

    Raises:
        Rejected: if the record cannot be read.
    """
    if not leg.form.dated:
        return None, False
    date, losses = leg.form.date(native, leg.reading())
    return target_date(row, date, losses), date is not None and not is_clamped(losses)
