"""Time zones that only a record describes, on an Open-Xchange, which ignores their rules: every occurrence
takes place when it did at the source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from dateutil.rrule import DAILY, MO, SA, WE, WEEKLY, rrule
from event_native import event_xml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from open_xchange_desk import ANNA, BERT, PASSWORD_ENV, OpenXchangeDesk, desk_on, occurrences
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate

from model.errors import Rejected
from practice.calendar.timezones import CUSTOM, ISLAND, REFORMED, ZONES, Rules, Switch, Zone

QUARTER = Zone(CUSTOM, "+00:45", ((1, Rules(45)),))
THIRTEEN = Zone(CUSTOM, "+13:00", ((1, Rules(780)),))
HALF = Zone(CUSTOM, "-04:30", ((1, Rules(-270)),))
BERLIN = Zone(CUSTOM, "Mitteleuropa", ZONES["W. Europe Standard Time"].eras)
SOUTH = Zone(CUSTOM, "Süd", ((1, Rules(-180, -120, Switch(10, 0, nth=1), Switch(2, 1440, day=28))),))
ODD = [QUARTER, THIRTEEN, HALF, BERLIN, SOUTH, ISLAND, REFORMED]
HOUR = timedelta(hours=1)
TZDATA = frozenset(resources.files("tzdata").joinpath("zones").read_text().split())
DAYS = {"Monday": MO, "Wednesday": WE, "Saturday": SA}
LOST = "zone-of-series"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenXchangeDesk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_ENV, USER_PASSWORD)
        with OpenXchangeServer({ANNA: "Anna Adler", BERT: "Bert Bach"}, rate=Rate(10**9)) as server:
            made = desk_on(server, Path(tmp_path_factory.mktemp("spool")))
            yield made
            made.target.close()


def record(zone: Zone, begins: datetime, inner: str = "", length: timedelta = HOUR) -> str:
    start = zone.utc(begins)
    zones = zone.xml("StartTimeZone") + zone.xml("EndTimeZone")
    end = start + length
    return event_xml(inner + zones, f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}")


def repeated(pattern: str, first: date, count: int | None) -> str:
    start = f"<t:StartDate>{first:%Y-%m-%d}</t:StartDate>"
    if count is None:
        ending = f"<t:NoEndRecurrence>{start}</t:NoEndRecurrence>"
    else:
        number = f"<t:NumberOfOccurrences>{count}</t:NumberOfOccurrences>"
        ending = f"<t:NumberedRecurrence>{start}{number}</t:NumberedRecurrence>"
    return f"<t:Recurrence>{pattern}{ending}</t:Recurrence>"


def weekly(*days: str, every: int = 1) -> str:
    names = " ".join(days)
    return (
        f"<t:WeeklyRecurrence><t:Interval>{every}</t:Interval><t:DaysOfWeek>{names}</t:DaysOfWeek>"
        "<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>"
    )


def daily(every: int = 1) -> str:
    return f"<t:DailyRecurrence><t:Interval>{every}</t:Interval></t:DailyRecurrence>"


def zones_of(body: bytes) -> set[str]:
    events = Calendar.from_ical(body).walk("VEVENT")
    values = [value for event in events for _, value in event.property_items()]
    return {str(value.params["TZID"]) for value in values if "TZID" in getattr(value, "params", {})}


def reasons(desk: OpenXchangeDesk, xml: str) -> list[str]:
    return [loss.reason for loss in desk.mapped(xml).losses]


@pytest.mark.parametrize("zone", ODD, ids=lambda zone: zone.name)
def test_a_single_event_keeps_its_moment(desk: OpenXchangeDesk, zone: Zone) -> None:
    begins = datetime(2026, 7, 7, 9)
    made, body = desk.write(record(zone, begins))
    assert occurrences(body) == [(zone.utc(begins), zone.utc(begins) + HOUR)]
    assert zones_of(body) <= TZDATA
    assert made.losses == ()


@pytest.mark.parametrize(
    ("zone", "first", "days", "number"),
    [
        (ISLAND, datetime(2026, 1, 7, 1, 15), ("Wednesday", "Saturday"), 60),
        (REFORMED, datetime(2024, 9, 2, 9), ("Monday",), 30),
        (QUARTER, datetime(2026, 1, 7, 0, 15), ("Wednesday", "Saturday"), 60),
        (THIRTEEN, datetime(2026, 1, 5, 9), ("Monday",), 60),
        (HALF, datetime(2026, 1, 5, 22), ("Monday",), 60),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_every_occurrence_of_a_series_keeps_its_moment(
    desk: OpenXchangeDesk, zone: Zone, first: datetime, days: tuple[str, ...], number: int
) -> None:
    made, body = desk.write(record(zone, first, repeated(weekly(*days), first.date(), number)))
    walls = rrule(WEEKLY, dtstart=first, byweekday=[DAYS[day] for day in days], count=number)
    expected = [(zone.utc(wall), zone.utc(wall) + HOUR) for wall in walls]
    assert occurrences(body) == expected
    assert zones_of(body) <= TZDATA
    named = zone in (ISLAND, REFORMED, QUARTER, HALF) and not zones_of(body)
    assert [loss.reason for loss in made.losses] == [LOST] * named


def test_the_rule_of_a_series_that_is_written_out_reaches_beyond_its_last_date(desk: OpenXchangeDesk) -> None:
    """Open-Xchange looks for a series from its first day to the last day of its rule."""
    first = datetime(2024, 9, 2, 9)
    _, body = desk.write(record(REFORMED, first, repeated(weekly("Monday"), first.date(), 30)))
    (event,) = Calendar.from_ical(body).walk("VEVENT")
    rule = event["RRULE"]
    begin = event["DTSTART"].dt.replace(tzinfo=None)
    ruled = list(rrule(DAILY, dtstart=begin, interval=rule["INTERVAL"][0], count=rule["COUNT"][0]))
    last = max(start.replace(tzinfo=None) for start, _ in occurrences(body) if isinstance(start, datetime))
    assert begin < last < ruled[-1]


def test_a_zone_with_the_clock_of_an_iana_zone_gets_its_name(desk: OpenXchangeDesk) -> None:
    first = datetime(2026, 1, 5, 9)
    endless = repeated(weekly("Monday"), first.date(), None)
    for zone, name in ((BERLIN, "Europe/Berlin"), (THIRTEEN, "Etc/GMT-13")):
        made, body = desk.write(record(zone, first, endless))
        assert zones_of(body) == {name}
        assert made.losses == ()
        expected = [zone.utc(first + timedelta(days=7 * week)) for week in range(2000)]
        assert [start for start, _ in occurrences(body)][:2000] == expected


def test_a_still_clock_needs_no_end(desk: OpenXchangeDesk) -> None:
    first = datetime(2026, 1, 7, 0, 15)  # a day earlier in UTC
    xml = record(QUARTER, first, repeated(weekly("Wednesday", "Saturday", every=2), first.date(), None))
    _, body = desk.write(xml)
    walls = rrule(WEEKLY, dtstart=first, byweekday=[WE, SA], interval=2, count=2000)
    assert [start for start, _ in occurrences(body)][:2000] == [QUARTER.utc(wall) for wall in walls]
    assert reasons(desk, xml) == [LOST]


@pytest.mark.parametrize("zone", [ISLAND, SOUTH, REFORMED], ids=lambda zone: zone.name)
def test_what_cannot_be_said_is_rejected(desk: OpenXchangeDesk, zone: Zone) -> None:
    first = datetime(2024, 9, 2, 9)
    for number in (None, 1001):
        with pytest.raises(Rejected, match="unknown-time-zone"):
            desk.mapped(record(zone, first, repeated(daily(), first.date(), number)))
    monthly = (
        "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>1</t:DayOfMonth>"
        "</t:AbsoluteMonthlyRecurrence>"
    )
    late = datetime(2026, 1, 1, 0, 15)
    with pytest.raises(Rejected, match="unknown-time-zone"):
        desk.mapped(record(QUARTER, late, repeated(monthly, late.date(), None)))


@pytest.mark.parametrize("zone", [ISLAND, REFORMED, QUARTER, THIRTEEN], ids=lambda zone: zone.name)
def test_changed_and_deleted_occurrences_keep_their_place(desk: OpenXchangeDesk, zone: Zone) -> None:
    first = datetime(2024, 12, 2, 9)
    walls = [first + timedelta(days=7 * week) for week in range(20)]
    gone, moved = walls[4], walls[9]
    to = zone.utc(moved) + timedelta(hours=26)
    deleted = (
        "<t:DeletedOccurrences><t:DeletedOccurrence>"
        f"<t:Start>{zone.utc(gone):%Y-%m-%dT%H:%M:%SZ}</t:Start></t:DeletedOccurrence></t:DeletedOccurrences>"
    )
    origin = f"<t:OriginalStart>{zone.utc(moved):%Y-%m-%dT%H:%M:%SZ}</t:OriginalStart>"
    zones = zone.xml("StartTimeZone") + zone.xml("EndTimeZone")
    changed = event_xml(
        f"<t:CalendarItemType>Exception</t:CalendarItemType>{origin}{zones}",
        f"{to:%Y-%m-%dT%H:%M:%SZ}",
        f"{to + 2 * HOUR:%Y-%m-%dT%H:%M:%SZ}",
    )
    xml = record(zone, first, deleted + repeated(weekly("Monday"), first.date(), len(walls))) + changed
    _, body = desk.write(xml)
    expected = [(zone.utc(wall), zone.utc(wall) + HOUR) for wall in walls if wall not in (gone, moved)]
    assert occurrences(body) == sorted([*expected, (to, to + 2 * HOUR)])


def test_the_first_occurrence_of_a_series_that_is_written_out_may_be_gone(desk: OpenXchangeDesk) -> None:
    first = datetime(2024, 12, 2, 9)
    start = f"<t:Start>{REFORMED.utc(first):%Y-%m-%dT%H:%M:%SZ}</t:Start>"
    deleted = (
        f"<t:DeletedOccurrences><t:DeletedOccurrence>{start}</t:DeletedOccurrence></t:DeletedOccurrences>"
    )
    xml = record(REFORMED, first, deleted + repeated(weekly("Monday"), first.date(), 10))
    _, body = desk.write(xml)
    expected = [REFORMED.utc(first + timedelta(days=7 * week)) for week in range(1, 10)]
    assert [start for start, _ in occurrences(body)] == expected


@pytest.mark.parametrize("zone", ODD, ids=lambda zone: zone.name)
def test_whole_days_do_not_move(desk: OpenXchangeDesk, zone: Zone) -> None:
    first = datetime(2026, 1, 7)
    inner = "<t:IsAllDayEvent>true</t:IsAllDayEvent>" + repeated(daily(), first.date(), 400)
    xml = record(zone, first, inner, zone.utc(first + timedelta(days=1)) - zone.utc(first))
    made, body = desk.write(xml)
    days = [date(2026, 1, 7) + timedelta(days=at) for at in range(401)]
    assert occurrences(body) == list(pairwise(days))
    assert zones_of(body) == set()
    assert made.losses == ()


def test_an_end_in_a_zone_of_its_own_stands_in_that_of_the_start(desk: OpenXchangeDesk) -> None:
    for start_zone in (ZONES["W. Europe Standard Time"], ISLAND):
        begins = datetime(2026, 7, 7, 9)
        start = start_zone.utc(begins)
        inner = start_zone.xml("StartTimeZone") + QUARTER.xml("EndTimeZone")
        times = f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{start + 2 * HOUR:%Y-%m-%dT%H:%M:%SZ}"
        for more in ("", repeated(weekly("Monday", "Tuesday"), begins.date(), 1)):
            _, body = desk.write(event_xml(inner + more, *times))
            assert occurrences(body) == [(start, start + 2 * HOUR)]


RULES = st.builds(
    lambda offset, summer, month, minutes, day: (
        Rules(offset, offset + summer, Switch(month, minutes, day=day), Switch(month + 6, minutes, nth=1))
        if summer
        else Rules(offset)
    ),
    offset=st.integers(-700, 800),
    summer=st.sampled_from([0, 30, 60, 120]),
    month=st.integers(1, 6),
    minutes=st.integers(0, 1439),
    day=st.integers(1, 28),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.one_of(
        RULES, st.sampled_from([ISLAND.eras[0][1], *(zone.eras[0][1] for zone in ZONES.values())])
    ),
    first=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    every=st.integers(1, 40),
    number=st.integers(1, 60),
)
def test_whatever_the_zone_every_moment_is_right(
    desk: OpenXchangeDesk, rules: Rules, first: datetime, every: int, number: int
) -> None:
    zone, first = Zone(CUSTOM, "x", ((1, rules),)), first.replace(second=0, microsecond=0)
    xml = record(zone, first, repeated(daily(every), first.date(), number))
    _, body = desk.write(xml)
    starts = [zone.utc(wall) for wall in rrule(DAILY, dtstart=first, interval=every, count=number)]
    assert sorted(start for start, _ in occurrences(body)) == sorted(starts)
    assert zones_of(body) <= TZDATA
