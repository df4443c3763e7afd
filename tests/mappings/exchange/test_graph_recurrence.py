"""Whatever recurrence and whatever zone an Exchange can keep: read from Graph's words it is the same as read
from those of EWS."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from mappings.exchange.graph_json import Json, started
from mappings.exchange.graph_recurrence import recurrence
from mappings.exchange.graph_zone import zone as add_zone
from mappings.fields.ews_xml import SPACES, Element, child
from mappings.time.rrule import rule
from mappings.time.zones import zone_for
from model.errors import Rejected
from practice.calendar.series import (
    Daily,
    Monthly,
    MonthlyOn,
    Pattern,
    Recurrence,
    Weekly,
    Yearly,
    YearlyOn,
)
from practice.calendar.timezones import CUSTOM, MONTHS, WEEKDAYS, Rules, Switch, Zone
from practice.graph_items.recurrence import of_series, of_task
from practice.graph_items.zones import definition
from practice.tasks.chores import Repeat

EVERY = st.integers(1, 99)
KINDS = st.sampled_from([*WEEKDAYS, "Day", "Weekday", "WeekendDay"])
INDEXES = st.sampled_from(["First", "Second", "Third", "Fourth", "Last"])
IN_YEAR = st.integers(1, 12)
PATTERNS: st.SearchStrategy[Pattern] = st.one_of(
    st.builds(Daily, EVERY),
    st.builds(
        Weekly,
        st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        EVERY,
        st.integers(0, 6),
    ),
    st.builds(Monthly, st.integers(1, 31), EVERY),
    st.builds(MonthlyOn, KINDS, INDEXES, EVERY),
    st.builds(Yearly, st.integers(1, 28), IN_YEAR),
    st.builds(YearlyOn, KINDS, INDEXES, IN_YEAR),
)
STARTS = st.dates(date(1990, 1, 1), date(2040, 12, 31))
ENDS = st.one_of(st.none(), st.integers(1, 500), STARTS)


def element(xml: str) -> Element:
    found = child(etree.fromstring(f'<r xmlns:t="{SPACES["t"]}">{xml}</r>'), "t:*")
    assert found is not None
    return found


def read(json: Json) -> Element:
    holder = started("CalendarItem")
    recurrence(holder, json)
    found = child(holder, "t:Recurrence")
    assert found is not None
    return found


@given(PATTERNS, STARTS, ENDS, st.booleans())
@example(Monthly(31), date(2025, 1, 31), None, False)
@example(Yearly(29, 2), date(2024, 2, 29), 8, True)
def test_a_series_has_one_rule(
    pattern: Pattern, start: date, end: date | int | None, whole_days: bool
) -> None:
    first = next(day for day in pattern.days(start) if day >= start)
    until, count = (end, None) if isinstance(end, date) else (None, end)
    made = Recurrence(pattern, until, count)
    xml = made.xml(first.isoformat(), (until or first).isoformat())
    begins = first if whole_days else datetime(first.year, first.month, first.day, 9, 30)
    json = of_series(made, first, "W. Europe Standard Time")
    assert rule(read(json), begins, UTC) == rule(element(xml), begins, UTC)


REPEATS = st.builds(
    Repeat,
    st.sampled_from(
        ["Daily", "Weekly", "AbsoluteMonthly", "RelativeMonthly", "AbsoluteYearly", "RelativeYearly"]
    ),
    STARTS,
    ENDS,
    EVERY,
    days=KINDS,
    index=INDEXES,
    day=st.integers(1, 28),
    month=st.sampled_from(MONTHS),
    week_start=st.sampled_from(WEEKDAYS),
)


@given(REPEATS)
def test_a_task_has_one_rule(repeat: Repeat) -> None:
    json = of_task(repeat)
    if repeat.frequency.endswith("Yearly"):
        json["pattern"]["interval"] = 1  # EWS has no interval of years
    assert rule(read(json), repeat.start) == rule(element(repeat.xml()), repeat.start)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("pattern", "type", "hourly"),
        ("pattern", "interval", 0),
        ("pattern", "daysOfWeek", ["moonday"]),
        ("pattern", "daysOfWeek", []),
        ("pattern", "firstDayOfWeek", "someday"),
        ("range", "type", "later"),
        ("range", "numberOfOccurrences", 0),
    ],
)
def test_what_nobody_knows_is_rejected(part: str, name: str, value: object) -> None:
    json = of_series(Recurrence(Weekly((0, 3), 2), count=9), date(2026, 1, 5), "UTC")
    assert rule(read(json), date(2026, 1, 5)).count == 9
    json[part][name] = value
    with pytest.raises(Rejected, match="set its recurrence anew"):
        rule(read(json), date(2026, 1, 5))


NTH = st.builds(
    Switch,
    st.sampled_from([3, 4, 9]),
    st.integers(0, 1439),
    st.integers(0, 6),
    st.sampled_from([1, 2, 3, 4, -1]),
)
LATER = st.builds(
    Switch,
    st.sampled_from([10, 11]),
    st.integers(0, 1439),
    st.integers(0, 6),
    st.sampled_from([1, 2, 3, 4, -1]),
    st.one_of(st.none(), st.integers(1, 28)),
)
CHANGING = st.builds(
    lambda standard, begins, ends: Rules(standard, standard + 60, begins, ends),
    st.integers(-720, 720),
    NTH,
    LATER,
)
STILL = st.builds(Rules, st.integers(-720, 780))
ZONES = st.one_of(
    st.builds(lambda rules: Zone(CUSTOM, "Eigene", ((1, rules),)), CHANGING | STILL),
    st.builds(
        lambda before, year, after: Zone(CUSTOM, "Eigene", ((1, before), (year, after))),
        CHANGING | STILL,
        st.integers(2016, 2034),
        STILL,
    ),
)


@given(ZONES)
def test_a_zone_of_its_own_is_the_same_zone(zone: Zone) -> None:
    described = started("CalendarItem")
    add_zone(described, "StartTimeZone", CUSTOM, base64.b64encode(definition(zone)).decode())
    told = started("CalendarItem")
    told.append(element(zone.xml("StartTimeZone")))
    one, other = zone_for(described), zone_for(told)
    noon = datetime(2018, 1, 1, 12, tzinfo=UTC)
    for days in range(0, 365 * 14, 11):
        at = noon + timedelta(days=days)
        assert one.local(at).utcoffset() == other.local(at).utcoffset()


def test_a_name_inside_of_the_description_counts() -> None:
    holder = started("CalendarItem")
    berlin = definition(Zone("W. Europe Standard Time", "Berlin", ((1, Rules(60)),)))
    add_zone(holder, "StartTimeZone", CUSTOM, base64.b64encode(berlin).decode())
    assert zone_for(holder).id == "Europe/Berlin"


@given(st.binary(max_size=300))
@example(b"")
def test_a_damaged_description_is_none(data: bytes) -> None:
    holder = started("CalendarItem")
    whole = definition(Zone(CUSTOM, "", ((1, Rules(45)),)))
    written = [base64.b64encode(one).decode() for one in (data, whole)]
    add_zone(holder, "StartTimeZone", CUSTOM, *written)
    assert zone_for(holder).local(datetime(2026, 1, 1, tzinfo=UTC)).utcoffset() is not None


def test_a_zone_that_nobody_knows_is_rejected() -> None:
    holder = started("CalendarItem")
    add_zone(holder, "StartTimeZone", CUSTOM, "kaputt")
    with pytest.raises(Rejected, match="choose a time zone"):
        zone_for(holder)


def test_the_older_description_of_a_zone_is_read() -> None:
    """PidLidTimeZoneStruct: biases, then each date behind its year (MS-OXOCAL 2.2.1.39)."""
    data = bytes.fromhex(
        "c4ffffff" "00000000" "c4ffffff"
        "0000" "0000" "0a00" "0000" "0500" "0300" "0000" "0000" "0000"
        "0000" "0000" "0300" "0000" "0500" "0200" "0000" "0000" "0000"
    )  # fmt: skip
    holder = started("CalendarItem")
    add_zone(holder, "StartTimeZone", CUSTOM, base64.b64encode(data).decode())
    zone = zone_for(holder)
    offsets = [zone.local(datetime(2026, month, 1, tzinfo=UTC)).utcoffset() for month in (1, 7)]
    assert offsets == [timedelta(hours=1), timedelta(hours=2)]
