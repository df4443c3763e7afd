"""What people decide while waves run, who goes first, how servers are found: on both databases."""

from __future__ import annotations

import time

from sqlalchemy import update

from ledger.db import schema
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.wave_control import overridden, override, priorities, put_priorities, set_paused
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from ledger.views.server_health import Health, leave, newest, report


def planned(ledger: Ledger, wave: str, count: int) -> list[str]:
    rows = [
        PlannedMailbox(f"{wave}{n}@x.example", f"{wave}{n}@y.example", wave, Phase.STAGING, frozenset())
        for n in range(count)
    ]
    return [str(one) for one in ledger.add_mailboxes(rows)]


def test_a_pause_outlives_planning_and_is_recorded_when_it_changes(ledger: Ledger) -> None:
    planned(ledger, "w", 1)
    assert set_paused(ledger, "w", True, "night shift", "storage")
    assert not set_paused(ledger, "w", True, "night shift")
    Waves(ledger).put([WaveRow("w", window="nights")])
    assert Waves(ledger).read("w") == WaveRow("w", window="nights", paused=True)
    assert set_paused(ledger, "w", False, "day shift")
    assert not set_paused(ledger, "w", False, "day shift")
    assert [event.kind for event in ledger.events("w")] == ["paused", "resumed"]
    ledger.verify_events()


def test_an_override_is_of_one_wave_and_the_newest_counts(ledger: Ledger) -> None:
    planned(ledger, "w", 1)
    planned(ledger, "v", 1)
    assert overridden(ledger, "w") is None
    override(ledger, "w", "night shift")
    first = overridden(ledger, "w")
    assert first is not None
    assert abs(first - time.time()) < 60
    override(ledger, "w", "night shift")
    assert (overridden(ledger, "w") or 0) >= first
    assert overridden(ledger, "v") is None


def test_priorities_of_many_mailboxes_and_waves(ledger: Ledger) -> None:
    ids, others = planned(ledger, "w", 1200), planned(ledger, "v", 3)
    wanted = {number: place % 3 for place, number in enumerate(ids)}
    put_priorities(ledger, {**wanted, others[0]: 9})
    assert priorities(ledger, "w") == {number: rank for number, rank in wanted.items() if rank}
    assert priorities(ledger, "v") == {others[0]: 9}
    put_priorities(ledger, {others[0]: 0})
    assert len(priorities(ledger)) == 800


def test_how_a_server_is_found_is_what_each_worker_said_last_and_lately(ledger: Ledger) -> None:
    one = Health("target.files", "one", 10, 1, 2.5, 0.5, 2)
    two = Health("target.files", "two", 20, 0, 0.5, 1.0, 4)
    report(ledger, [one, two])
    report(ledger, [])
    report(ledger, [Health("target.files", "one", 3, 0, 0.5, 0.55, 2)])
    assert newest(ledger) == [Health("target.files", "one", 3, 0, 0.5, 0.55, 2), two]
    with ledger.engine.begin() as connection:
        old = update(schema.health).where(schema.health.c.worker == "two")
        connection.execute(old.values(at=schema.health.c.at - 60))
    assert [row.worker for row in newest(ledger)] == ["one"]
    assert len(newest(ledger, seconds=120)) == 2
    leave(ledger, "one")
    assert newest(ledger) == []
