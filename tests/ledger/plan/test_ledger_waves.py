"""The table of waves: what a plan says of them, and what it leaves alone."""

from __future__ import annotations

from sqlalchemy import event, update

from ledger.db.schema import wave as table
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger

PILOT = WaveRow("pilot", 1_800_000_000.0, "nights", "m-00000001", 5)


def test_a_wave_without_a_row_may_run_at_any_time(ledger: Ledger) -> None:
    assert Waves(ledger).read("pilot") == WaveRow("pilot")
    assert Waves(ledger).all() == []


def test_what_is_planned_is_what_was_said_last(ledger: Ledger) -> None:
    waves = Waves(ledger)
    waves.put([PILOT, WaveRow("w2")])
    waves.put([PILOT, WaveRow("w2", 1_900_000_000.0)])
    assert waves.all() == [PILOT, WaveRow("w2", 1_900_000_000.0)]
    waves.put([WaveRow("w2")])
    assert waves.all() == [WaveRow("pilot"), WaveRow("w2")]


def test_planning_the_same_again_writes_nothing(ledger: Ledger) -> None:
    waves = Waves(ledger)
    waves.put([PILOT])
    statements: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    waves.put([PILOT])
    waves.put([PILOT], waves={"pilot"})
    assert statements
    assert not [text for text in statements if text.startswith(("INSERT", "UPDATE", "BEGIN IMMEDIATE"))]


def test_planning_one_wave_leaves_the_others(ledger: Ledger) -> None:
    waves = Waves(ledger)
    waves.put([PILOT, WaveRow("w2", 3.0)])
    waves.put([], waves={"w2"})
    assert waves.all() == [PILOT, WaveRow("w2")]


def test_planning_leaves_a_pause_alone(ledger: Ledger) -> None:
    waves = Waves(ledger)
    waves.put([PILOT])
    with ledger.engine.begin() as connection:
        connection.execute(update(table).values(paused=True))
    waves.put([PILOT])
    assert waves.read("pilot").paused
    waves.put([])
    assert waves.read("pilot") == WaveRow("pilot", paused=True)


def test_waves_run_by_priority_then_by_date(ledger: Ledger) -> None:
    rows = [WaveRow("late", 9.0), WaveRow("early", 1.0), WaveRow("first", 99.0, priority=1)]
    Waves(ledger).put(rows)
    names = ["unplanned", "late", "early", "first"]
    assert Waves(ledger).in_order(names) == ["first", "early", "late", "unplanned"]
