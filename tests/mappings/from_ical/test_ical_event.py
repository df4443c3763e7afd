"""What a stranger's event becomes: its times, its alarms, its people, and what is named or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from event_native import context
from icalendar_records import (
    OWNER,
    WHOLE,
    component,
    event,
    framed,
    lines_of,
    losses_of,
    mapped,
    outcome,
    record,
)

from mappings.from_ical.event import read_event
from mappings.registry import FORMS
from model.event_habits import EventHabits
from model.event_limits import EventLimits
from model.kinds import Kind
from model.protocols import Capabilities

FORM = FORMS[Kind.CALENDAR, "icalendar"]
ALARM = "BEGIN:VALARM\n{}\nEND:VALARM"
SHOWN = ALARM.format("ACTION:DISPLAY\nDESCRIPTION:Hier\nTRIGGER:-PT15M")
SHARED = replace(WHOLE, event_habits=EventHabits(organizer_attends=True))
PEOPLE = (
    "ORGANIZER{}:mailto:chef@land.example\n"
    'ATTENDEE;PARTSTAT=ACCEPTED;CN="Inge, I.":mailto:inge@land.example\n'
    "ATTENDEE{}:mailto:kai@land.example"
)


def has(lines: str, wanted: str) -> bool:
    return wanted in lines_of(mapped(event(lines)))


def test_the_times_of_a_plain_event_are_kept_and_the_stamp_is_added() -> None:
    made = lines_of(mapped(event("DTEND:20270105T100000Z").replace("DTSTAMP:20260101T000000Z\n", "")))
    assert {"DTSTART:20270105T090000Z", "DTEND:20270105T100000Z", "DTSTAMP:20270105T090000Z"} <= set(made)


@pytest.mark.parametrize(
    ("start", "lasts", "end"),
    [
        ("DTSTART:20270105T090000Z", "PT1H30M", "DTEND:20270105T103000Z"),
        ("DTSTART:20270105T090000", "P1W", "DTEND:20270112T090000"),
        ("DTSTART;VALUE=DATE:20270105", "P2D", "DTEND;VALUE=DATE:20270107"),
        ("DTSTART;TZID=Europe/Berlin:20270327T120000", "P1D", "DTEND;TZID=Europe/Berlin:20270328T120000"),
        ("DTSTART;TZID=Europe/Berlin:20270327T120000", "PT24H", "DTEND;TZID=Europe/Berlin:20270328T130000"),
        ("DTSTART;TZID=Europe/Berlin:20261025T023000", "PT1H", "DTEND:20261025T013000Z"),
    ],
)
def test_a_duration_becomes_an_end(start: str, lasts: str, end: str) -> None:
    made = mapped(event(f"DURATION:{lasts}", start))
    assert end in lines_of(made)
    assert made.losses == ()


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        ("DTEND:20270105T080000Z", {"end/before-start"}),
        ("DTEND:20270105T090000Z", set()),
        ("DURATION:-PT5M", {"end/before-start"}),
    ],
)
def test_an_end_that_is_not_after_the_start_is_left_out(lines: str, lost: set[str]) -> None:
    made = mapped(event(lines))
    assert not any(line.startswith(("DTEND", "DURATION")) for line in lines_of(made))
    assert losses_of(made) == lost


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("DTEND;VALUE=DATE:20270106", "malformed-record"),
        ("DTEND:20270105T100000", "malformed-record"),
        ("DURATION:soon", "malformed-record"),
        ("DTSTART:20270106T090000Z", "malformed-record"),
        ("RRULE:FREQ=DAILY;INTERVAL=0", "unknown-recurrence"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "unknown-recurrence"),
        ("RRULE:FREQ=YEARLY;RSCALE=HEBREW", "unknown-recurrence"),
        ("RRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY", "unknown-recurrence"),
        ("RDATE;VALUE=PERIOD:20270106T090000Z/PT3H", "unknown-recurrence"),
        ("RDATE;VALUE=DATE:20270106\nDURATION:P99999999D", "malformed-record"),
        ("RECURRENCE-ID;RANGE=THISANDFUTURE:20270105T090000Z", "unknown-recurrence"),
        ("DURATION:P999999W", "date-out-of-range"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(lines: str, code: str) -> None:
    assert outcome(event(lines)) == code


def test_added_dates_are_kept_and_periods_that_last_as_long_as_the_event_are_dates() -> None:
    made = mapped(event("DURATION:PT1H\nRDATE:20270107T090000Z\nRDATE;VALUE=PERIOD:20270106T090000Z/PT1H"))
    assert {"RDATE:20270107T090000Z", "RDATE:20270106T090000Z"} <= set(lines_of(made))
    assert made.losses == ()


def test_changed_occurrences_follow_their_series_and_are_moved_or_not() -> None:
    series = component(
        "RRULE:FREQ=DAILY;COUNT=5\nDURATION:PT1H", "DTSTART;TZID=Europe/Berlin:20270105T090000"
    )
    stays = component("RECURRENCE-ID:20270106T080000Z\nDURATION:PT1H", "DTSTART:20270106T080000Z")
    moves = component("RECURRENCE-ID;VALUE=DATE:20270107\nDURATION:PT1H", "DTSTART:20270107T120000Z")
    answers = "\n".join(
        ["ORGANIZER:mailto:inge@land.example", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:kai@land.example"]
    )
    told = framed(
        "".join(one.replace("END:VEVENT", answers + "\nEND:VEVENT") for one in (moves, stays, series))
    )
    made = mapped(told)
    assert [line for line in lines_of(made) if line.startswith("RECURRENCE")] == [
        "RECURRENCE-ID;TZID=Europe/Berlin:20270107T090000",
        "RECURRENCE-ID;TZID=Europe/Berlin:20270106T090000",
    ]
    assert losses_of(mapped(told, target=SHARED)) == {"attendee/answer-of-occurrence"}


@pytest.mark.parametrize(("lasts", "moved"), [("PT1H", False), ("PT2H", True)])
def test_an_occurrence_that_lasts_otherwise_is_moved(lasts: str, moved: bool) -> None:
    series = component("RRULE:FREQ=DAILY;COUNT=5\nDURATION:PT1H")
    other = component(f"RECURRENCE-ID:20270106T090000Z\nDURATION:{lasts}", "DTSTART:20270106T090000Z")
    assert [each.moved for each in read_event(record(framed(series + other)), context()).changed] == [moved]


def test_what_only_a_series_has_is_taken_out_of_an_occurrence() -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=5"
    dates = "EXDATE;TZID=x:20270107T090000\nRDATE:20270108T090000Z"
    other = component(f"RECURRENCE-ID:20270106T090000Z\n{rule}\n{dates}", "DTSTART:20270106T100000Z")
    made = mapped(framed(component(rule) + other))
    assert [line for line in lines_of(made) if line.startswith(("RRULE", "EXDATE", "RDATE"))] == [rule]
    assert losses_of(made) == {"other/not-kept"}


def test_occurrences_alone_are_read_as_they_are() -> None:
    told = framed(
        "".join(
            component(f"RECURRENCE-ID:202701{day}T090000Z", f"DTSTART:202701{day}T100000Z")
            for day in ("05", "06")
        )
    )
    made = mapped(told)
    assert made.losses == ()
    assert sum(line.startswith("RECURRENCE-ID") for line in lines_of(made)) == 2


def test_two_components_for_one_occurrence_are_refused() -> None:
    series = component("RRULE:FREQ=DAILY", "DTSTART;TZID=Europe/Berlin:20270105T090000")
    two = [component(f"RECURRENCE-ID{at}", "DTSTART:20270106T080000Z") for at in (
        ":20270106T080000Z", ";TZID=Europe/Berlin:20270106T090000",
    )]  # fmt: skip
    assert outcome(framed(series + two[0])) == "read"
    assert outcome(framed(series + "".join(two))) == "malformed-record"
    assert outcome(framed(series + series)) == "malformed-record"


@pytest.mark.parametrize(
    ("alarm", "kept", "lost"),
    [
        ("ACTION:DISPLAY\nDESCRIPTION:Hier\nTRIGGER:-PT15M", True, set()),
        ("TRIGGER;VALUE=DATE-TIME:20270105T080000Z", True, set()),
        ("ACTION:display\nTRIGGER;RELATED=END:PT0S\nREPEAT:2\nDURATION:PT5M", True, set()),
        ("ACTION:AUDIO\nTRIGGER:-PT15M\nATTACH:Basso", False, {"reminder/action-not-kept"}),
        ("ACTION:EMAIL\nTRIGGER:-PT15M\nATTENDEE:mailto:a@b.example", False, {"reminder/action-not-kept"}),
        ("ACTION:PROCEDURE\nTRIGGER:-PT15M\nATTACH:file:///bin/sh", False, {"reminder/action-not-kept"}),
        ("ACTION:DISPLAY\nTRIGGER:-PT15M\nATTENDEE:mailto:a@b.example", True, {"reminder/action-not-kept"}),
        ("ACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z", False, set()),
        ("ACTION:DISPLAY", False, {"reminder/no-time"}),
        ("ACTION:DISPLAY\nTRIGGER:P", False, {"reminder/no-time"}),
        ("ACTION:DISPLAY\nTRIGGER:soon", False, {"reminder/no-time"}),
        ("ACTION:DISPLAY\nTRIGGER:-PT15M\nBEGIN:VALARM\nEND:VALARM", True, {"other/not-kept"}),
    ],
)
def test_an_alarm_that_is_shown_stays_and_no_other(alarm: str, kept: bool, lost: set[str]) -> None:
    made = mapped(event(ALARM.format(alarm)))
    lines = lines_of(made)
    assert ("BEGIN:VALARM" in lines, "ACTION:DISPLAY" in lines) == (kept, kept)
    assert not any(line.startswith(("ATTENDEE", "ATTACH")) for line in lines)
    assert losses_of(made) == lost


def test_an_alarm_of_what_is_over_is_acknowledged() -> None:
    assert "ACKNOWLEDGED:20261125T120000Z" in lines_of(mapped(event(SHOWN, "DTSTART:20260105T090000Z")))
    assert not any("ACKNOWLEDGED" in line for line in lines_of(mapped(event(SHOWN))))


@pytest.mark.parametrize(
    ("owner", "called"),
    [(OWNER, False), ("chef@land.example", True)],
)
def test_the_copy_s_own_organizer_says_who_called_a_meeting(owner: str, called: bool) -> None:
    item = mapped(event(PEOPLE.format("", "")), owner=(owner,)).item
    assert item.invited == (frozenset() if called else {owner})
    assert item.organizer == "chef@land.example"


def test_a_path_of_a_server_is_no_address_but_the_mail_beside_it_is() -> None:
    lines = "ORGANIZER;EMAIL=inge@land.example:/123/principal/\nATTENDEE:mailto:kai@land.example"
    made = mapped(event(lines))
    assert (made.item.organizer, made.item.invited) == (OWNER, frozenset())


def test_nothing_that_makes_a_server_write_to_anybody_is_kept() -> None:
    lines = PEOPLE.format(";SCHEDULE-STATUS=1.2", ";SCHEDULE-FORCE-SEND=REQUEST;SCHEDULE-AGENT=SERVER")
    told = event(lines + "\nREQUEST-STATUS:2.0;Success").replace("PRODID", "METHOD:REQUEST\nPRODID")
    made = mapped(told)
    assert not any(word in line for line in lines_of(made) for word in ("SCHEDULE", "METHOD", "REQUEST-"))
    assert losses_of(made) == {"scheduling/force-send", "scheduling/delivery-note"}


def test_what_keeps_a_server_silent_stays() -> None:
    made = mapped(event(PEOPLE.format(";SCHEDULE-AGENT=CLIENT", ";SCHEDULE-AGENT=none")))
    assert sum("SCHEDULE-AGENT=" in line for line in lines_of(made)) == 2
    assert made.losses == ()


def test_somebody_stands_among_the_guests_once() -> None:
    made = mapped(event(PEOPLE.format("", "") + "\nATTENDEE;ROLE=CHAIR:MAILTO:Kai@land.example\nATTENDEE:"))
    assert sum(line.startswith("ATTENDEE") for line in lines_of(made)) == 2
    assert losses_of(made) == {"attendee/twice", "attendee/empty"}


@pytest.mark.parametrize(
    ("line", "kept", "lost"),
    [
        ("CLASS:private", "CLASS:PRIVATE", ""),
        ("CLASS:TOP-SECRET", "CLASS:PRIVATE", "sensitivity/shown-as-private"),
        ("STATUS:tentative", "STATUS:TENTATIVE", ""),
        ("STATUS:MAYBE", "", "state/unknown-value"),
        ("TRANSP:TRANSPARENT", "TRANSP:TRANSPARENT", ""),
        ("TRANSP:GLASS", "", "show-as/unknown-value"),
        ("PRIORITY:5", "PRIORITY:5", ""),
        ("PRIORITY:55", "", "other/not-kept"),
        ("GEO:54.3;10.1", "GEO:54.3;10.1", ""),
        ("GEO:nan;1e9", "", "location/impossible-coordinates"),
        ("CATEGORIES:a\\,b,c\nCATEGORIES:c,,d", "CATEGORIES:a\\,b,c,d", "categories/empty-name"),
        ("URL:https://land.example/a,b", "URL:https://land.example/a,b", ""),
        ("CONFERENCE;VALUE=URI:https://v.example/1", "CONFERENCE;VALUE=URI:https://v.example/1", ""),
        ("COLOR:tomato", "COLOR:tomato", ""),
        ("IMAGE;VALUE=URI:https://land.example/i.png", "", "other/not-kept"),
        ("X-THEIRS;X-A=1:a\\,b;c", "X-THEIRS;X-A=1:a\\,b;c", ""),
        ("NOBODYS-WORD:a", "", "other/not-kept"),
        ("item1.SUMMARY:a", "", "other/not-kept"),
        ("SUMMARY:a\nSUMMARY:b", "SUMMARY:a", "other/not-kept"),
        ("SUMMARY:a\nSUMMARY:a", "SUMMARY:a", ""),
        ("SUMMARY:a\x07b", "SUMMARY:ab", "text/control-characters"),
        ("X-THEIRS:a\u2028b", "X-THEIRS:a b", ""),
        ("ATTACH:https://land.example/a.pdf", "ATTACH:https://land.example/a.pdf", ""),
        ("ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:aGFsbG8=",
         "ATTACH;ENCODING=BASE64;FMTTYPE=text/plain;VALUE=BINARY:aGFsbG8=", ""),
        ("ATTACH:data:text/plain;base64,aGFsbG8=",
         "ATTACH;ENCODING=BASE64;FMTTYPE=text/plain;VALUE=BINARY:aGFsbG8=", ""),
        ("ATTACH;ENCODING=BASE64;VALUE=BINARY:%%", "", "attachment/not-readable"),
        ("ATTACH;MANAGED-ID=7:https://d.example/7", "ATTACH:https://d.example/7", "attachment/not-readable"),
        ("SEQUENCE:-7", "SEQUENCE:0", ""),
        ("CREATED:00001231T000000Z", "", ""),
        ("LAST-MODIFIED:yesterday", "", ""),
        ("RRULE:", "", ""),
        ("EXDATE;VALUE=DATE:", "", ""),
        ("EXDATE:20270106T090000Z,", "EXDATE:20270106T090000Z", ""),
        ("RRULE:FREQ=DAILY\nRRULE:", "RRULE:FREQ=DAILY", ""),
        ("ATTENDEE;MEMBER=\"mailto:a@b.example\",\"mailto:c@d.example\":mailto:e@f.example",
         "ATTENDEE:mailto:e@f.example", "other/not-kept"),
        ("BEGIN:VLOCATION\nNAME:a\nEND:VLOCATION", "", "other/not-kept"),
    ],
)  # fmt: skip
def test_a_property_is_kept_or_its_loss_is_named(line: str, kept: str, lost: str) -> None:
    made = mapped(event(line))
    names = {part.partition(":")[0].partition(";")[0] for part in line.split("\n")}
    found = [
        each
        for each in lines_of(made)
        if each.partition(":")[0].partition(";")[0] in names - {"BEGIN", "END"}
    ]
    assert found == ([kept] if kept else [])
    assert losses_of(made) == ({lost} if lost else set())


def test_an_attachment_inside_is_fitted_as_any_other() -> None:
    target = replace(WHOLE, attachment_bytes=3)
    made = mapped(event("ATTACH;ENCODING=BASE64;VALUE=BINARY:aGFsbG8="), target=target)
    assert losses_of(made) == {"attachment/too-large"}


@pytest.mark.parametrize(
    ("uid", "lost"), [("UID:" + "x" * 10_000, {"uid/too-long"}), ("", set()), ("UID:  ", set())]
)
def test_a_uid_that_no_server_takes_is_replaced(uid: str, lost: set[str]) -> None:
    made = mapped(event("RRULE:FREQ=DAILY").replace("UID:u@land.example", uid))
    assert made.item.uid.startswith("kogge-")
    assert f"UID:{made.item.uid}" in lines_of(made)
    assert losses_of(made) == lost


def test_several_uids_are_not_one_item() -> None:
    other = component("RECURRENCE-ID:20270105T090000Z")
    for uid in ("UID:v", "X-NO:1"):
        assert outcome(framed(component() + other.replace("UID:u@land.example", uid))) == "malformed-record"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("VEVENT", None),
        ("VTODO", "task-in-calendar"),
        ("VJOURNAL", "journal-in-calendar"),
        ("VFREEBUSY", "not-an-appointment"),
        ("VPOLL", None),
    ],
)
def test_what_is_no_event_is_skipped_by_name(name: str, code: str | None) -> None:
    told = framed(component("DESCRIPTION:BEGIN:VEVENT", name=name))
    assert FORM.skip(record(told)) == code
    assert FORM.skip(record(("\ufeff" + told).encode())) == code
    assert FORM.skip(record(told.lower().replace("\n", "\r"))) == code


def test_a_title_is_the_summary_of_the_series() -> None:
    series = component("SUMMARY:Jour\\nfixe\nRRULE:FREQ=DAILY")
    changed = component("SUMMARY:Heute\nRECURRENCE-ID:20270106T090000Z", "DTSTART:20270106T090000Z")
    assert FORM.title(record(framed(changed + series))) == "Jour fixe"
    assert FORM.title(record(event())) == ""


@pytest.mark.parametrize("head", ["VERSION:1.0", "VERSION:2.0\nCALSCALE:HEBREW"])
def test_other_versions_and_calendars_are_refused(head: str) -> None:
    assert outcome(event().replace("VERSION:2.0", head)) == "unknown-format"


@pytest.mark.parametrize("target", [WHOLE, SHARED])
def test_an_event_without_a_class_is_public_beside_a_private_occurrence(target: Capabilities) -> None:
    changed = component("CLASS:PRIVATE\nRECURRENCE-ID:20270106T090000Z", "DTSTART:20270106T090000Z")
    assert outcome(framed(component("RRULE:FREQ=DAILY") + changed), target=target) == "read"


NO_OBJECTS = replace(WHOLE, events=EventLimits("Europe/Berlin", 100, 100, 1000, 500))


def test_an_event_that_floats_is_at_its_hour_in_the_zone_of_a_target_without_objects() -> None:
    made = mapped(event("DTEND:20270705T100000", "DTSTART:20270705T090000"), target=NO_OBJECTS)
    assert {"DTSTART:20270705T070000Z", "DTEND:20270705T080000Z"} <= set(lines_of(made))
    assert losses_of(made) == {"time-zone/zone-of-target"}
    series = event("RRULE:FREQ=DAILY;COUNT=3", "DTSTART:20270705T090000")
    assert outcome(series, target=NO_OBJECTS) == "recurrence-not-kept"


def test_dates_without_a_rule_are_refused_by_a_target_without_objects() -> None:
    assert outcome(event("RDATE:20270106T090000Z"), target=NO_OBJECTS) == "recurrence-not-kept"
    changed = component("RECURRENCE-ID:20270105T090000Z", "DTSTART:20270105T100000Z")
    assert outcome(framed(component() + changed), target=NO_OBJECTS) == "recurrence-not-kept"


def test_a_reminder_before_the_end_is_a_loss_of_a_target_without_objects() -> None:
    alarm = ALARM.format("TRIGGER;RELATED=END:-PT15M")
    made = mapped(event("DTEND:20270105T100000Z\n" + alarm), target=NO_OBJECTS)
    assert losses_of(made) == {"reminder/not-kept"}
    assert losses_of(mapped(event("DTEND:20270105T100000Z\n" + SHOWN), target=NO_OBJECTS)) == set()
