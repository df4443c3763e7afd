"""The worst that a stranger's object can hold ends in a code, or is read, within a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar_records import WHOLE, component, event, framed, mapped, outcome, record, task, zone

from mappings.losses.catalogue import DECLARED
from mappings.registry import FORMS
from model.event_habits import EventHabits
from model.event_limits import EventLimits
from model.kept_fields import TaskLimits
from model.kinds import Kind

SECONDS = 30
"""Far more than any of them takes: the machine may be busy."""

MANY = 100_000
SMALL = EventHabits(
    own_zones=False, organizer_attends=True, title=7, place=7, text=20, links=12, categories=9, attendees=3
)
TARGETS = {
    "whole": WHOLE,
    "small": replace(WHOLE, event_habits=SMALL, attachment_bytes=8, tasks=TaskLimits(plain_series=True)),
    "silent": replace(
        WHOLE, silent_agent=True, category_commas=False, busy_words=False, recurring_tasks=False
    ),
    "no-objects": replace(WHOLE, events=EventLimits("Europe/Berlin", 20, 20, 60, 60)),
}
CODES = {kind: {"read", *DECLARED[kind].rejections} - {"malformed-calendar"} for kind in DECLARED}

WORST: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "nested": (lambda: "BEGIN:VCALENDAR\n" * 1000 + "END:VCALENDAR\n" * 1000, "malformed-record"),
    "nested alarms": (lambda: event("BEGIN:VALARM\n" * 1000 + "END:VALARM\n" * 1000), "malformed-record"),
    "description": (lambda: event("DESCRIPTION:" + "abcde fghi" * (5 << 20)), "read"),
    "description that grows": (lambda: event("DESCRIPTION:" + "ä,b" * (50 << 18)), "too-large"),
    "too large": (lambda: event("DESCRIPTION:" + "abcd" * (17 << 20)), "malformed-record"),
    "folds": (lambda: event("DESCRIPTION:" + "a\n " * (1 << 20)), "read"),
    "exdates": (lambda: event("RRULE:FREQ=DAILY\n" + "EXDATE:20270106T090000Z\n" * MANY), "read"),
    "exdates in a line": (
        lambda: event("RRULE:FREQ=DAILY\nEXDATE;TZID=Asia/Tokyo:" + "20270106T090000," * MANY + "20270107"),
        "read",
    ),
    "too many exdates": (
        lambda: event("RRULE:FREQ=DAILY\nEXDATE:" + "20270106T090000Z," * (5 * MANY) + "20270107"),
        "malformed-record",
    ),
    "too many categories": (lambda: event("CATEGORIES:" + "a," * (50 * MANY)), "malformed-record"),
    "too many lines": (lambda: event("A:\n" * (4 * MANY)), "malformed-record"),
    "long parameters": (lambda: event("X-A" + ";X-B=c" * (2 * MANY) + ":d"), "malformed-record"),
    "rdates": (lambda: event("RDATE:" + "20270106T090000Z," * MANY + "20270107T090000Z"), "read"),
    "alarms": (lambda: event("BEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM\n" * 20_000), "read"),
    "guests": (lambda: event("".join(f"ATTENDEE:mailto:{n}@b.example\n" for n in range(MANY))), "read"),
    "parameters": (lambda: event("X-A" + ";X-B=c" * MANY + ":d"), "read"),
    "properties": (lambda: event("".join(f"X-{n}:a\n" for n in range(MANY))), "read"),
    "occurrences": (
        lambda: framed(component("RECURRENCE-ID:20270105T090000Z\n") * 30_000), "malformed-record",
    ),
    "rules": (lambda: event("RRULE:FREQ=DAILY\n" * MANY), "read"),
    "long rule": (lambda: event("RRULE:FREQ=DAILY;BYDAY=" + "MO," * MANY + "TU"), "unknown-recurrence"),
    "endless rule": (lambda: event("RRULE:FREQ=SECONDLY"), "read"),
    "never": (lambda: event("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "read"),
    "zones": (lambda: event(zones="\n".join(zone(f"z{n}") for n in range(2000))), "read"),
    "zone of many parts": (
        lambda: event(start="DTSTART;TZID=x:20270105T090000", zones=(
            "BEGIN:VTIMEZONE\nTZID:x\n" + "BEGIN:STANDARD\nDTSTART:16010101T000000\nRRULE:FREQ=DAILY\n"
            "TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:STANDARD\n" * 199 + "END:VTIMEZONE"
        )),
        "unknown-time-zone",
    ),
    "latin-1": (lambda: event("SUMMARY:ä").replace("\n", "\r\n").encode("latin-1"), "malformed-record"),
    "nul": (lambda: event("SUMMARY:a\0b"), "read"),
    "no line ends": (lambda: event("SUMMARY:a").replace("\n", ""), "malformed-record"),
    "bare LF": (lambda: event("SUMMARY:a").encode(), "read"),
    "bare CR": (lambda: event("SUMMARY:a").replace("\n", "\r").encode(), "read"),
    "BOM": (lambda: ("\ufeff" + event("SUMMARY:a")).encode(), "read"),
    "broken folding": (lambda: event("SUMMARY:a\nwithout a blank"), "malformed-record"),
    "line end in quotes": (lambda: event('ATTENDEE;CN="a\nb":mailto:a@b.example'), "malformed-record"),
    "open quotes": (lambda: event('ATTENDEE;CN="a:mailto:a@b.example'), "malformed-record"),
    "escaped line end in a parameter": (lambda: event("ATTENDEE;CN=a^nb:mailto:a@b.example"), "read"),
    "two objects": (lambda: event() + event(), "malformed-record"),
    "nothing": (lambda: b"", "malformed-record"),
    "cut off": (lambda: event()[:-10], "malformed-record"),
}  # fmt: skip


@pytest.mark.parametrize(("made", "code"), WORST.values(), ids=WORST)
def test_the_worst_ends_in_a_code_or_is_read_in_time(made: Callable[[], str | bytes], code: str) -> None:
    data = made()
    begun = time.process_time()
    found = outcome(data)
    FORMS[Kind.CALENDAR, "icalendar"].skip(record(data))
    assert found == code
    assert time.process_time() - begun < SECONDS


USUAL = st.sampled_from(
    ["20270105T090000Z", "20270105T090000", "20270106T100000", "20270105", "20270107T080000Z"]
)
ODD = st.sampled_from(
    ["20261025T023000", "20260329T023000", "00010101T000000Z", "99991231T235959Z", "20270105T250000", "soon",
     "", "19691231T235960Z", "15000101"]
)  # fmt: skip
TIMES = st.one_of(USUAL, USUAL, USUAL, USUAL, ODD)
ZONES = st.sampled_from(
    ["", "", ";TZID=Europe/Berlin", ";TZID=x", ";TZID=x", ";VALUE=DATE", ";TZID=", ";VALUE=PERIOD"]
)
TIMED = st.builds(
    lambda name, where, at: f"{name}{where}:{at}",
    st.sampled_from(["DTEND", "DUE", "EXDATE", "RDATE", "RECURRENCE-ID", "CREATED", "DTSTAMP", "COMPLETED"]),
    ZONES,
    TIMES,
)
OTHERS = st.sampled_from(
    ["RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20280101",
     "RRULE:FREQ=YEARLY;BYDAY=-1SU",
     "RRULE:FREQ=HOURLY", "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z",
     "RRULE:freq=daily;interval=+2;",
     "RRULE:FREQ=MONTHLY;BYSETPOS=-1;BYMONTHDAY=31,30", "DURATION:P1D", "DURATION:-PT1H", "DURATION:P999999D",
     "DURATION:PT36H", "CLASS:PRIVATE", "CLASS:x", "STATUS:CANCELLED", "STATUS:COMPLETED",
     "TRANSP:TRANSPARENT",
     "GEO:1;2", "GEO:91;2", "PERCENT-COMPLETE:50", "PERCENT-COMPLETE:-1", "PRIORITY:3", "SEQUENCE:x",
     "CATEGORIES:a,b", "CATEGORIES:", "ORGANIZER:mailto:inge@land.example",
     "ORGANIZER:urn:uuid:1",
     "ATTENDEE;PARTSTAT=ACCEPTED:mailto:kai@land.example", "ATTENDEE;CN=\"^n\":mailto:a%0Ab@c.example",
     "ATTACH:https://a.example/", "ATTACH;VALUE=BINARY;ENCODING=BASE64:aGFsbG8=", "ATTACH:data:,a%0Ab",
     "URL: ",
     "X-ALT-DESC;FMTTYPE=text/html:<b>\\n</b>", "DESCRIPTION:" + "a" * 99, "CONFERENCE:https://v.example/,1",
     "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "COMMENT:a", "SUMMARY:\x0b\u2028", "X-KOGGE-X:\u2029",
     "BEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM", "BEGIN:VALARM\nTRIGGER;RELATED=END:P999999W\nEND:VALARM",
     "BEGIN:VALARM\nTRIGGER;VALUE=DATE-TIME;TZID=x:20270105T090000\nEND:VALARM", "EXRULE:FREQ=DAILY"]
)  # fmt: skip
PARTS = st.lists(st.one_of(TIMED, OTHERS), max_size=6, unique=True)
STARTS = st.builds(lambda where, at: f"DTSTART{where}:{at}", ZONES, TIMES)


@given(
    st.one_of(
        st.lists(st.tuples(STARTS, PARTS), min_size=1, max_size=1),
        st.lists(st.tuples(STARTS, PARTS), min_size=1, max_size=3),
    ),
    st.sampled_from(["VEVENT", "VTODO"]),
    st.sampled_from([*TARGETS]),
)
def test_whatever_is_read_can_be_fitted_and_read_again(
    inner: list[tuple[str, list[str]]], name: str, target: str
) -> None:
    parts = (
        component("\n".join(lines), start if n or name == "VEVENT" else "", name)
        for n, (start, lines) in enumerate(inner)
    )
    told = framed("\n".join((zone("x", "+0130", "+0230"), *parts)))
    kind = {"VEVENT": Kind.CALENDAR, "VTODO": Kind.TASKS}[name]
    found = outcome(told, name, TARGETS[target])
    assert found in CODES[kind]
    if found == "read":
        made = mapped(told, name, TARGETS[target])
        declared = DECLARED[kind].losses
        assert [loss for loss in made.losses if (loss.field, loss.reason) not in declared] == []
        again = mapped(made.item.body().read(), name, TARGETS[target]) if target != "no-objects" else made
        assert again.item.digest == made.item.digest


def test_a_task_of_the_worst_kinds_ends_in_a_code_too() -> None:
    assert outcome(task("DUE:20270106T090000Z\nRRULE:FREQ=SECONDLY"), "VTODO") == "read"
    assert outcome(task("BEGIN:VALARM\n" * 1000 + "END:VALARM\n" * 1000), "VTODO") == "malformed-record"
