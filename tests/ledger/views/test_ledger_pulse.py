"""A wave's pulse: a row a minute, the least pace of it, and no more of them than a chart can draw."""

from __future__ import annotations

import time

import pytest
from ledger_world import INBOX, claimed, planned, write
from sqlalchemy import Float, insert, literal, update
from sqlalchemy.sql.elements import BindParameter

from ledger.db.rows import LegState
from ledger.db.schema import health as healths
from ledger.db.schema import pulse
from ledger.store import Ledger
from ledger.views.progress_samples import MINUTE, beats, record
from ledger.views.server_health import Health, report


def health(system: str, pace: float, worker: str = "w-1") -> Health:
    return Health(system, worker, 10, 0, 0.1, pace)


def test_a_minute_is_one_row_and_says_how_far_the_wave_is(ledger: Ledger) -> None:
    lease = claimed(ledger)
    with ledger.session(lease, mirror=True) as session:
        write(session, session.record_container(INBOX).id, ["a", "b", "c"])
    before = int(time.time()) // MINUTE * MINUTE
    record(ledger, "w1")
    (beat,) = beats(ledger, "w1")
    assert before <= beat.at <= time.time()
    assert (beat.items, beat.done, beat.copied, beat.copied_bytes) == (3, 3, 3, 360)
    assert (beat.mailboxes, beat.legs, beat.seconds, beat.worked) == (0, 1, MINUTE, MINUTE)
    assert (beat.source, beat.target) == (None, None), "no worker told"
    ledger.release(lease, LegState.VERIFIED)
    record(ledger, "w1")
    newest = beats(ledger, "w1")[-1]
    assert (newest.mailboxes, newest.legs) == (1, 0)


def test_of_a_minute_the_least_pace_stays(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(ledger)
    frozen = 1_764_144_000.0
    monkeypatch.setattr("ledger.views.progress_samples.now", lambda: frozen_clock(frozen))
    told = [
        (health("source.ews", 1.0), health("target.mail", 0.5)),
        (health("source.ews", 0.0), health("target.mail", 1.0), health("target.calendar", 0.75, "w-2")),
        (health("source.ews", 1.0), health("target.mail", 1.0)),
    ]
    for rows in told:
        report(ledger, rows)
        with ledger.engine.begin() as connection:
            connection.execute(update(healths).values(at=frozen))
        record(ledger, "w1")
    (beat,) = beats(ledger, "w1")
    assert (beat.source, beat.target) == (0.0, 0.5)


def frozen_clock(seconds: float) -> BindParameter[float]:
    return literal(seconds, Float(53))


def test_a_wave_without_mailboxes_has_no_pulse(ledger: Ledger) -> None:
    ledger.add_mailboxes([planned(wave="w1")])
    record(ledger, "w2")
    assert beats(ledger, "w2") == []
    record(ledger, "w1")
    assert len(beats(ledger, "w1")) == 1


def filled(ledger: Ledger, minutes: list[int]) -> None:
    first = 1_764_144_000
    zero = {"mailboxes": 0, "items": 9000, "done": 0, "legs": 4, "source": 1.0, "target": None}
    rows = [
        {"wave": "w1", "at": first + minute * MINUTE, "copied": minute, "copied_bytes": minute * 10} | zero
        for minute in minutes
    ]
    with ledger.engine.begin() as connection:
        connection.execute(insert(pulse), rows)


@pytest.mark.parametrize("count", [1, 119, 120, 1000, 100_000])
def test_no_more_beats_than_asked_for(ledger: Ledger, count: int) -> None:
    step = max(1, count // 500)
    filled(ledger, list(range(0, count, step)))
    found = beats(ledger, "w1", most=120)
    assert len(found) <= 120
    assert found[-1].copied == list(range(0, count, step))[-1], "its end is kept"
    assert sum(beat.worked for beat in found) == len(range(0, count, step)) * MINUTE


def test_a_night_without_a_run_is_a_gap(ledger: Ledger) -> None:
    filled(ledger, [*range(60), *range(600, 660)])
    found = beats(ledger, "w1")
    assert {beat.seconds for beat in found} == {600}
    assert [beat.worked for beat in found] == [600] * 12
    assert found[6].at - found[5].at == 33_000
