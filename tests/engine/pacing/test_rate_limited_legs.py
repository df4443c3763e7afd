"""Legs whose target takes so many requests only: who waits where, what is shown, what is not slowness."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.config.load import Config, load
from engine.control.stop_signal import Stop
from engine.pacing import admission
from engine.pacing.admission import Admission
from engine.pacing.call_metrics import MetricsSample
from engine.pacing.server_notices import clock_time, notices, rate_limit_lines
from engine.pacing.shared_budget import RATE_LIMITED, SharedBudget, budget_of
from kogge.prepare.announced_waits import announced_waits, waits
from ledger.store import Ledger
from model.kinds import Kind

TOML = """\
[source]
kind = "imap"
host = "imap.example.org"
auth = "master-user"
username = "m"
password = { env = "X" }
[target.mail]
kind = "imap"
host = "imap.example.net"
auth = "master-user"
username = "m"
password = { env = "X" }
[target.calendar]
kind = "caldav"
url = "https://ox.example.net"
profile = "open-xchange"
password = { env = "X" }
[target.contacts]
kind = "carddav"
url = "https://ox.example.net"
profile = "open-xchange"
password = { env = "X" }
[run]
mailboxes_at_once = 4
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "kogge.toml").write_text(TOML)
    return load(tmp_path / "kogge.toml")


@pytest.fixture
def ledger(config: Config) -> Iterator[Ledger]:
    made = Ledger(config.ledger_url())
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def budget(config: Config, ledger: Ledger) -> SharedBudget:
    found = budget_of(config, config.target.of(Kind.CALENDAR))
    assert found is not None
    return found


def spend(budget: SharedBudget) -> threading.Thread:
    """The server refused everything for five minutes; a request waits for that."""
    budget.refused(300.0)
    ended = threading.Event()

    def pause(_seconds: float) -> None:
        if ended.is_set():
            raise TimeoutError

    def ask() -> None:
        with pytest.raises(TimeoutError):
            budget.take(pause)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: budget.spent)
    ended.set()
    thread.join(30)
    return thread


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_leg_gives_its_place_to_a_leg_of_another_server(
    config: Config, ledger: Ledger, budget: SharedBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "HOLD_SECONDS", 0.0)
    held = Admission(config, ledger)
    calendar = held.join(Kind.CALENDAR)
    assert held.begin(calendar)
    assert held.turn(calendar, Stop()) is None  # it has just begun
    spend(budget)
    mail = held.join(Kind.MAIL)
    assert held.turn(calendar, Stop()) == RATE_LIMITED
    assert held.begin(mail)
    contacts = held.join(Kind.CONTACTS)
    assert not held.begin(contacts)


def test_a_leg_waits_as_long_as_the_limit_and_not_until_it_is_asked_for_again(
    config: Config, ledger: Ledger, budget: SharedBudget
) -> None:
    """Else it would wait in the middle of a batch, where it keeps its place."""
    spend(budget)
    budget._ready = 0.0
    assert budget.spent
    held = Admission(config, ledger)
    assert not held.begin(held.join(Kind.CALENDAR))
    budget._free = 0.0
    assert held.begin(held.join(Kind.CONTACTS))


def test_it_keeps_its_place_while_nobody_else_could_use_it(
    config: Config, ledger: Ledger, budget: SharedBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "HOLD_SECONDS", 0.0)
    held, stop = Admission(config, ledger), Stop()
    calendar = held.join(Kind.CALENDAR)
    assert held.begin(calendar)
    assert held.turn(calendar, stop) is None
    spend(budget)
    held.join(Kind.CONTACTS)  # of the same server
    ended: list[str | None] = []
    waiting = threading.Thread(target=lambda: ended.append(held.turn(calendar, stop)))
    waiting.start()
    wait_for(lambda: calendar in held._legs.held)
    waiting.join(3 * admission.TICK_SECONDS)
    assert ended == []
    stop.set()
    waiting.join(30)
    assert ended == ["stopped"]


def test_waiting_for_the_limit_is_no_slowness_of_the_server(
    config: Config, ledger: Ledger, budget: SharedBudget
) -> None:
    held = Admission(config, ledger)
    calendar = held.join(Kind.CALENDAR)
    assert held.begin(calendar)
    held.period()
    meter = held._gates["target.calendar-contacts"].meter

    def slow() -> float:
        meter.end(meter.clock() - 900.0, 9)
        held.period()
        return next(row.pace for row in held.seen if row.system == "target.calendar-contacts")

    spend(budget)
    assert slow() == 1.0
    held._gates["target.calendar-contacts"].throttle._past.clear()
    budget._waited = float("-inf")
    assert slow() < 1.0
    meter.end(meter.clock(), 9, 9)
    held.period()


def test_what_waits_is_shown_with_the_time(config: Config, ledger: Ledger, budget: SharedBudget) -> None:
    held = Admission(config, ledger)
    held.join(Kind.CONTACTS)
    assert (held.rate_limited(), notices(config, ledger)) == ({}, [])
    spend(budget)
    (until,) = held.rate_limited().values()
    line = f"target.calendar-contacts: waits for its rate limit until {clock_time(until)}"
    assert rate_limit_lines(held.rate_limited()) == [line]
    assert notices(config, ledger) == [line]


def test_a_command_that_looks_says_until_when_it_waits(
    config: Config, ledger: Ledger, budget: SharedBudget, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    assert waits(config) == {}
    with announced_waits(config, 0.01):
        spend(budget)
        assert list(waits(config)) == ["target.calendar-contacts"]
        wait_for(lambda: said.append(capsys.readouterr().err) or "rate limit" in "".join(said))
        time.sleep(0.1)
    said.append(capsys.readouterr().err)
    assert "".join(said).count("target.calendar-contacts: waits for its rate limit until") == 1


def test_a_moment_is_rounded_up_to_the_minute() -> None:
    assert clock_time(120.0) == clock_time(61.0)
    assert clock_time(120.0) != clock_time(121.0)


def test_a_sample_without_its_time_still_has_its_errors(
    config: Config, ledger: Ledger, budget: SharedBudget
) -> None:
    held = Admission(config, ledger)
    assert held.begin(held.join(Kind.CALENDAR))
    held.period()
    spend(budget)
    meter = held._gates["target.calendar-contacts"].meter
    meter.end(meter.clock(), 9, 9)
    held.period()
    row = next(row for row in held.seen if row.system == "target.calendar-contacts")
    assert (row.calls, row.errors, row.pace) == (9, 9, 0.0)
    assert MetricsSample(9, 9).latency == row.latency
