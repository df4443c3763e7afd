"""Every EWS recurrence as an RRULE, and what is none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from event_native import inside

from mappings.fields.ews_xml import Element
from mappings.time.rrule import RecurrenceRule, Start, regeneration, rule
from model.errors import Rejected

BERLIN = ZoneInfo("Europe/Berlin")
WALL = datetime(2026, 1, 31, 9, 30)
DAILY = "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
START = "<t:StartDate>2026-01-31+01:00</t:StartDate>"
ENDLESS = f"<t:NoEndRecurrence>{START}</t:NoEndRecurrence>"


def recurrence(pattern: str, ending: str = ENDLESS) -> Element:
    return inside(f"<t:Recurrence>{pattern}{ending}</t:Recurrence>", "t:Recurrence")


def counted(many: object) -> str:
    inner = f"{START}<t:NumberOfOccurrences>{many}</t:NumberOfOccurrences>"
    return f"<t:NumberedRecurrence>{inner}</t:NumberedRecurrence>"


def until(day: str, start: str = START) -> str:
    return f"<t:EndDateRecurrence>{start}<t:EndDate>{day}</t:EndDate></t:EndDateRecurrence>"


def weekly(days: str, interval: int = 1, first: str = "Monday") -> str:
    inner = f"<t:Interval>{interval}</t:Interval><t:DaysOfWeek>{days}</t:DaysOfWeek>"
    week = f"<t:FirstDayOfWeek>{first}</t:FirstDayOfWeek>" if first else ""
    return f"<t:WeeklyRecurrence>{inner}{week}</t:WeeklyRecurrence>"


def monthly(day: object, interval: object = 1) -> str:
    inner = f"<t:Interval>{interval}</t:Interval><t:DayOfMonth>{day}</t:DayOfMonth>"
    return f"<t:AbsoluteMonthlyRecurrence>{inner}</t:AbsoluteMonthlyRecurrence>"


def yearly(day: int, month: str) -> str:
    inner = f"<t:DayOfMonth>{day}</t:DayOfMonth><t:Month>{month}</t:Month>"
    return f"<t:AbsoluteYearlyRecurrence>{inner}</t:AbsoluteYearlyRecurrence>"


def nth(index: str, days: str, month: str = "") -> str:
    inner = f"<t:DaysOfWeek>{days}</t:DaysOfWeek><t:DayOfWeekIndex>{index}</t:DayOfWeekIndex>"
    if month:
        return f"<t:RelativeYearlyRecurrence>{inner}<t:Month>{month}</t:Month></t:RelativeYearlyRecurrence>"
    return f"<t:RelativeMonthlyRecurrence><t:Interval>3</t:Interval>{inner}</t:RelativeMonthlyRecurrence>"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (DAILY, "FREQ=DAILY"),
        (DAILY.replace("1", "999"), "FREQ=DAILY;INTERVAL=999"),
        ("<t:DailyRecurrence/>", "FREQ=DAILY"),
        (weekly("Monday"), "FREQ=WEEKLY;BYDAY=MO;WKST=MO"),
        (weekly("Sunday friday", 2, "Sunday"), "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR,SU;WKST=SU"),
        (weekly("Weekday"), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=MO"),
        (weekly("WeekendDay Monday"), "FREQ=WEEKLY;BYDAY=MO,SA,SU;WKST=MO"),
        (weekly("Tuesday", 2, ""), "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=SU"),
        (monthly(1), "FREQ=MONTHLY;BYMONTHDAY=1"),
        (monthly(28, 12), "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=28"),
        (monthly(29), "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1"),
        (monthly(30), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        (monthly(31), "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
        (nth("Second", "Tuesday"), "FREQ=MONTHLY;INTERVAL=3;BYDAY=2TU"),
        (nth("Last", "Day"), "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=-1"),
        (nth("Fourth", "Day"), "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=4"),
        (nth("First", "Weekday"), "FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1"),
        (nth("Last", "WeekendDay"), "FREQ=MONTHLY;INTERVAL=3;BYDAY=SA,SU;BYSETPOS=-1"),
        (nth("Third", "Monday Sunday"), "FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,SU;BYSETPOS=3"),
        (yearly(31, "January"), "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31"),
        (yearly(28, "February"), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28"),
        (yearly(29, "February"), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"),
        (yearly(31, "February"), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"),
        (yearly(31, "April"), "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30"),
        (nth("Last", "Friday", "November"), "FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR"),
        (nth("Last", "Day", "February"), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        (nth("Second", "WeekendDay", "May"), "FREQ=YEARLY;BYMONTH=5;BYDAY=SA,SU;BYSETPOS=2"),
    ],
)
def test_patterns(pattern: str, expected: str) -> None:
    assert rule(recurrence(pattern), WALL, BERLIN).text == expected


@pytest.mark.parametrize(
    ("ending", "start", "expected"),
    [
        (ENDLESS, WALL, ""),
        (counted(1), WALL, ";COUNT=1"),
        (counted(999), date(2026, 1, 31), ";COUNT=999"),
        (until("2026-07-31+02:00"), WALL, ";UNTIL=20260731T073000Z"),
        (until("2026-12-31"), WALL, ";UNTIL=20261231T083000Z"),
        (until("2026-12-31T00:00:00.000000000Z"), WALL, ";UNTIL=20261231T083000Z"),
        (until("2026-07-31"), datetime(2026, 1, 31, 0, 30), ";UNTIL=20260730T223000Z"),
        (until("2026-07-31"), WALL.replace(tzinfo=BERLIN), ";UNTIL=20260731T073000Z"),
        (until("2026-07-31+02:00"), date(2026, 1, 31), ";UNTIL=20260731"),
        (until("0999-07-31"), date(998, 1, 31), ";UNTIL=09990731"),
    ],
)
def test_endings(ending: str, start: Start, expected: str) -> None:
    zone = BERLIN if isinstance(start, datetime) and start.tzinfo is None else None
    assert rule(recurrence(DAILY, ending), start, zone).text == "FREQ=DAILY" + expected


def test_without_any_zone_the_end_floats() -> None:
    assert rule(recurrence(DAILY, until("2026-07-31")), WALL).text == "FREQ=DAILY;UNTIL=20260731T093000"


@pytest.mark.parametrize(
    ("pattern", "ending"),
    [
        ("", ENDLESS),
        (DAILY, ""),
        (DAILY + DAILY, ENDLESS),
        (DAILY, ENDLESS + ENDLESS),
        (DAILY + "<t:Odd/>", ENDLESS),
        ("<t:HourlyRecurrence/>", ENDLESS),
        (DAILY, "<t:SomeEndRecurrence/>"),
        (DAILY.replace("1", "0"), ENDLESS),
        (DAILY.replace("1", "x"), ENDLESS),
        (DAILY.replace(">1<", "><"), ENDLESS),
        (weekly(""), ENDLESS),
        (weekly("Someday"), ENDLESS),
        (weekly("Monday", 1, "Day"), ENDLESS),
        (monthly(0), ENDLESS),
        (monthly(32), ENDLESS),
        (monthly(""), ENDLESS),
        (yearly(1, "Brumaire"), ENDLESS),
        (nth("Fifth", "Monday"), ENDLESS),
        (nth("First", ""), ENDLESS),
        (DAILY, counted(0)),
        (DAILY, counted("many")),
        (DAILY, until("")),
        (DAILY, until("tomorrow")),
        (DAILY, until("2026-13-01")),
    ],
)
def test_what_is_no_recurrence_is_refused_never_guessed(pattern: str, ending: str) -> None:
    with pytest.raises(Rejected) as caught:
        rule(recurrence(pattern, ending), WALL, BERLIN)
    assert caught.value.code == "unknown-recurrence"


def regenerating(name: str, interval: int = 2) -> str:
    return f"<t:{name}Regeneration><t:Interval>{interval}</t:Interval></t:{name}Regeneration>"


@pytest.mark.parametrize("name", ["Daily", "Weekly", "Monthly", "Yearly"])
def test_regenerating_tasks_follow_no_calendar(name: str) -> None:
    element = recurrence(regenerating(name))
    assert regeneration(element) == (name.upper(), 2)
    with pytest.raises(Rejected, match="unknown-recurrence"):
        rule(element, date(2026, 1, 31))


def test_a_recurrence_by_the_calendar_does_not_regenerate() -> None:
    assert regeneration(recurrence(DAILY)) is None


def first(pattern: str, start: Start, range_start: str = START) -> RecurrenceRule:
    return rule(recurrence(pattern, ENDLESS.replace(START, range_start)), start, BERLIN)


def test_a_start_on_no_day_of_the_rule_is_said_with_the_first_that_is() -> None:
    found = first(weekly("Tuesday"), WALL)
    assert (found.fits, found.first) == (False, datetime(2026, 2, 3, 9, 30))
    found = first(monthly(31), date(2026, 1, 31))
    assert (found.fits, found.first) == (True, date(2026, 1, 31))
    found = first(yearly(28, "February"), date(2020, 2, 29), "<t:StartDate>2021-02-28</t:StartDate>")
    assert (found.fits, found.first) == (False, date(2021, 2, 28))
    found = first(monthly(31), datetime(2026, 2, 28, 9, 30), "<t:StartDate>2026-02-28</t:StartDate>")
    assert found.fits


def test_the_range_may_say_nothing_of_its_start() -> None:
    assert first(weekly("Tuesday"), WALL, "").first == datetime(2026, 2, 3, 9, 30)


def test_every_start_of_a_series() -> None:
    leap = rule(recurrence(yearly(29, "February"), counted(3)), date(2024, 2, 29))
    assert list(leap.starts(date(2024, 2, 29))) == [date(2024, 2, 29), date(2025, 2, 28), date(2026, 2, 28)]
    ended = rule(recurrence(DAILY, until("2026-02-02")), WALL, BERLIN)
    assert [start.day for start in ended.starts(WALL)] == [31, 1, 2]
    endless = rule(recurrence(DAILY), WALL, BERLIN)
    assert endless.endless
    assert [ended.endless, leap.endless] == [False, False]
    assert [start - WALL for start in islice(endless.starts(WALL), 2) if isinstance(start, datetime)] == [
        timedelta(0),
        timedelta(days=1),
    ]


def test_the_last_start_is_within_until_whatever_the_season() -> None:
    for clock in (
        datetime(2026, 1, 31, 0, 0),
        datetime(2026, 1, 31, 23, 59, 59),
        datetime(2026, 1, 31, 2, 30),
    ):
        found = rule(recurrence(DAILY, until("2026-03-29")), clock, BERLIN)
        last = list(found.starts(clock))[-1]
        assert isinstance(last, datetime)
        assert last.date() == date(2026, 3, 29)
        assert f"UNTIL={last.replace(tzinfo=BERLIN).astimezone(UTC):%Y%m%dT%H%M%SZ}" in found.text
