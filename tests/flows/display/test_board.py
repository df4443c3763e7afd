"""What Prefect's UI shows of waves: counts, codes and what to do about them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.approvals.score import Score
from engine.planning.throughput_estimate import Estimate
from flows.display.all_waves import overall_phrase, overall_text, wave_lines
from flows.display.artifact_text import Seen, batch_rows, remaining, score_rows, span, wave_text
from flows.display.mailbox_rows import mailbox_lines
from flows.process.parameters import BatchParameters
from ledger.db.rows import LegRow, LegState, MailboxRow, Phase
from ledger.views.server_health import Health
from model.kinds import Kind
from reports.files import newest_page, page_of, put
from reports.progress import Snapshot, expected, share

NOW = datetime(2026, 11, 26, 22, 0, tzinfo=UTC)
LEFT = Estimate(3, 900, 9_000, 5400.0, "throttle", alone=False)


def row(number: int, mailbox: str, state: LegState, code: str | None = None, done: int = 0) -> LegRow:
    fixed: dict[str, Any] = {"owner": None, "lease_until": None, "epoch": 0, "started": None}
    given = {"items": 100, "done": done, "bytes": 5_000_000, "finished": None, **fixed}
    return LegRow(id=number, mailbox=mailbox, workload=Kind.MAIL, state=state, code=code, **given)


LEGS = (
    row(1, "m-1", LegState.VERIFIED, done=100),
    row(2, "m-2", LegState.BLOCKED, "over-quota", done=40),
    row(3, "m-3", LegState.WAITING, "timeout"),
    row(4, "m-4", LegState.RUNNING, done=10),
)


def seen(*health: Health, legs: tuple[LegRow, ...] = LEGS, left: Estimate | None = LEFT) -> Seen:
    return Seen("pilot", Snapshot(legs), 4.25, left, health, NOW, expected=1000)


def test_a_wave_at_work_says_how_far_how_fast_how_long_and_what_is_open() -> None:
    text = wave_text(seen())
    assert "## Wave pilot: 15 %" in text, "of the thousand that the preflight counted"
    assert "150 of 1,000 items (400 listed; the rest as `kogge check` counted), 20.0 MB;" in text
    assert "; 1 of 4 mailboxes are verified." in text
    assert "4.2 items a second. About 90 minutes left, until Thu 23:30 UTC" in text
    assert "which the source's own limits decide" in text
    assert "- `over-quota` (1 workload): Raise the target's quota" in text
    assert text.index("over-quota") < text.index("timeout"), "what needs a person comes first"


def test_a_wave_that_ended_says_its_verdict() -> None:
    done = tuple(row(n, f"m-{n}", LegState.VERIFIED, done=100) for n in range(3))
    text = wave_text(seen(legs=done, left=None), ended=True)
    assert "all 3 workloads of 3 mailboxes are verified" in text
    assert "What is open" not in text


def test_servers_that_are_spared_are_named() -> None:
    slow = Health("target.mail", "w-1", 100, 5, 1.5, 0.25)
    fast = Health("target.mail", "w-2", 300, 0, 0.5, 1.0)
    text = wave_text(seen(slow, fast, Health("source", "w-1", 0, 0, 0.0, 0.0)))
    assert "| target.mail | slowed down (25%) | 5 of 400 | 750 ms |" in text
    assert "| source | halted (0%) | 0 of 0 | 0 ms |" in text


def test_a_row_for_each_batch_and_none_for_a_mailbox() -> None:
    shards = [
        BatchParameters(wave="pilot", mailboxes=["m-1", "m-2"], number=1, of=2),
        BatchParameters(wave="pilot", mailboxes=["m-3", "m-4"], number=2, of=2),
    ]
    first, second = batch_rows(shards, Snapshot(LEGS), {})
    assert (first["batch"], first["verified"], first["blocked"]) == ("1 of 2", "1 of 2", 1)
    assert (first["%"], first["codes"]) == (70, "over-quota (1)")
    assert (second["running"], second["waiting"], second["items"]) == (1, 1, "10 of 200")
    assert not any("m-" in str(value) for value in (*first.values(), *second.values()))


def box(mailbox: str, wave: str) -> MailboxRow:
    return MailboxRow(mailbox, wave, Phase.STAGING, f"{mailbox}@x", f"{mailbox}@y", None, None)


def test_all_waves_count_mailboxes_and_tell_the_share_of_their_own_page() -> None:
    boxes = [box(f"m-{n}", "first") for n in range(1, 5)] + [box("m-5", "second")]
    legs = (
        *LEGS,
        replace(row(5, "m-2", LegState.VERIFIED, done=100), workload=Kind.CALENDAR),
        row(6, "m-5", LegState.PENDING),
    )
    checked = {"m-3": 500, "m-4": 200}
    first, second = wave_lines(legs, boxes, checked)
    own = Snapshot(tuple(legs[:5]))
    assert first.percent == share(own, expected(own.legs, checked))
    assert first.items == 1000
    left = {"first": LEFT, "second": LEFT}
    text = overall_text([first, second], left, NOW)
    assert "5 mailboxes in 2 waves; 250 of 1,100 items are done." in text
    assert "| first | 4 | 1 | 1 | 2 | 25 % | 90 minutes |" in text
    assert "| second | 1 | 0 | 0 | 1 | 0 % |  |" in text, "it does not run"
    assert "minutes" not in overall_text([first, second], left, NOW, {"first"})
    assert (
        overall_phrase([first, second], NOW) == "0 of 2 waves verified, 1 mailbox needs a person (22:00 UTC)"
    )
    _, frozen = wave_lines(legs, boxes, checked, {"m-5"})
    assert (frozen.person, frozen.other) == (1, 0)
    held, _ = wave_lines(legs, boxes, checked, {"m-1"})
    assert (held.verified, held.person, held.other) == (1, 2, 2), "m-1 is verified and needs a person"
    lines = mailbox_lines(own.legs, boxes, checked)
    shards = [BatchParameters(wave="first", mailboxes=["m-4"], number=1, of=1)]
    (batch,) = batch_rows(shards, own, checked)
    assert (batch["%"], batch["items"]) == (5, "10 of 200")
    assert next(line.percent for line in lines if line.mailbox == "m-4") == batch["%"]


def test_a_finished_wave_is_at_a_hundred() -> None:
    (whole,) = wave_lines([row(1, "m-1", LegState.VERIFIED, done=99)], [box("m-1", "done")], {})
    assert "| done | 1 | 1 | 0 | 0 | 100 % |  |" in overall_text([whole], {}, NOW)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(5, "a minute"), (300, "5 minutes"), (36_000, "10 hours"), (260_000, "3.0 days")],
)
def test_how_long_in_words(seconds: float, told: str) -> None:
    assert span(seconds) == told


def test_nothing_left() -> None:
    assert remaining(None, NOW) == "Nothing is left to copy."


def test_mailboxes_by_score_and_those_without_one() -> None:
    perfect, poor = Score(10, 10, 0), Score(10, 5, 0)
    rows = score_rows({"m-1": perfect, "m-2": perfect, "m-3": poor}, 5)
    assert [(row["score"], row["mailboxes"]) for row in rows] == [
        ("perfect", 2),
        ("good", 0),
        ("investigate", 0),
        ("poor", 1),
        ("not verified", 2),
    ]


def test_a_wave_that_ended_leads_to_its_report() -> None:
    assert "`kogge report --wave pilot`" in wave_text(seen(), ended=True)
    assert "kogge report" not in wave_text(seen())


def test_the_newest_report_of_a_wave_and_of_no_other(tmp_path: Path) -> None:
    assert newest_page(tmp_path, "pilot") is None
    names = ("pilot", "pilot.two", "other", "pilot")
    for age, (wave, language) in enumerate(zip(names, ("en", "de", "en", "fr"), strict=True)):
        page = put(tmp_path / "reports" / page_of(wave, language), "page", "--out")
        os.utime(page, (age, age))
    assert newest_page(tmp_path, "pilot") == tmp_path / "reports" / "wave-pilot.fr.html"
    assert newest_page(tmp_path, "pilot.two") == tmp_path / "reports" / "wave-pilot.two.de.html"
