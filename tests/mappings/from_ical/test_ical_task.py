"""What a stranger's task becomes, with its changed occurrences; and what is named or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from icalendar_records import WHOLE, component, framed, lines_of, losses_of, mapped, outcome, record, task

from mappings.registry import FORMS
from model.kept_fields import TaskLimits
from model.kinds import Kind
from model.protocols import Mapped

FORM = FORMS[Kind.TASKS, "icalendar"]
SINGLE = replace(WHOLE, recurring_tasks=False)
PLAIN = replace(WHOLE, tasks=TaskLimits(plain_series=True))
FEW = replace(WHOLE, tasks=TaskLimits(frozenset({"SUMMARY", "DTSTART", "DUE", "RRULE"})))
BERLIN = "TZID=Europe/Berlin"
SERIES = (
    component(
        f"DTSTART;{BERLIN}:20270105T090000\nDUE;{BERLIN}:20270105T100000\nRRULE:FREQ=DAILY;COUNT=9\nSUMMARY:a",
        "",
        "VTODO",
    ),
    component(
        f"RECURRENCE-ID;{BERLIN}:20270106T090000\nDTSTART;{BERLIN}:20270106T090000\n"
        f"DUE;{BERLIN}:20270106T100000\nSTATUS:COMPLETED\nSUMMARY:a",
        "",
        "VTODO",
    ),
)


def made_of(lines: str) -> Mapped:
    return mapped(task(lines), "VTODO")


@pytest.mark.parametrize(
    ("lines", "kept", "gone", "lost"),
    [
        ("DTSTART;VALUE=DATE:20270105\nDURATION:P2D", "DUE;VALUE=DATE:20270107", "DURATION", set()),
        ("DTSTART:20270105T090000Z\nDURATION:P1W", "DUE:20270112T090000Z", "DURATION", set()),
        ("DURATION:P1W\nSUMMARY:a", "SUMMARY:a", "DURATION", {"due/unreadable"}),
        ("DTSTART:20270105T090000Z\nDUE:20270104T090000Z", "DUE:20270104T090000Z", "DTSTART",
         {"start/after-due"}),
        ("DTSTART;VALUE=DATE:20270105\nDUE;VALUE=DATE:20270105", "DUE;VALUE=DATE:20270105", "COUNT", set()),
        ("SUMMARY:a\nPERCENT-COMPLETE:101", "SUMMARY:a", "PERCENT", {"percent/impossible"}),
        ("PERCENT-COMPLETE:50", "PERCENT-COMPLETE:50", "STATUS", set()),
        ("STATUS:in-process", "STATUS:IN-PROCESS", "COMPLETED", set()),
        ("STATUS:CONFIRMED\nSUMMARY:a", "SUMMARY:a", "STATUS", {"status/unknown-value"}),
        ("COMPLETED:20260105T090000Z", "COMPLETED:20260105T090000Z", "STATUS", set()),
        ("COMPLETED;TZID=Europe/Berlin:20260105T090000", "COMPLETED:20260105T080000Z", "STATUS", set()),
        ("DUE:20270105T090000Z\nRRULE:FREQ=DAILY", "RRULE:FREQ=DAILY", "DTSTART", set()),
        ("SUMMARY:a\nATTENDEE:mailto:a@b.example", "SUMMARY:a", "ATTENDEE", {"people/not-kept"}),
        ("SUMMARY:a\nORGANIZER:mailto:a@b.example", "SUMMARY:a", "ORGANIZER", {"people/not-kept"}),
        ("SUMMARY:a\nDTEND:20270105T090000Z", "SUMMARY:a", "DTEND", {"other/not-kept"}),
        ("RELATED-TO;RELTYPE=PARENT:v", "RELATED-TO;RELTYPE=PARENT:v", "DUE", set()),
    ],
)  # fmt: skip
def test_a_property_is_kept_or_its_loss_is_named(lines: str, kept: str, gone: str, lost: set[str]) -> None:
    made = made_of(lines)
    assert kept in lines_of(made)
    assert not any(line.startswith(gone) for line in lines_of(made))
    assert losses_of(made) == lost


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("RRULE:FREQ=DAILY", "unknown-recurrence"),
        ("DUE:20270105T090000Z\nRRULE:FREQ=DAILY;INTERVAL=0", "unknown-recurrence"),
        ("DTSTART:20270105T090000Z\nDUE:20270104T090000Z\nRRULE:FREQ=DAILY", "malformed-record"),
        ("DTSTART;VALUE=DATE:20270105\nDUE:20270105T090000Z", "malformed-record"),
        ("RECURRENCE-ID:20270105T090000Z", "malformed-record"),
        ("DTSTART;VALUE=DATE:20270105\nDURATION:PT1H", "malformed-record"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(lines: str, code: str) -> None:
    assert outcome(task(lines), "VTODO") == code


def test_changed_occurrences_are_kept_with_their_zone() -> None:
    made = mapped(framed("".join(reversed(SERIES))), "VTODO")
    lines = lines_of(made)
    assert f"RECURRENCE-ID;{BERLIN}:20270106T090000" in lines
    assert "TZID:Europe/Berlin" in lines
    assert made.losses == ()


def test_changed_occurrences_are_a_loss_where_nothing_keeps_them() -> None:
    for target in (PLAIN, FEW):
        made = mapped(framed("".join(SERIES)), "VTODO", target)
        assert losses_of(made) >= {"modified-occurrence/not-kept"}
        assert sum(line == "BEGIN:VTODO" for line in lines_of(made)) == 1
        assert "RRULE:FREQ=DAILY;COUNT=9" in lines_of(made)


def test_the_current_occurrence_keeps_its_start_where_no_series_is_kept() -> None:
    made = mapped(framed("".join(SERIES)), "VTODO", SINGLE)
    assert f"DTSTART;{BERLIN}:20270105T090000" in lines_of(made)
    assert "X-KOGGE-RECURRENCE:FREQ=DAILY\\;COUNT=9" in lines_of(made)
    assert losses_of(made) == {"recurrence/current-occurrence-only"}


@pytest.mark.parametrize(
    ("trigger", "over"),
    [
        ("TRIGGER:-PT15M", False),
        ("TRIGGER;VALUE=DATE-TIME:20260105T090000Z", True),
        ("TRIGGER;RELATED=END:-P100D", True),
        ("TRIGGER:-P999999D", False),
    ],
)
def test_an_alarm_that_is_over_is_acknowledged(trigger: str, over: bool) -> None:
    alarm = f"BEGIN:VALARM\nACTION:DISPLAY\n{trigger}\nEND:VALARM"
    lines = lines_of(made_of(f"DTSTART:20270105T090000Z\nDUE:20270105T100000Z\n{alarm}"))
    assert any(line.startswith("ACKNOWLEDGED:") for line in lines) == over
    assert "DESCRIPTION:Reminder" in lines


def test_a_stamp_without_any_date_is_no_clock_s() -> None:
    assert "DTSTAMP:19700101T000000Z" in lines_of(
        mapped(task("SUMMARY:a").replace("DTSTAMP", "X-NO"), "VTODO")
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("VTODO", None), ("VEVENT", "not-a-task"), ("VJOURNAL", "journal-entry"), ("VFREEBUSY", "not-a-task")],
)
def test_what_is_no_task_is_skipped_by_name(name: str, code: str | None) -> None:
    assert FORM.skip(record(framed(component(name=name)))) == code


def test_a_title_is_the_summary() -> None:
    assert FORM.title(record(task("SUMMARY:Fegen"))) == "Fegen"
