"""Many mailboxes at once: what ends one of them, and what ends all."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from engine.control.stop_signal import Stop
from engine.pacing.run_legs import Boundary, legs_of_each
from ledger.db.rows import LegRow, LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Blocked, Corrupt, MigrationError, Misconfigured, Transient
from model.protocols import Kind

REFUSED = Blocked("login-refused", "of this mailbox")


@pytest.fixture
def boundary() -> Boundary:
    return Boundary(Stop())


def leg(number: int, mailbox: str) -> LegRow:
    return LegRow(
        number, mailbox, Kind.MAIL, LegState.PENDING, None, None, None, 0, 0, 0, 0, None, None, None, None
    )


def raised(boundary: Boundary, error: Exception | None, mailbox: str = "m-1") -> str | None:
    def act() -> str | None:
        if error is not None:
            raise error
        return None

    return boundary.within(leg(1, mailbox), act)


def test_the_trouble_of_one_mailbox_ends_it_alone(boundary: Boundary) -> None:
    assert raised(boundary, None) is None
    assert raised(boundary, Blocked("over-quota", "full")) == "over-quota"
    assert boundary.within(leg(1, "m-1"), lambda: "not-approved") == "not-approved"
    assert (boundary.fault, boundary.stop.is_set()) == (None, False)


def test_a_defect_is_logged_without_its_text(boundary: Boundary, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "kogge.defect"):
        assert raised(boundary, ValueError("anna@old.example")) == "internal-error"
    assert "leg 1" in caplog.text
    assert "anna@" not in caplog.text
    assert not boundary.stop.is_set()


@pytest.mark.parametrize("error", [Misconfigured("[target]", "unknown"), Corrupt("ledger-corrupt", "broken")])
def test_what_concerns_all_of_them_stops_the_others(boundary: Boundary, error: MigrationError) -> None:
    assert raised(boundary, error) == error.code
    assert boundary.stop.is_set()
    raised(boundary, Misconfigured("[source]", "another"))
    assert boundary.fault is error


def test_a_refused_mailbox_is_asked_once(boundary: Boundary) -> None:
    """Its other workloads have the same account; one mailbox alone stops no run."""
    asked = []

    def act() -> str | None:
        asked.append(1)
        raise REFUSED

    for number in range(1, 7):
        assert boundary.within(leg(number, "m-1"), act) == "login-refused"
    assert len(asked) == 1
    assert (boundary.fault, boundary.stop.is_set()) == (None, False)


def test_one_refused_mailbox_after_the_other_stops_the_others(boundary: Boundary) -> None:
    """A login that is accepted ends the row; a time-out between them does not."""
    row = [REFUSED, REFUSED, None, REFUSED, Transient("timeout"), REFUSED, Blocked("over-quota")]
    for number, error in enumerate(row):
        raised(boundary, error, f"m-{number}")
    assert not boundary.stop.is_set()
    assert raised(boundary, REFUSED, "m-9") == "login-refused"
    assert (boundary.stop.is_set(), boundary.stop.code) == (True, "login-refused")
    assert boundary.fault is not None
    assert boundary.fault.code == "login-refused"


@pytest.fixture
def rows(tmp_path: Path) -> list[LegRow]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    both = frozenset({Kind.MAIL, Kind.CALENDAR})
    ledger.add_mailboxes(
        [PlannedMailbox(f"{name}@a.example", f"{name}@b.example", "w", Phase.STAGING, both) for name in "ab"]
    )
    found = list(ledger.legs())
    ledger.close()
    return found


def test_the_legs_of_a_mailbox_go_one_after_the_other(rows: list[LegRow]) -> None:
    """Both mailboxes are at work at once, or the barrier breaks."""
    barrier, busy = threading.Barrier(2, timeout=30), set[str]()

    def one(row: LegRow) -> LegRow:
        assert row.mailbox not in busy
        busy.add(row.mailbox)
        barrier.wait()
        busy.remove(row.mailbox)
        barrier.wait()
        return row

    ended = legs_of_each(rows, 2, lambda: False, one)
    assert sorted(row.id for row in ended) == sorted(row.id for row in rows)


def test_what_was_not_begun_when_somebody_asked_to_stop_is_left_out(rows: list[LegRow]) -> None:
    stop = threading.Event()

    def one(row: LegRow) -> int:
        stop.set()
        return row.id

    assert len(legs_of_each(rows, 1, stop.is_set, one)) == 1
