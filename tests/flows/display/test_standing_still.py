"""A wave that is paused, that stopped at its first mailbox, or in which nothing moves: no invented time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.planning.throughput_estimate import Estimate
from flows.display.artifact_text import Seen, wave_phrase, wave_text
from flows.display.mailbox_rows import mailbox_lines, mailboxes_phrase, mailboxes_text, stopped_at
from flows.display.narration import progress_line
from ledger.db.engine import writing
from ledger.db.rows import LegRow, LegState, Phase
from ledger.db.schema import leg as leg_table
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.wave_control import paused_since, set_paused
from ledger.store import Ledger
from model.kinds import Kind
from reports.progress import Snapshot

NOW = datetime(2026, 11, 29, 22, 14, tzinfo=UTC)
SINCE = datetime(2026, 11, 29, 21, 5, tzinfo=UTC)
LEFT = Estimate(3, 900, 9_000, 5400.0, "rate", alone=False)


def leg(mailbox: str, state: LegState, code: str | None = None, done: int = 0) -> LegRow:
    fixed: dict[str, Any] = {"owner": None, "lease_until": None, "epoch": 0, "started": None}
    given = {"items": 100, "done": done, "bytes": 5_000_000, "finished": None, **fixed}
    return LegRow(id=1, mailbox=mailbox, workload=Kind.MAIL, state=state, code=code, **given)


LEGS = (leg("m-b", LegState.RUNNING, done=10), leg("m-c", LegState.PENDING), leg("m-a", LegState.WAITING))
MOVING = Seen("pilot", Snapshot(LEGS), 4.0, LEFT, (), NOW)
LINES = mailbox_lines(LEGS, [], {})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    mail = frozenset({Kind.MAIL})
    made.add_mailboxes(
        [PlannedMailbox(f"{wave}@a", f"{wave}@b", wave, Phase.STAGING, mail) for wave in ("pilot", "odd")]
    )
    yield made
    made.close()


def test_where_nothing_moves_no_time_is_told() -> None:
    assert "About 90 minutes left" in wave_text(MOVING)
    assert "about 90 minutes left" in wave_phrase(MOVING)
    still = replace(MOVING, rate=0.0)
    for told in (wave_text(still), wave_phrase(still), progress_line(still, LINES)):
        assert "90 minutes" not in told
        assert "ime left is not known" in told


def test_a_run_that_ended_tells_no_time() -> None:
    assert wave_phrase(MOVING, ended=True) == "wave pilot: 3 %, this run has ended (22:14 UTC)"


def test_a_paused_wave_says_so_in_headings_and_cards() -> None:
    paused = replace(MOVING, paused=SINCE)
    assert wave_text(paused).startswith("## Wave pilot is paused since Sun 21:05 UTC: 3 %")
    assert "minutes" not in wave_text(paused)
    for ended in (False, True):
        assert wave_phrase(paused, ended=ended) == "wave pilot: 3 %, paused since Sun 21:05 UTC (22:14 UTC)"
    assert mailboxes_phrase(LINES, SINCE).startswith("paused since Sun 21:05 UTC, 0 of 3 verified")
    text = mailboxes_text("pilot", LINES, NOW, "", paused=SINCE)
    assert text.startswith("## Wave pilot is paused since Sun 21:05 UTC: 0 of 3 verified")
    assert "minutes" not in progress_line(paused, LINES)


def test_the_first_mailbox_that_failed_is_the_first_row_with_the_cause_and_what_to_do() -> None:
    lines = stopped_at(LINES, "m-c", "over-quota")
    assert lines[0].mailbox == "m-c"
    assert mailboxes_phrase(lines) == "0 of 3 verified, 1 needs a person"
    text = mailboxes_text("pilot", lines, NOW, "")
    assert "The first mailbox, `m-c`, is not verified, so no other has begun." in text
    assert "| `canary-failed`, `over-quota` |" in text
    assert "- `canary-failed` (1 mailbox): Its first mailbox is not verified" in text
    assert "- `over-quota` (1 mailbox): Raise the target's quota" in text
    states = stopped_at(LINES, "m-c", "pending")
    assert states[0].codes == ("canary-failed",), "a state is not a code"


def test_a_resumed_wave_keeps_no_code_of_its_pause(ledger: Ledger) -> None:
    for wave in ("pilot", "odd"):
        set_paused(ledger, wave, True, "night")
    since = paused_since(ledger, "pilot")
    with writing(ledger.engine) as connection:
        connection.execute(leg_table.update().values(code="paused"))
    set_paused(ledger, "pilot", False, "night")
    assert since is not None
    assert paused_since(ledger, "pilot") is None
    assert [one.code for one in ledger.legs("pilot")] == [None]
    assert [one.code for one in ledger.legs("odd")] == ["paused"], "the other wave is paused still"
