"""Count all waves at a glance: by the database, a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.rows import LegState
from ledger.db.schema import leg, mailbox


@dataclass(frozen=True, slots=True)
class WaveTotals:
    """Count one wave.

    Attributes:
        wave: its name.
        mailboxes: of the wave.
        legs: how many are in each state.
        items: known.
        done: settled.
        bytes: at the target.
    """

    wave: str
    mailboxes: int
    legs: Mapping[LegState, int]
    items: int
    done: int
    bytes: int


def overview(ledger: LedgerHandle) -> list[WaveTotals]:
    """Return the totals of all waves, by name."""
    sums = select(
        mailbox.c.wave,
        leg.c.state,
        func.count(),
        func.coalesce(func.sum(leg.c["items"]), 0),
        func.coalesce(func.sum(leg.c.done), 0),
        func.coalesce(func.sum(leg.c.bytes), 0),
    )
    boxes = select(mailbox.c.wave, func.count()).group_by(mailbox.c.wave).order_by(mailbox.c.wave)
    with reading(ledger.engine) as connection:
        rows = connection.execute(
            sums.select_from(leg.join(mailbox)).group_by(mailbox.c.wave, leg.c.state)
        ).all()
        counts = connection.execute(boxes).all()
    totals = []
    for wave, count in counts:
        own = [row for row in rows if row[0] == wave]
        items, done, size = (sum(int(row[at]) for row in own) for at in (3, 4, 5))
        legs = {LegState(row[1]): int(row[2]) for row in own}
        totals.append(WaveTotals(wave, count, legs, items, done, size))
    return totals
