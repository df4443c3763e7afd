"""Many mailboxes at once: what ends one of them, and what ends all."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from connectors.base import Kind
from connectors.errors import Blocked, Corrupt, MigrationError, Misconfigured
from flows.boundary import Boundary, legs_of_each
from ledger.planning import PlannedMailbox
from ledger.rows import LegRow, Phase
from ledger.store import Ledger

REFUSED = Blocked("login-refused", "of this mailbox")


@pytest.fixture
def boundary() -> Boundary:
    return Boundary(threading.Event())


def raised(boundary: Boundary, error: Exception | None) -> str | None:
    def act() -> str | None:
        if error is not None:
            raise error
        return None

    return boundary.within(1, act)


def test_the_trouble_of_one_mailbox_ends_it_alone(boundary: Boundary) -> None:
    assert raised(boundary, None) is None
    assert raised(boundary, Blocked("over-quota", "full")) == "over-quota"
    assert boundary.within(1, lambda: "not-approved") == "not-approved"
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


def test_one_refused_login_after_the_other_stops_the_others(boundary: Boundary) -> None:
    for error in (REFUSED, REFUSED, None, REFUSED, REFUSED):
        raised(boundary, error)
    assert not boundary.stop.is_set()
    assert raised(boundary, REFUSED) == "login-refused"
    assert boundary.stop.is_set()
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
