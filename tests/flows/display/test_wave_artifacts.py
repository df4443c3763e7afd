"""The artifacts of a wave: its mailboxes, what failed, what was lost, where links lead, its log's line."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.cutover.stopped import Stop
from engine.planning.throughput_estimate import Estimate
from flows.display.artifact_text import Seen, wave_phrase, wave_text
from flows.display.artifacts import report_text
from flows.display.mailbox_rows import SHOWN, mailbox_lines, mailboxes_phrase, mailboxes_text
from flows.display.narration import person_line, progress_line
from flows.display.problem_pages import (
    failing,
    failures_phrase,
    failures_text,
    links_phrase,
    links_text,
    losses_phrase,
    losses_text,
)
from flows.display.ui_links import runs_of, tasks_of
from ledger.db.rows import LegRow, LegState, MailboxRow, Outcome, Phase, State
from ledger.views.reports import LegSummary
from ledger.views.scores import Absent
from model.kinds import Kind
from reports.facts import lost_of
from reports.progress import Snapshot

NOW = datetime(2026, 11, 29, 22, 14, tzinfo=UTC)
UI = "http://prefect.example"


def leg(
    mailbox: str, state: LegState, code: str | None = None, kind: Kind = Kind.MAIL, done: int = 0
) -> LegRow:
    fixed: dict[str, Any] = {"owner": None, "lease_until": None, "epoch": 0, "started": None}
    given = {"items": 100, "done": done, "bytes": 5_000_000, "finished": None, **fixed}
    return LegRow(id=1, mailbox=mailbox, workload=kind, state=state, code=code, **given)


def box(mailbox: str, phase: Phase) -> MailboxRow:
    return MailboxRow(mailbox, "pilot", phase, "secret.person@a.example", "secret@b.example", None, None)


def summary(mailbox: str, **given: Any) -> LegSummary:
    return LegSummary(mailbox, "pilot", Phase.STAGING, 1, Kind.MAIL, LegState.VERIFIED, None, **given)


LEGS = [
    leg("m-well", LegState.VERIFIED, done=100),
    leg("m-wait", LegState.WAITING, "timeout", done=50),
    leg("m-full", LegState.BLOCKED, "over-quota", done=40),
    leg("m-full", LegState.VERIFIED, kind=Kind.CALENDAR, done=100),
    leg("m-cold", LegState.VERIFIED, done=100),
    leg("m-runs", LegState.RUNNING, done=10),
]
BOXES = [box("m-cold", Phase.FROZEN), box("m-full", Phase.STAGING)]


def test_each_mailbox_has_one_row_and_what_needs_a_person_comes_first() -> None:
    lines = mailbox_lines(LEGS, BOXES, {})
    assert [line.mailbox for line in lines] == ["m-cold", "m-full", "m-wait", "m-runs", "m-well"]
    text = mailboxes_text("pilot", lines, NOW, UI)
    full = next(line for line in text.splitlines() if line.startswith("| `m-full`"))
    assert full.startswith("| `m-full` | staging | blocked (mail) | 70 % | `over-quota` |")
    assert "- `over-quota` (1 mailbox): Raise the target's quota" in text
    assert f"[tasks]({UI}/runs?tab=task-runs&task-run-search=m-full)" in full
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert "2 of 5 verified, 1 needs a person, 1 frozen" in text
    assert "secret" not in text


def test_a_verified_mailbox_that_a_cutover_would_stop_needs_a_person() -> None:
    lines = mailbox_lines(LEGS[:1], [], {}, {"m-well"})
    assert mailboxes_phrase(lines) == "1 of 1 verified, 1 needs a person"
    text = mailboxes_text("pilot", lines, NOW, "")
    assert "| verified | 100 % | `score-low` |" in text
    assert "- `score-low` (1 mailbox): See `kogge score`" in text


def test_a_cutover_that_stopped_needs_a_person_in_the_table_on_the_card_and_in_the_log() -> None:
    stopped = {"m-cold": Stop("hook-failed", "freeze:redirect", "exit-4", locked=True)}
    lines = mailbox_lines(LEGS[3:5], BOXES, {}, (), stopped)
    assert [line.mailbox for line in lines] == ["m-cold", "m-full"]
    assert mailboxes_phrase(lines) == "2 of 2 verified, 1 needs a person, 1 frozen"
    text = mailboxes_text("pilot", lines, NOW, "")
    assert "| frozen | verified | 100 % | `hook-failed` |" in text
    assert "- `hook-failed` (1 mailbox): A hook of its cutover did not do its work" in text
    assert person_line(lines) == "1 mailbox needs a person: hook-failed (1)."
    seen = Seen("pilot", Snapshot(tuple(LEGS[4:5])), 0.0, None, (), NOW, stopped=stopped.keys())
    assert wave_phrase(seen) == "wave pilot: 100 %, all is verified, 1 mailbox needs a person (22:14 UTC)"
    assert "1 mailbox needs a person: a cutover stopped" in wave_text(seen, ended=True)


def test_who_may_be_locked_out_by_a_freeze_hook_is_called_frozen() -> None:
    """As on the page of its cutover; the phase changes only after the last of the hooks."""
    stopped = {"m-well": Stop("hook-failed", "freeze:redirect", "exit-4", locked=True)}
    lines = mailbox_lines(LEGS[:1], [box("m-well", Phase.STAGING)], {}, (), stopped)
    assert mailboxes_phrase(lines) == "1 of 1 verified, 1 needs a person, 1 frozen"
    assert "| `m-well` | frozen | verified | 100 % | `hook-failed` |" in mailboxes_text("w", lines, NOW, "")


def test_a_withheld_mailbox_needs_a_person_and_says_why() -> None:
    lines = mailbox_lines([leg("m-1", LegState.PENDING)], [], {}, (), {"m-1": Stop("plan-changed")})
    assert person_line(lines) == "1 mailbox needs a person: plan-changed (1)."
    assert not lines[0].locked


def test_the_page_of_a_report_is_named_without_its_directory() -> None:
    text = report_text("pilot", "wave-pilot.en.html")
    assert "`wave-pilot.en.html`" in text
    assert "/" not in text


def test_the_share_is_of_what_the_check_counted() -> None:
    (line,) = mailbox_lines([leg("m-1", LegState.RUNNING, done=50)], [], {"m-1": 1000})
    assert line.percent == 5


def test_five_hundred_mailboxes_stay_readable() -> None:
    many = [leg(f"m-{number:03}", LegState.VERIFIED, done=100) for number in range(500)]
    text = mailboxes_text("pilot", mailbox_lines(many, [], {}), NOW, UI)
    assert text.count("| `m-") == SHOWN == 15
    assert "and 485 more: 485 verified. `kogge status --wave pilot --all` lists them." in text
    blocked = [leg(f"m-{number:03}", LegState.BLOCKED, "over-quota") for number in range(100)]
    blocked += [leg(f"m-w{number}", LegState.WAITING, "timeout") for number in range(3)]
    text = mailboxes_text("pilot one", mailbox_lines(blocked, [], {}), NOW, UI)
    assert "and 88 more: 85 blocked (`over-quota`), 3 waiting (`timeout`)." in text
    assert "`kogge status --wave 'pilot one' --all` lists them." in text


def test_the_page_of_a_wave_begins_with_what_to_do() -> None:
    """Below the rows it is not seen: a night shift opens the page and reads its top."""
    text = mailboxes_text("pilot", mailbox_lines(LEGS, BOXES, {}), NOW, UI)
    assert text.index("### What to do") < text.index("`over-quota` (1 mailbox)") < text.index("| `m-cold`")
    assert "timeout" not in text[: text.index("| `m-cold`")], "what passes by itself is no task"
    assert text.index("### What goes on by itself") > text.index("| `m-well`")
    assert "- `timeout` (1 mailbox):" in text[text.index("### What goes on by itself") :]
    calm = mailboxes_text("pilot", mailbox_lines(LEGS[1:2], [], {}), NOW, UI)
    assert calm.splitlines()[2] == "**Nothing needs a person.**"
    assert "What to do" not in calm


def test_the_page_of_a_paused_wave_says_how_it_goes_on() -> None:
    text = mailboxes_text("pilot", mailbox_lines(LEGS[1:2], [], {}), NOW, UI, NOW)
    assert text.splitlines()[2] == (
        'Somebody paused it. When they say so: the deployment "resume pilot", then "start pilot".'
    )


def test_the_card_of_a_wave_says_its_state() -> None:
    left = Estimate(3, 900, 9_000, 1500.0, "rate", alone=False)
    seen = Seen("pilot", Snapshot(tuple(LEGS)), 2.0, left, (), NOW, expected=1000)
    assert (
        wave_phrase(seen) == "wave pilot: 40 %, about 25 minutes left, 1 mailbox needs a person (22:14 UTC)"
    )
    assert mailboxes_phrase(mailbox_lines(LEGS[:1], [], {})) == "1 of 1 verified, none needs a person"


def test_the_log_of_a_wave_says_how_far_how_fast_how_long_and_who_is_needed() -> None:
    left = Estimate(3, 900, 9_000, 1500.0, "rate", alone=False)
    seen = Seen("pilot", Snapshot(tuple(LEGS)), 2.0, left, (), NOW, expected=1000)
    told = progress_line(seen, mailbox_lines(LEGS, BOXES, {}))
    assert told == (
        "40 % done: 400 of 1,000 items, 2 of 5 mailboxes verified. 2.0 items a second. "
        "About 25 minutes left, until Sun 22:39 UTC. 1 mailbox needs a person: over-quota (1)."
    )
    calm = progress_line(seen, mailbox_lines(LEGS[:1], [], {}))
    assert calm.endswith("Nothing needs a person.")


def test_failures_are_told_by_code() -> None:
    absent = {
        "m-1": [Absent(Kind.MAIL, State.REJECTED, "too-large", 3), Absent(Kind.MAIL, State.SEEN, None, 7)],
        "m-2": [Absent(Kind.MAIL, State.REJECTED, "too-large", 1)],
    }
    found = failing(absent, [summary("m-2", findings={(Outcome.MISSING, ""): 2, (Outcome.MATCH, ""): 9})])
    assert failures_phrase(found) == "6 items failed, by 2 codes"
    text = failures_text("pilot one", found, NOW)
    assert "| `too-large` | 4 | 2 |" in text
    assert "- `too-large` (4 items): Raise the target's message size limit" in text
    assert "| `verification-missing` | 2 | 1 |" in text
    assert "kogge failures --wave 'pilot one'" in text
    assert failures_phrase({}) == "no item failed"
    assert "What to do" not in failures_text("pilot", {}, NOW)


def test_losses_are_sentences_and_appearance_is_one_number() -> None:
    losses = {
        ("attachment", "too-large"): 2,
        ("categories", "too-many"): 1,
        ("name", "characters-replaced"): 40,
    }
    counts = lost_of([summary("m-1", losses=losses), summary("m-2", losses=losses)])
    assert counts[Kind.MAIL, "attachment", "too-large"] == 4
    text = losses_text("pilot", counts, NOW)
    assert text.index("### content: ") < text.index("### functional: ")
    assert "80 details of 1 kind" in text
    assert "characters-replaced" not in text
    assert losses_phrase(counts) == "4 content, 2 functional, 80 cosmetic"
    assert losses_phrase(Counter()) == "none"


def test_links_are_counted_by_where_they_lead() -> None:
    ends = {"moved": 30, "gone": 2, "not-migrated": 5}
    assert links_phrase(ends) == "links: 30 moved, 5 not migrated, 2 gone"
    text = links_text("pilot", ends, NOW)
    assert "into OneDrive and SharePoint: 37" in text
    assert "| gone | 2 | there is nothing at this address any more |" in text
    assert links_phrase({}) == "no links into OneDrive or SharePoint"


@pytest.mark.parametrize("name", ["pilot", "a b", "x&y"])
def test_links_into_the_ui_name_the_wave_for_both_of_its_uis(name: str) -> None:
    address = runs_of(UI, name)
    assert address.count("wave%3A") == 2
    assert "?tag=" in address
    assert "&tags=" in address
    assert address.count("&") == 1
    assert tasks_of(UI, "m-1") == f"{UI}/runs?tab=task-runs&task-run-search=m-1"
