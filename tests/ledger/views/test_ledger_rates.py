"""What legs were measured at: only time in which a worker held one, only what was written."""

from __future__ import annotations

import pytest
from ledger_world import write
from sqlalchemy import select, update

from ledger.db.engine import now
from ledger.db.rows import ContainerRow, Lease, LegState
from ledger.db.schema import leg as leg_table
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from ledger.views.rates import measured
from model.kinds import Kind


def hold(ledger: Ledger, leg: int, seconds: float, left: float = 60) -> None:
    """As if the leg had been claimed that long ago, its lease ending in left seconds."""
    values = {"claimed": now() - seconds, "lease_until": now() + left}
    with ledger.engine.begin() as connection:
        connection.execute(update(leg_table).where(leg_table.c.id == leg).values(values))


def busy(ledger: Ledger) -> tuple[float, float | None]:
    with ledger.engine.connect() as connection:
        row = connection.execute(select(leg_table.c.busy, leg_table.c.claimed)).one()
    return row.busy, row.claimed


def test_a_release_adds_the_time_the_leg_was_held(ledger: Ledger, lease: Lease) -> None:
    hold(ledger, lease.leg, 90)
    ledger.release(lease, LegState.WAITING)
    again = ledger.claim(lease.leg, "worker-2", 60)
    assert again is not None
    hold(ledger, lease.leg, 30)
    ledger.release(again, LegState.VERIFIED)
    assert busy(ledger) == (pytest.approx(120, abs=5), None)


def test_of_a_dead_worker_only_the_time_of_its_lease_counts(ledger: Ledger, lease: Lease) -> None:
    hold(ledger, lease.leg, 1000, left=-900)
    assert ledger.claim(lease.leg, "worker-2", 60) is not None
    assert busy(ledger)[0] == pytest.approx(100, abs=5)


def test_a_clock_that_was_put_back_takes_no_time_away_and_adds_none(ledger: Ledger, lease: Lease) -> None:
    hold(ledger, lease.leg, -100, left=-50)
    assert ledger.claim(lease.leg, "worker-2", 60) is not None
    assert busy(ledger)[0] == 0


def test_what_is_written_is_counted_once_a_write_and_by_workload(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a", "b", "c"])
    hold(ledger, lease.leg, 30)
    working = measured(ledger)[Kind.MAIL]
    assert (working.items, working.bytes) == (3, 360)
    assert working.seconds == pytest.approx(30, abs=5)
    ledger.release(lease, LegState.COPIED)
    assert measured(ledger)[Kind.MAIL].seconds == pytest.approx(30, abs=5)


def test_who_only_looked_says_nothing(ledger: Ledger, lease: Lease) -> None:
    hold(ledger, lease.leg, 5000)
    ledger.release(lease, LegState.PENDING, "dry-run")
    assert measured(ledger) == {}
