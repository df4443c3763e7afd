"""Measure how fast legs really were, by workload. Every estimate is corrected by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.lease_statements import held
from ledger.db.schema import leg
from model.kinds import Kind


@dataclass(frozen=True, slots=True)
class Measured:
    """State what the legs of a workload did.

    Attributes:
        seconds: that workers held them, listing and verification included.
        items: written in that time.
        bytes: written in that time.
    """

    seconds: float
    items: int
    bytes: int


def measured(ledger: LedgerHandle) -> Mapping[Kind, Measured]:
    """Return the rates by workload, over every leg of the ledger that wrote something.

    Legs at work now count, too. A leg that only looked (a dry run, a verification) says nothing about
    copying.
    """
    columns = (func.sum(leg.c.busy + held()), func.sum(leg.c.copied), func.sum(leg.c.copied_bytes))
    query = select(leg.c.workload, *columns).where(leg.c.copied > 0).group_by(leg.c.workload)
    with reading(ledger.engine) as connection:
        return {
            Kind(workload): Measured(float(seconds), int(items), int(size))
            for workload, seconds, items, size in connection.execute(query)
        }
