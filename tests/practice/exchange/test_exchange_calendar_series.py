"""When series take place: patterns, endings, zones. Others are held to what the practice Exchange says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule
from hypothesis import given
from hypothesis import strategies as st
from made_events import occurrences

from practice.calendar.appointments import Event, instances
from practice.calendar.events import ODDITIES
from practice.calendar.series import (
    Daily,
    Index,
    Monthly,
    MonthlyOn,
    Pattern,
    Recurrence,
    Weekly,
    Yearly,
    YearlyOn,
    nth,
)
from practice.calendar.timezones import BERLIN, CUSTOM, ISLAND, REFORMED, UTC_ZONE, ZONES, Zone
from practice.world.desk import Desk
from practice.world.records import Common

IANA = {
    "UTC": "Etc/UTC",
    "GMT Standard Time": "Europe/London",
    "W. Europe Standard Time": "Europe/Berlin",
    "Romance Standard Time": "Europe/Paris",
    "Central European Standard Time": "Europe/Warsaw",
    "FLE Standard Time": "Europe/Helsinki",
    "Eastern Standard Time": "America/New_York",
    "Pacific Standard Time": "America/Los_Angeles",
    "Newfoundland Standard Time": "America/St_Johns",
    "India Standard Time": "Asia/Kolkata",
    "Tokyo Standard Time": "Asia/Tokyo",
    "Arab Standard Time": "Asia/Riyadh",
    "AUS Eastern Standard Time": "Australia/Sydney",
}
DECADE = st.datetimes(datetime(2012, 1, 1), datetime(2035, 12, 31))
LONG_AGO, LATER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


def days(pattern: Pattern, start: date, count: int) -> list[str]:
    return [str(day) for day in Recurrence(pattern, count=count).days(start)]


def event(
    start: datetime, zone: Zone = BERLIN, minutes: int = 60, recurrence: Recurrence | None = None
) -> Event:
    end = start + timedelta(minutes=minutes)
    return Event(Common(subject="x"), "uid", start, end, zone, recurrence=recurrence)


def named(name: str, index: int = 0) -> Event:
    return ODDITIES[name](Desk(1, index, f"event/{name}"))


def starts(one: Event) -> list[str]:
    return [f"{start:%m-%dT%H:%M}" for start, _ in occurrences(one, LONG_AGO, LATER)]


def test_days_29_to_31_are_clamped() -> None:
    assert days(Monthly(31), date(2024, 1, 31), 5) == [
        "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]  # fmt: skip
    assert days(Monthly(29), date(2025, 1, 29), 3) == ["2025-01-29", "2025-02-28", "2025-03-29"]
    assert days(Monthly(30, 2), date(2024, 12, 30), 3) == ["2024-12-30", "2025-02-28", "2025-04-30"]


def test_a_leap_day_is_kept_every_year() -> None:
    assert days(Yearly(29, 2), date(2020, 2, 29), 5) == [
        "2020-02-29", "2021-02-28", "2022-02-28", "2023-02-28", "2024-02-29"]  # fmt: skip


def test_the_first_day_of_a_week_decides_which_sunday() -> None:
    start = date(2026, 1, 6)
    assert days(Weekly((1, 6), 2, 0), start, 4) == ["2026-01-06", "2026-01-11", "2026-01-20", "2026-01-25"]
    assert days(Weekly((1, 6), 2, 6), start, 4) == ["2026-01-06", "2026-01-18", "2026-01-20", "2026-02-01"]


@pytest.mark.parametrize(
    ("kind", "index", "expected"),
    [
        ("Day", "Last", "2026-02-28"),
        ("Day", "Third", "2026-02-03"),
        ("Weekday", "Last", "2026-02-27"),
        ("Weekday", "First", "2026-02-02"),
        ("WeekendDay", "First", "2026-02-01"),
        ("WeekendDay", "Second", "2026-02-07"),
        ("WeekendDay", "Last", "2026-02-28"),
        ("Friday", "Fourth", "2026-02-27"),
        ("Sunday", "Last", "2026-02-22"),
    ],
)
def test_relative_days(kind: str, index: Index, expected: str) -> None:
    assert str(nth(2026, 2, kind, index)) == expected


@given(st.dates(date(2015, 1, 1), date(2030, 1, 1)), st.integers(1, 12), st.integers(1, 40))
def test_patterns_agree_with_rfc_5545_where_nothing_is_clamped(start: date, every: int, count: int) -> None:
    base = datetime.combine(start, datetime.min.time())
    rows: list[tuple[Pattern, rrule]] = [
        (Daily(every), rrule(DAILY, base, every, count=count)),
        (Weekly((start.weekday(),), every), rrule(WEEKLY, base, every, count=count)),
        (Weekly((start.weekday(), (start.weekday() + 3) % 7), every, 6),
         rrule(WEEKLY, base, every, wkst=6, count=count,
               byweekday=(start.weekday(), (start.weekday() + 3) % 7))),
    ]  # fmt: skip
    if start.day <= 28:
        rows.append((Monthly(start.day, every), rrule(MONTHLY, base, every, count=count)))
        rows.append((Yearly(start.day, start.month), rrule(YEARLY, base, count=count)))
    for pattern, rule in rows:
        assert list(Recurrence(pattern, count=count).days(start)) == [moment.date() for moment in rule]


@given(st.dates(date(2015, 1, 1), date(2030, 1, 1)))
def test_relative_yearly_days_come_once_a_year(start: date) -> None:
    first = nth(start.year, start.month, "Weekday", "Last")
    found = list(Recurrence(YearlyOn("Weekday", "Last", start.month), count=4).days(first))
    assert [day.year for day in found] == [start.year + n for n in range(4)]
    assert all(day.month == start.month and day.weekday() < 5 for day in found)


def test_endings() -> None:
    start = date(2026, 1, 1)
    assert len(list(Recurrence(Daily(), until=date(2026, 1, 10)).days(start))) == 10
    assert len(list(Recurrence(Daily(), count=3).days(start))) == 3
    assert len(list(Recurrence(Daily()).days(start, date(2026, 3, 1)))) == 60
    assert list(Recurrence(Daily(), until=date(2025, 12, 31)).days(start)) == []
    assert list(Recurrence(MonthlyOn("Day", "Last")).days(start, start)) == []


@given(DECADE, st.sampled_from(sorted(IANA)))
def test_zones_agree_with_the_zone_database(wall: datetime, name: str) -> None:
    assert ZONES[name].utc(wall) == wall.replace(tzinfo=ZoneInfo(IANA[name])).astimezone(UTC)


def test_every_known_zone_is_compared() -> None:
    assert set(IANA) == set(ZONES)


def test_a_skipped_time_and_a_doubled_one() -> None:
    assert BERLIN.utc(datetime(2026, 3, 29, 2, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert BERLIN.utc(datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_zones_of_their_own_rules() -> None:
    assert ISLAND.utc(datetime(2026, 1, 7, 1, 15)) == datetime(2026, 1, 7, 0, 30, tzinfo=UTC)
    assert ISLAND.utc(datetime(2026, 7, 7, 9, 0)) == datetime(2026, 7, 7, 7, 15, tzinfo=UTC)
    assert ISLAND.utc(datetime(2026, 11, 6, 9, 0)) == datetime(2026, 11, 6, 8, 15, tzinfo=UTC)
    assert REFORMED.utc(datetime(2024, 12, 30, 9)) == datetime(2024, 12, 30, 7, tzinfo=UTC)
    assert REFORMED.utc(datetime(2025, 1, 6, 9)) == datetime(2025, 1, 6, 6, tzinfo=UTC)


def test_custom_zones_are_written_out_and_known_ones_are_not() -> None:
    assert BERLIN.xml("StartTimeZone").endswith('Stockholm, Vienna"/>')
    written = REFORMED.xml("StartTimeZone")
    assert f'Id="{CUSTOM}"' in written
    for part in ("<t:Periods>", "AbsoluteDateTransition", "2025-01-01T00:00:00", 'Kind="Group">1<'):
        assert part in written
    assert "RecurringDateTransition" in ISLAND.xml("EndTimeZone")
    assert "<t:Offset>-PT60M</t:Offset>" in BERLIN.meeting()


def test_a_series_keeps_its_wall_clock() -> None:
    weekly = Recurrence(Weekly((0,)), count=40)
    one = event(datetime(2026, 3, 2, 9), recurrence=weekly)
    assert {start.hour for start, _ in occurrences(one, LONG_AGO, LATER)} == {7, 8}
    assert {
        start.hour for start, _ in occurrences(event(one.start, UTC_ZONE, 60, weekly), LONG_AGO, LATER)
    } == {9}


def test_series_at_the_change_of_clocks() -> None:
    spring = starts(named("series_spring_gap"))
    assert spring[2:5] == ["03-28T01:30", "03-29T01:30", "03-30T00:30"]
    assert starts(named("series_autumn_fold"))[2:5] == ["10-24T00:30", "10-25T00:30", "10-26T01:30"]
    nights = occurrences(named("series_night_shift"), LONG_AGO, LATER)
    assert [(end - start).total_seconds() / 3600 for start, end in nights].count(9) == 1


def test_exceptions_move_rename_and_delete() -> None:
    one = named("series_exceptions")
    found = {each.day: each for each in instances(one, LONG_AGO, LATER)}
    assert not set(found) & set(one.deleted)
    assert f"{found[date(2026, 2, 2)].begins:%m-%dT%H:%M}" == "02-04T08:00"
    assert f"{found[date(2026, 3, 23)].begins:%m-%dT%H:%M}" == "03-29T08:00"
    assert found[date(2026, 4, 13)].common.subject.startswith("Dienstbesprechung (mit")
    assert found[date(2026, 1, 19)].part == "Occurrence"
    assert found[date(2026, 1, 12)].part == "Exception"
    assert len(found) == 51 - 3


def test_windows_hold_what_overlaps_them() -> None:
    one = event(datetime(2026, 6, 1, 23), minutes=120, recurrence=Recurrence(Daily(), count=3))
    begin = one.begins
    assert len(occurrences(one, begin, begin + timedelta(minutes=1))) == 1
    assert len(occurrences(one, begin + timedelta(hours=1), begin + timedelta(hours=2))) == 1
    assert occurrences(one, begin + timedelta(hours=2), begin + timedelta(hours=24)) == []
    instant = event(datetime(2026, 6, 1, 8), minutes=0)
    assert len(occurrences(instant, instant.begins, instant.begins + timedelta(seconds=1))) == 1
    assert occurrences(instant, instant.begins - timedelta(hours=1), instant.begins) == []


def test_an_occurrence_moved_out_of_its_place_is_found_where_it_is() -> None:
    early = named("series_now_all_day")
    before = occurrences(early, LONG_AGO, datetime(2026, 5, 1, tzinfo=UTC))
    assert [f"{start:%m-%d}" for start, _ in before] == ["04-28"]
    late = named("series_first_and_last")
    assert starts(late)[-1].startswith("03-12")


@pytest.mark.parametrize("name", [name for name in ODDITIES if name.startswith("series_")])
def test_a_series_starts_on_its_pattern(name: str) -> None:
    one = named(name)
    assert one.recurrence is not None
    assert next(one.recurrence.days(one.start.date())) == one.start.date()
    for each in one.changed:
        assert one.instance(each.day).part == "Exception"
    for day in one.deleted:
        with pytest.raises(KeyError):
            one.instance(day)


def test_no_occurrence_on_other_days() -> None:
    with pytest.raises(KeyError):
        named("series_exceptions").instance(date(2026, 1, 6))
