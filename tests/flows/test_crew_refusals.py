"""A refused login ends its mailbox in this run, and a row of refused mailboxes ends the run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.config.load import load
from engine.control.stop_signal import reason
from engine.leg.leg_result import LegResult
from engine.leg.run_options import RunOptions
from engine.pacing.leg_slots import LegSlot
from flows.process import leg_runner
from flows.process.leg_runner import LegRunner, opened
from ledger.db.rows import LegRow, LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import MigrationError, Misconfigured
from model.kinds import Kind

TOML = """
[ledger]
url = "sqlite:///{folder}/ledger.db"
[source]
kind = "imap"
host = "mail.example.org"
username = "x"
password = {{ env = "X" }}
[target.mail]
kind = "imap"
host = "imap.example.net"
username = "x"
password = {{ env = "X" }}
[target.calendar]
kind = "caldav"
url = "https://cloud.example.net/dav"
password = {{ env = "X" }}
[target.contacts]
kind = "carddav"
url = "https://cloud.example.net/dav"
password = {{ env = "X" }}
"""
KINDS = frozenset({Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS})
Ends = dict[str, tuple[LegState, str | None] | MigrationError]


class Legs:
    """In place of the real work: how each mailbox's legs end. tried: which were run."""

    def __init__(self, ledger: Ledger, ends: Ends) -> None:
        self.ledger, self.ends, self.tried = ledger, ends, list[int]()

    def __call__(self, _config: Any, leg_id: int, **_asked: Any) -> LegResult:
        self.tried.append(leg_id)
        row = self.ledger.leg(leg_id)
        end = self.ends[row.mailbox]
        if isinstance(end, MigrationError):
            raise end
        lease = self.ledger.claim(leg_id, "worker", 60.0)
        assert lease is not None
        self.ledger.release(lease, *end)
        return LegResult(leg_id, row.mailbox, row.workload, *end)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    ledger.add_mailboxes(
        [PlannedMailbox(f"u{n}@a.example", f"u{n}@b.example", "w", Phase.STAGING, KINDS) for n in range(4)]
    )
    yield ledger
    ledger.close()


def by_mailbox(ledger: Ledger) -> dict[str, list[LegRow]]:
    found: dict[str, list[LegRow]] = {}
    for row in ledger.legs():
        found.setdefault(row.mailbox, []).append(row)
    return found


def run(
    tmp_path: Path, legs: Legs, monkeypatch: pytest.MonkeyPatch
) -> tuple[LegRunner, dict[int, tuple[LegState, str | None]]]:
    """Every leg, one after the other, as a batch with one place would; and what each one came to."""
    monkeypatch.setattr(leg_runner, "_run_leg", legs)
    (tmp_path / "kogge.toml").write_text(TOML.format(folder=tmp_path))
    config = load(tmp_path / "kogge.toml")
    ends: dict[int, tuple[LegState, str | None]] = {}

    async def work() -> LegRunner:
        with opened(config) as hands:
            for rows in by_mailbox(legs.ledger).values():
                for row in rows:
                    slot = LegSlot(hands, row.workload)
                    await slot.acquire()
                    if not hands.shut:
                        ends[row.id] = await hands.run_leg(row, slot, RunOptions())
                    slot.release()
            return hands

    return asyncio.run(asyncio.wait_for(work(), 120)), ends


REFUSED = (LegState.BLOCKED, "login-refused")
WELL = (LegState.VERIFIED, None)


def test_a_refused_mailbox_logs_in_once(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its legs are blocked, in the ledger too, so that the next run does not try them either."""
    first, *others = by_mailbox(ledger)
    legs = Legs(ledger, {first: REFUSED, **dict.fromkeys(others, WELL)})
    hands, ends = run(tmp_path, legs, monkeypatch)
    own = [row.id for row in by_mailbox(ledger)[first]]
    assert sum(number in own for number in legs.tried) == 1
    assert {ends[number] for number in own} == {REFUSED}
    assert {(row.state, row.code) for row in by_mailbox(ledger)[first]} == {REFUSED}
    assert {end for number, end in ends.items() if number not in own} == {WELL}
    assert hands.fault is None


def test_a_row_of_refused_mailboxes_ends_the_run(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one is told as blocked, as the ledger has it; the others end with the code of the fault."""
    legs = Legs(ledger, dict.fromkeys(by_mailbox(ledger), REFUSED))
    hands, ends = run(tmp_path, legs, monkeypatch)
    assert len(legs.tried) == 3
    assert set(ends.values()) == {REFUSED}
    assert hands.fault is not None
    assert hands.fault.code == "login-refused"
    assert reason(hands.drain.event) == "login-refused"


def test_other_outcomes_do_not_end_the_row(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list(by_mailbox(ledger))
    ends: Ends = dict.fromkeys(names, REFUSED)
    ends[names[1]] = (LegState.WAITING, "timeout")
    hands, _ = run(tmp_path, Legs(ledger, ends), monkeypatch)
    assert hands.fault is not None


def test_what_concerns_every_mailbox_ends_the_run_with_its_code(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Misconfigured("[target]", "unknown")
    hands, ends = run(tmp_path, Legs(ledger, dict.fromkeys(by_mailbox(ledger), fault)), monkeypatch)
    assert hands.fault is fault
    assert list(ends.values()) == [(LegState.PENDING, "misconfigured")]
    assert reason(hands.drain.event) == "misconfigured"


RESTORED = (LegState.BLOCKED, "ledger-restored")


def test_a_ledger_that_is_older_for_several_mailboxes_ends_the_run(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many workloads each of them has."""
    legs = Legs(ledger, dict.fromkeys(by_mailbox(ledger), RESTORED))
    hands, ends = run(tmp_path, legs, monkeypatch)
    assert len(legs.tried) == 2 * len(KINDS) + 1
    assert set(ends.values()) == {RESTORED}
    assert hands.fault is not None
    assert hands.fault.code == "ledger-restored"
    assert reason(hands.drain.event) == "ledger-restored"


def test_one_mailbox_alone_does_not_end_the_run_for_the_others(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user may have changed the number of the pass that stands in the account."""
    first, *others = by_mailbox(ledger)
    hands, ends = run(tmp_path, Legs(ledger, {first: RESTORED, **dict.fromkeys(others, WELL)}), monkeypatch)
    assert hands.fault is None
    assert len(ends) == 4 * len(KINDS)
