"""Many mailboxes at once: what ends one of them, and what ends all."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.control.stop_signal import Stop
from engine.pacing.run_legs import Boundary, by_mailbox, run_mailboxes
from ledger.db.rows import LegRow, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Blocked, Corrupt, MigrationError, Misconfigured, Transient
from model.kinds import Kind

REFUSED = Blocked("login-refused", "of this mailbox")


@pytest.fixture
def boundary() -> Boundary:
    return Boundary(Stop())


@dataclass(frozen=True)
class End:
    code: str | None = None

    @property
    def accepted(self) -> bool:
        return self.code is None


def failed(error: MigrationError) -> End:
    return End(error.code)


def raised(boundary: Boundary, error: Exception | None, mailbox: str = "m-1") -> str | None:
    def act() -> End:
        if error is not None:
            raise error
        return End()

    return boundary.within(mailbox, act, failed).code


def test_the_trouble_of_one_mailbox_ends_it_alone(boundary: Boundary) -> None:
    assert raised(boundary, None) is None
    assert raised(boundary, Blocked("over-quota", "full")) == "over-quota"
    assert boundary.within("m-1", lambda: End("not-approved"), failed) == End("not-approved")
    assert (boundary.fault, boundary.stop.is_set()) == (None, False)


def test_a_defect_is_logged_without_its_text(boundary: Boundary, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "kogge.defect"):
        assert raised(boundary, ValueError("anna@old.example")) == "internal-error"
    assert "mailbox m-1" in caplog.text
    assert "anna@" not in caplog.text
    assert not boundary.stop.is_set()


def test_a_defect_ends_no_run_even_where_every_error_does() -> None:
    strict = Boundary(Stop(), concerns_all=(MigrationError,))
    assert raised(strict, ValueError("anna@old.example")) == "internal-error"
    assert (strict.fault, strict.stop.is_set()) == (None, False)
    assert raised(strict, Transient("ledger-unavailable")) == "ledger-unavailable"
    assert strict.stop.is_set()


@pytest.mark.parametrize("error", [Misconfigured("[target]", "unknown"), Corrupt("ledger-corrupt", "broken")])
def test_what_concerns_all_of_them_stops_the_others(boundary: Boundary, error: MigrationError) -> None:
    assert raised(boundary, error) == error.code
    assert boundary.stop.is_set()
    raised(boundary, Misconfigured("[source]", "another"))
    assert boundary.fault is error


def test_a_refused_mailbox_is_asked_once(boundary: Boundary) -> None:
    """Its other workloads have the same account; one mailbox alone stops no run."""
    asked = []

    def act() -> End:
        asked.append(1)
        raise REFUSED

    for _ in range(6):
        assert boundary.within("m-1", act, failed) == End("login-refused")
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


def test_a_ledger_that_is_older_for_several_mailboxes_stops_the_others(boundary: Boundary) -> None:
    """A restored ledger is older for all of them, whichever command finds it."""
    for number in range(3):
        assert boundary.fault is None
        assert raised(boundary, Blocked("ledger-restored"), f"m-{number}") == "ledger-restored"
    assert boundary.fault is not None
    assert (boundary.fault.code, boundary.stop.code) == ("ledger-restored", "ledger-restored")


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

    ran: list[int] = []

    def one(row: LegRow) -> End:
        assert row.mailbox not in busy
        busy.add(row.mailbox)
        barrier.wait()
        busy.remove(row.mailbox)
        barrier.wait()
        ran.append(row.id)
        return End()

    assert run_mailboxes(by_mailbox(rows), 2, lambda: False, one) == [End()] * len(rows)
    assert sorted(ran) == sorted(row.id for row in rows)


def test_what_was_not_begun_when_somebody_asked_to_stop_is_left_out(rows: list[LegRow]) -> None:
    stop = threading.Event()

    def one(_row: LegRow) -> End:
        stop.set()
        return End()

    assert len(run_mailboxes(by_mailbox(rows), 1, stop.is_set, one)) == 1
