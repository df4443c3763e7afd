"""Working hours of Exchange and of Graph as what a calendar server keeps: when the person is available."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import icalendar
import pytest

from mappings.fields.context import Context
from mappings.hours.ews_hours import ews_hours
from mappings.hours.graph_hours import graph_hours
from mappings.hours.hours_item import LATER, NOT_KEPT, UNSAID
from mappings.hours.working_hours import WorkingHours, available
from mappings.registry import ITEM_FORMS
from mappings.time.zones import UTC_ZONE, named_zone
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native, Ref
from practice.world import hours as practised
from practice.world.world import World

NOW = datetime(2026, 12, 1, tzinfo=UTC)
FORM = ITEM_FORMS[Kind.SETTINGS]
CONTEXT = Context(
    Capabilities(frozenset({Kind.SETTINGS}), availability=True),
    NOW,
    NOW,
    places={"c1": (Kind.CALENDAR, "/dav/anna/personal/")},
)
SPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
ZONE = (
    "<TimeZone><Bias>-60</Bias><Standard><Bias>0</Bias><ChangeDate><Time>03:00:00</Time>"
    "<Date>0000/10/05</Date><DayOfWeek>0</DayOfWeek></ChangeDate></Standard><DaylightSavings>"
    "<Bias>-60</Bias><ChangeDate><Time>02:00:00</Time><Date>0000/03/05</Date><DayOfWeek>0</DayOfWeek>"
    "</ChangeDate></DaylightSavings><Name>{name}</Name></TimeZone>"
)
BERLIN = "W. Europe Standard Time"
WEEK = "Monday Tuesday Wednesday Thursday Friday"
EIGHT_TO_FIVE = "<TimeSlot><Start>08:00:00</Start><End>17:00:00</End></TimeSlot>"


def native(form: str, body: bytes) -> Native:
    return Native(Ref("working-hours", "1"), form, {}, lambda: io.BytesIO(body))


def ews_record(xml: str) -> Native:
    data = base64.b64encode(xml.encode()).decode()
    configuration = f"<t:UserConfiguration><t:XmlData>{data}</t:XmlData></t:UserConfiguration>"
    return native("ews-hours", f"<m:Items {SPACES}>{configuration}</m:Items>".encode())


def xml_of(zone: str = ZONE.format(name=BERLIN), slots: str = EIGHT_TO_FIVE, days: str = WEEK) -> str:
    inner = f"{zone}{slots}<WorkDays>{days}</WorkDays>"
    hours = f"<WorkHoursVersion1>{inner}</WorkHoursVersion1>"
    return f'<?xml version="1.0"?><Root xmlns="WorkingHours.xsd">{hours}</Root>'


def ews(**parts: str) -> Mapped:
    return FORM.map(ews_record(xml_of(**parts)), CONTEXT)


def graph(zone: object, days: object = ("monday", "tuesday"), **times: object) -> Native:
    item = {
        "daysOfWeek": list(days) if isinstance(days, tuple) else days,
        "startTime": "08:00:00.0000000",
        "endTime": "17:00:00.0000000",
        "timeZone": zone,
    } | times
    return native("graph-hours", json.dumps({"item": item}).encode())


def said(mapped: Mapped) -> str:
    assert mapped.left == ""
    assert mapped.losses == ()
    with mapped.item.body() as stream:
        return stream.read().decode()


def spans(text: str) -> list[tuple[datetime, datetime, tuple[str, ...]]]:
    """What an independent reader takes from it."""
    (availability,) = icalendar.Calendar.from_ical(text).walk("VAVAILABILITY")
    return [
        (one["DTSTART"].dt, one["DTEND"].dt, tuple(one["RRULE"]["BYDAY"]))
        for one in availability.walk("AVAILABLE")
    ]


def test_the_usual_hours_are_one_weekly_span_by_the_clock_on_the_wall() -> None:
    text = said(ews())
    ((begin, end, days),) = spans(text)
    assert (begin.hour, end.hour, days) == (8, 17, ("MO", "TU", "WE", "TH", "FR"))
    assert begin.weekday() == 0
    assert "DTSTART;TZID=Europe/Berlin:20240101T080000" in text
    assert "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n" in text
    assert all(len(line) <= 75 for line in text.split("\r\n"))


def test_graph_and_exchange_say_the_same_in_the_same_bytes() -> None:
    other = FORM.map(
        graph({"name": BERLIN}, ("friday", "monday", "tuesday", "thursday", "wednesday")), CONTEXT
    )
    assert said(other) == said(ews())
    assert other.item.digest == ews().item.digest
    assert other.item.key == ews().item.key


def test_the_first_day_is_one_that_is_worked_on() -> None:
    ((begin, _, days),) = spans(said(ews(days="Saturday Thursday")))
    assert days == ("TH", "SA")
    assert begin.weekday() == 3, "a rule counts its first occurrence in any case (RFC 5545, 3.8.5.3)"


@pytest.mark.parametrize(
    ("days", "expected"), [("Weekday", 5), ("WeekendDay", 2), ("Day", 7), ("Weekdays", 5)]
)
def test_words_for_several_days(days: str, expected: int) -> None:
    assert len(spans(said(ews(days=days)))[0][2]) == expected


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [("22:00:00", "06:00:00", 480), ("16:00:00", "24:00:00", 480), ("16:00:00", "00:00:00", 480)],
)
def test_what_ends_on_the_next_day(start: str, end: str, minutes: int) -> None:
    slots = f"<TimeSlot><Start>{start}</Start><End>{end}</End></TimeSlot>"
    ((begin, until, _),) = spans(said(ews(slots=slots)))
    assert (until - begin).total_seconds() == minutes * 60


def test_several_spans_of_a_day() -> None:
    slots = "<TimeSlot><Start>13:00:00</Start><End>17:00:00</End></TimeSlot>" + EIGHT_TO_FIVE.replace(
        "17", "12"
    )
    assert [begin.hour for begin, _, _ in spans(said(ews(slots=slots)))] == [8, 13]


def test_a_zone_that_nobody_knows_by_name_keeps_its_own_rules() -> None:
    text = said(ews(zone=ZONE.format(name="Mitteleuropäische Zeit")))
    ((begin, _, _),) = spans(text)
    custom = {
        "@odata.type": "#microsoft.graph.customTimeZone",
        "bias": -60,
        "name": "Customized Time Zone",
        "standardOffset": _change("03:00:00.0000000", 10),
        "daylightOffset": {"daylightBias": -60, **_change("02:00:00.0000000", 3)},
    }
    ((same, _, _),) = spans(said(FORM.map(graph(custom), CONTEXT)))
    for at in (begin, same):
        assert at.utcoffset() == named_zone(BERLIN).info.utcoffset(datetime(2024, 1, 1))  # type: ignore[union-attr]
        july = at.replace(month=7)
        assert july.utcoffset() == named_zone(BERLIN).info.utcoffset(datetime(2024, 7, 1))  # type: ignore[union-attr]


def _change(time: str, month: int) -> dict[str, object]:
    return {"time": time, "dayOccurrence": 5, "dayOfWeek": "sunday", "month": month, "year": 0}


def test_a_zone_whose_clock_never_changes() -> None:
    still = "<TimeZone><Bias>-330</Bias><Name>Somewhere</Name></TimeZone>"
    ((begin, _, _),) = spans(said(ews(zone=still)))
    assert str(begin.utcoffset()) == "5:30:00"
    text = said(ews(zone="<TimeZone><Bias>0</Bias><Name>UTC</Name></TimeZone>"))
    assert "DTSTART:20240101T080000Z" in text
    assert "VTIMEZONE" not in text


@pytest.mark.parametrize(
    "parts",
    [
        {"days": ""},
        {"days": "Someday"},
        {"slots": ""},
        {"slots": "<TimeSlot><Start>08:00:00</Start><End>08:00:00</End></TimeSlot>"},
        {"slots": "<TimeSlot><Start>25:00:00</Start><End>08:00:00</End></TimeSlot>"},
        {"slots": "<TimeSlot><Start>08:00</Start></TimeSlot>"},
        {"zone": ""},
        {"zone": "<TimeZone><Name>Nowhere</Name></TimeZone>"},
        {"zone": "<TimeZone><Bias>-99999</Bias><Name>Nowhere</Name></TimeZone>"},
        {"zone": ZONE.format(name="X").replace("0000/10/05", "2026/10/25")},
        {"zone": ZONE.format(name="X").replace("0000/10/05", "soon")},
        {"zone": ZONE.format(name="X").replace("0000/10/05", "0000/13/05")},
    ],
)
def test_what_cannot_be_said_is_left_and_rejects_nothing(parts: dict[str, str]) -> None:
    assert ews(**parts).left == UNSAID


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"daysOfWeek": 7, "timeZone": []},
        {"daysOfWeek": ["monday"], "startTime": "08:00:00", "endTime": "17:00:00", "timeZone": {"name": 1}},
        {"daysOfWeek": ["monday"], "startTime": 8, "endTime": "17:00:00", "timeZone": {"name": BERLIN}},
        {
            "daysOfWeek": ["monday"],
            "startTime": "08:00:00",
            "endTime": "17:00:00",
            "timeZone": {"name": "X", "bias": 10**9, "standardOffset": {"month": "May"}},
        },
    ],
)
def test_odd_hours_of_graph_are_left(item: dict[str, object]) -> None:
    assert FORM.map(native("graph-hours", json.dumps({"item": item}).encode()), CONTEXT).left == UNSAID


@pytest.mark.parametrize(
    "body",
    [b"", b"<m:Items/>", f"<m:Items {SPACES}><t:UserConfiguration/></m:Items>".encode(), b"[1]"],
)
@pytest.mark.parametrize("form", ["ews-hours", "graph-hours"])
def test_a_broken_record_is_left_so_that_rules_do_not_wait_for_it(form: str, body: bytes) -> None:
    assert FORM.map(native(form, body), CONTEXT).left == UNSAID


@pytest.mark.parametrize("xml", ["", "<a", '<!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>', "<Root/>"])
def test_a_configuration_that_is_none_is_left(xml: str) -> None:
    assert FORM.map(ews_record(xml), CONTEXT).left == UNSAID


def test_they_wait_for_the_calendars_and_for_a_server_that_keeps_them() -> None:
    record = ews_record(xml_of())
    assert FORM.map(record, replace(CONTEXT, places={})).left == LATER
    only_mail = replace(CONTEXT, places={"m": (Kind.MAIL, "INBOX")})
    assert FORM.map(record, only_mail).left == LATER
    without = replace(CONTEXT, target=Capabilities(frozenset({Kind.SETTINGS})))
    assert FORM.map(record, without).left == NOT_KEPT


def test_what_a_server_may_write_otherwise_is_no_other_meaning() -> None:
    text = said(ews())
    digest = ews().item.digest
    begins, ends = text.index("BEGIN:VTIMEZONE"), text.index("BEGIN:VAVAILABILITY")
    for same in (
        text.replace("\r\n", "\n"),
        text[:begins] + text[ends:],
        text.replace("PRODID:-//Kogge//Kogge//EN", "PRODID:x"),
        text.replace("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "BYDAY=MO,TU,WE,TH,FR;FREQ=WEEKLY"),
        text.replace("DTSTAMP:20240101T000000Z", "DTSTAMP:20261201T000000Z"),
        "\r\n" + text + "\r\n",
    ):
        assert FORM.digest(io.BytesIO(same.strip().encode()), NOW) == digest
    for other in (
        text.replace("T170000", "T160000"),
        text.replace("Europe/Berlin", "Europe/Paris"),
        text.replace("BYDAY=MO", "BYDAY=SU"),
        text.replace("BEGIN:AVAILABLE", "BUSYTYPE:BUSY\r\nBEGIN:AVAILABLE"),
    ):
        assert FORM.digest(io.BytesIO(other.encode()), NOW) != digest
        one, two = io.BytesIO(text.encode()), io.BytesIO(other.encode())
        assert FORM.differing(one, two, NOW) == ("hours",)


@pytest.mark.parametrize(
    "body", [b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"BEGIN:VCALENDAR", b"", b"if true {"]
)
def test_what_is_no_setting_has_no_digest(body: bytes) -> None:
    with pytest.raises(Rejected, match="malformed-record"):
        FORM.digest(io.BytesIO(body), NOW)


def test_both_practice_servers_tell_the_same_hours() -> None:
    people = World(seed=3, people=8, items=0, pim=0).people
    for person in (people.at(number) for number in range(8)):
        data = practised.ews_hours(person)
        told = graph_hours(native("g", json.dumps({"item": practised.graph_hours(person)}).encode()))
        if data is None:
            continue
        configuration = f"<t:UserConfiguration><t:XmlData>{data}</t:XmlData></t:UserConfiguration>"
        read = ews_hours(native("e", f"<m:Items {SPACES}>{configuration}</m:Items>".encode()))
        assert read == told, person.index
        assert (available(read, "u") is None) == (not read.days)


def test_only_hours_with_a_length_on_known_days_are_said() -> None:
    hours = WorkingHours(frozenset({"MO"}), ((480, 1020),), UTC_ZONE)
    assert available(hours, "u") is not None
    for odd in (
        replace(hours, days=frozenset({"XX"})),
        replace(hours, spans=((0, 1441),)),
        replace(hours, spans=((-1, 10),)),
        replace(hours, spans=tuple((number, number + 1) for number in range(100))),
        replace(hours, zone=None),
    ):
        assert available(odd, "u") is None
