"""What died workers leave behind, on both databases."""

from __future__ import annotations

from ledger_world import claimed
from sqlalchemy import func, insert, select, update

from ledger.db.engine import now
from ledger.db.rows import Lease, LegState
from ledger.db.schema import health
from ledger.db.schema import leg as leg_table
from ledger.housekeeping import EXPIRED, forget_health, requeue_expired
from ledger.store import Ledger


def expire(ledger: Ledger, lease: Lease) -> None:
    late = update(leg_table).where(leg_table.c.id == lease.leg).values(lease_until=now() - 1)
    with ledger.engine.begin() as connection:
        connection.execute(late)


def test_a_leg_whose_worker_died_waits_again_and_who_takes_it_knows(ledger: Ledger, lease: Lease) -> None:
    alive = claimed(ledger, "bert@old.example", "w2")
    expire(ledger, lease)
    assert requeue_expired(ledger) == {"w1": 1}
    states = {row.id: row.state for row in ledger.legs()}
    assert states == {lease.leg: LegState.PENDING, alive.leg: LegState.RUNNING}
    assert [event.kind for event in ledger.events("w1")].count(EXPIRED) == 1
    again = ledger.claim(lease.leg, "worker-2", 60)
    assert again is not None
    assert again.took_over
    assert again.epoch == lease.epoch + 1


def test_twice_is_once(ledger: Ledger, lease: Lease) -> None:
    expire(ledger, lease)
    requeue_expired(ledger)
    before = len(ledger.events("w1"))
    assert requeue_expired(ledger) == {}
    assert len(ledger.events("w1")) == before
    ledger.verify_events()


def test_a_worker_that_was_only_slow_still_releases_its_leg(ledger: Ledger, lease: Lease) -> None:
    expire(ledger, lease)
    requeue_expired(ledger)
    ledger.release(lease, LegState.VERIFIED)
    assert [row.state for row in ledger.legs()] == [LegState.VERIFIED]


def test_old_reports_go_and_new_ones_stay(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        for worker, age in (("old", 7200), ("new", 5)):
            row = {"system": "target", "calls": 1, "errors": 0, "latency": 0.1, "pace": 1.0}
            connection.execute(insert(health).values(worker=worker, at=now() - age, **row))
    assert forget_health(ledger, 3600) == 1
    with ledger.engine.connect() as connection:
        assert connection.execute(select(func.count(), func.max(health.c.worker))).one() == (1, "new")
