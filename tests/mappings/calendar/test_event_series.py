"""Which occurrence a deleted or modified one was: by its moment, by its day, or by none."""

from __future__ import annotations

import pytest
from event_native import BERLIN, context, event_xml, native
from icalendar import Calendar, Event

from mappings.registry import map_event
from model.errors import Rejected
from model.protocols import Mapped

WEEKLY = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday</t:DaysOfWeek>"
    "<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence><t:NumberedRecurrence>"
    "<t:StartDate>2026-06-02</t:StartDate><t:NumberOfOccurrences>30</t:NumberOfOccurrences>"
    "</t:NumberedRecurrence></t:Recurrence>"
)
DAILY = WEEKLY.replace("<t:DaysOfWeek>Tuesday</t:DaysOfWeek>", "").replace(
    "<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek>", ""
)
DAILY = DAILY.replace("WeeklyRecurrence", "DailyRecurrence")


def deleted(*starts: str) -> str:
    each = "".join(f"<t:DeletedOccurrence><t:Start>{one}</t:Start></t:DeletedOccurrence>" for one in starts)
    return f"<t:DeletedOccurrences>{each}</t:DeletedOccurrences>"


def listed(id_: str, start: str, end: str, original: str) -> str:
    times = f"<t:Start>{start}</t:Start><t:End>{end}</t:End><t:OriginalStart>{original}</t:OriginalStart>"
    return f'<t:Occurrence><t:ItemId Id="{id_}"/>{times}</t:Occurrence>'


def exception(start: str, end: str, inner: str) -> str:
    return event_xml(inner, start, end)


def made(*items: str) -> tuple[list[Event], list[str], Mapped]:
    found = map_event(native("".join(items)), context())
    events = Calendar.from_ical(found.item.body().read()).walk("VEVENT")
    return events, [f"{loss.field}/{loss.reason}" for loss in found.losses], found


def excluded(event: Event) -> list[str]:
    values = event.get("EXDATE", [])
    dates = [at.dt for one in (values if isinstance(values, list) else [values]) for at in one.dts]
    return [f"{at:%m-%d %H:%M}" for at in dates]


@pytest.mark.parametrize(
    ("written", "expected", "lost"),
    [
        ("2026-06-09T07:00:00Z", ["06-09 09:00"], []),
        ("2026-06-09T07:00:00.999999999Z", ["06-09 09:00"], []),
        ("2026-10-27T08:00:00Z", ["10-27 09:00"], []),
        ("2026-10-27T07:00:00Z", ["10-27 09:00"], []),
        ("2026-06-09T00:00:00Z", ["06-09 09:00"], []),
        ("2026-06-08T22:00:00Z", ["06-09 09:00"], []),
        ("2026-06-10T07:00:00Z", [], ["deleted-occurrence/not-in-series"]),
        ("2026-05-26T07:00:00Z", [], ["deleted-occurrence/not-in-series"]),
        ("2027-06-01T07:00:00Z", [], ["deleted-occurrence/not-in-series"]),
        ("0001-01-01T00:00:00Z", [], ["deleted-occurrence/not-in-series"]),
        ("9999-01-01T00:00:00Z", [], ["deleted-occurrence/not-in-series"]),
        ("never", [], []),
    ],
)
def test_a_deleted_occurrence_is_named_by_the_rules_own_start(
    written: str, expected: list[str], lost: list[str]
) -> None:
    (event,), losses, _ = made(event_xml(BERLIN + WEEKLY + deleted(written)))
    assert excluded(event) == expected
    assert losses == lost


def test_near_midnight_the_nearer_occurrence_is_meant() -> None:
    """At 00:15 an hour too early is the day before."""
    xml = event_xml(
        BERLIN + DAILY + deleted("2026-06-09T21:15:00Z"), "2026-06-01T22:15:00Z", "2026-06-01T22:45:00Z"
    )
    (event,), _, _ = made(xml)
    assert excluded(event) == ["06-10 00:15"]


def test_whole_days_are_named_by_date() -> None:
    whole = "<t:IsAllDayEvent>true</t:IsAllDayEvent>"
    xml = event_xml(
        BERLIN + whole + WEEKLY + deleted("2026-06-08T22:00:00Z", "2026-10-26T23:00:00Z"),
        "2026-06-01T22:00:00Z",
        "2026-06-02T22:00:00Z",
    )
    original = "<t:OriginalStart>2026-06-15T22:00:00Z</t:OriginalStart>"
    moved = exception("2026-06-17T07:00:00Z", "2026-06-17T08:00:00Z", BERLIN + original)
    _, losses, found = made(xml, moved)
    raw = found.item.body().read()
    assert b"EXDATE;VALUE=DATE:20260609\r\nEXDATE;VALUE=DATE:20261027\r\n" in raw
    assert b"RECURRENCE-ID;VALUE=DATE:20260616\r\n" in raw
    assert b"DTSTART;TZID=Europe/Berlin:20260617T090000\r\n" in raw
    assert losses == []


@pytest.mark.parametrize(
    "inner",
    [
        "<t:OriginalStart>2026-06-09T07:00:00Z</t:OriginalStart>",
        "<t:RecurrenceId>2026-06-09T07:00:00Z</t:RecurrenceId>",
        '<t:ItemId Id="e1"/>',
    ],
)
def test_a_modified_occurrence_says_which_it_was_in_one_of_three_ways(inner: str) -> None:
    known = listed("e1", "2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z", "2026-06-09T07:00:00Z")
    master = event_xml(BERLIN + WEEKLY + f"<t:ModifiedOccurrences>{known}</t:ModifiedOccurrences>")
    (_, changed), losses, _ = made(
        master, exception("2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z", BERLIN + inner)
    )
    assert f"{changed['RECURRENCE-ID'].dt:%m-%d %H:%M}" == "06-09 09:00"
    assert f"{changed['DTSTART'].dt:%m-%d %H:%M}" == "06-10 12:00"
    assert losses == []


def test_a_modified_occurrence_that_was_not_read_has_its_times() -> None:
    known = listed("e1", "2026-06-10T10:00:00Z", "2026-06-10T11:30:00Z", "2026-06-09T07:00:00Z")
    master = event_xml(
        BERLIN
        + "<t:Subject>S</t:Subject>"
        + WEEKLY
        + f"<t:ModifiedOccurrences>{known}</t:ModifiedOccurrences>"
    )
    (_, changed), losses, _ = made(master)
    assert (str(changed["SUMMARY"]), "RRULE" in changed) == ("S", False)
    assert f"{changed['DTEND'].dt:%m-%d %H:%M}" == "06-10 13:30"
    assert losses == ["modified-occurrence/only-times-known"]


def test_modified_counts_more_than_deleted() -> None:
    original = "<t:OriginalStart>2026-06-09T07:00:00Z</t:OriginalStart>"
    master = event_xml(BERLIN + WEEKLY + deleted("2026-06-09T07:00:00Z"))
    events, losses, _ = made(
        master, exception("2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z", BERLIN + original)
    )
    assert excluded(events[0]) == []
    assert len(events) == 2
    assert losses == []


def test_an_occurrence_modified_twice_is_kept_once() -> None:
    original = "<t:OriginalStart>2026-06-09T07:00:00Z</t:OriginalStart>"
    one = exception("2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z", BERLIN + original)
    events, losses, _ = made(event_xml(BERLIN + WEEKLY), one, one)
    assert len(events) == 2
    assert losses == ["modified-occurrence/twice"]


def test_a_modified_occurrence_of_no_day_of_the_series_is_kept() -> None:
    original = "<t:OriginalStart>2026-06-10T08:00:00Z</t:OriginalStart>"
    one = exception("2026-06-11T10:00:00Z", "2026-06-11T11:00:00Z", BERLIN + original)
    (_, changed), losses, _ = made(event_xml(BERLIN + WEEKLY), one)
    assert f"{changed['RECURRENCE-ID'].dt:%m-%d %H:%M}" == "06-10 10:00"
    assert losses == ["modified-occurrence/not-in-series"]
    with pytest.raises(Rejected, match="date-out-of-range"):
        made(event_xml(BERLIN + WEEKLY), one.replace("2026-06-10T08", "0001-06-10T08"))


def test_a_master_that_begins_on_none_of_its_days_begins_on_the_first() -> None:
    (event,), losses, _ = made(event_xml(BERLIN + WEEKLY.replace("Tuesday", "Friday")))
    assert f"{event['DTSTART'].dt:%m-%d %H:%M}" == "06-05 09:00"
    assert f"{event['DTEND'].dt:%m-%d %H:%M}" == "06-05 10:00"
    assert losses == ["start/not-in-series"]


@pytest.mark.parametrize(
    ("named", "clock"),
    [
        (("2005-01-04T18:00:00Z",), "10:00"),
        (("2005-01-04T18:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:00Z"), "10:00"),
        (("2005-01-04T17:00:00Z",), "09:00"),
        (("2005-01-04T17:00:00Z", "2005-02-01T18:00:00Z"), "09:00"),
        ((), "09:00"),
    ],
)
def test_occurrences_say_by_which_law_a_start_was_computed(named: tuple[str, ...], clock: str) -> None:
    """17:00 UTC of 2 November 2004 is 09:00 in California by the law of that year, 10:00 by today's."""
    zone = '<t:StartTimeZone Id="Pacific Standard Time"/>'
    rule = WEEKLY.replace("2026-06-02", "2004-11-02")
    xml = event_xml(zone + rule + deleted(*named), "2004-11-02T17:00:00Z", "2004-11-02T18:00:00Z")
    (event,), _, _ = made(xml)
    assert f"{event['DTSTART'].dt:%m-%d %H:%M}" == f"11-02 {clock}"


def test_a_series_in_the_second_of_two_equal_hours() -> None:
    xml = event_xml(BERLIN + DAILY, "2026-10-25T01:30:00Z", "2026-10-25T01:45:00Z")
    (event,), losses, found = made(xml)
    assert b"DTSTART;TZID=Europe/Berlin:20261025T023000" in found.item.body().read()
    assert "series/hour-twice" in losses
    assert "RRULE" in event


@pytest.mark.parametrize(
    ("start", "end", "first", "after", "lost"),
    [
        ("2026-06-01T22:00:00Z", "2026-06-02T22:00:00Z", "0602", "0603", []),
        ("2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z", "0602", "0603", ["all-day/not-at-midnight"]),
        ("2026-06-01T15:00:00Z", "2026-06-02T15:00:00Z", "0602", "0603", ["all-day/not-at-midnight"]),
        ("2026-06-01T22:00:00Z", "2026-06-01T22:00:00Z", "0602", None, []),
        ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "0329", "0330", []),
        ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "1025", "1026", []),
    ],
)
def test_whole_days(start: str, end: str, first: str, after: str | None, lost: list[str]) -> None:
    xml = event_xml("<t:IsAllDayEvent>true</t:IsAllDayEvent>" + BERLIN, start, end)
    (event,), losses, found = made(xml)
    assert f"DTSTART;VALUE=DATE:2026{first}\r\n".encode() in found.item.body().read()
    assert (f"{event['DTEND'].dt:%m%d}" if "DTEND" in event else None) == after
    assert losses == lost
