"""Time zones: which one an item was made in, and that its VTIMEZONE says what the zone does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from event_native import element
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Timezone

from mappings.time.vtimezone import vtimezone
from mappings.time.windows_zones import _BY_ID, iana
from mappings.time.zones import UTC_ZONE, Zone, named_zone, zone_for
from model.errors import Rejected

ZONES = sorted(set(_BY_ID.values()) - {"Etc/UTC"})
FIRST, LAST = 2019, 2030


def zone_of(inner: str, side: str = "Start") -> str:
    return zone_for(element(inner), side).id


def offset(zone: tzinfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


@pytest.mark.parametrize(
    ("windows", "name"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe standard time", "Europe/Berlin"),
        (" Romance Standard Time ", "Europe/Paris"),
        ("Turkey Standard Time", "Europe/Istanbul"),
        ("Mid-Atlantic Standard Time", "Etc/GMT+2"),
        ("tzone://Microsoft/Utc", "Etc/UTC"),
        ("Yukon Standard Time", "America/Whitehorse"),
        ("W. Europe Daylight Time", None),
        ("", None),
    ],
)
def test_windows_zones(windows: str, name: str | None) -> None:
    assert iana(windows) == name


@pytest.mark.parametrize("name", sorted({*_BY_ID.values()}))
def test_every_zone_of_the_table_is_one_of_tzdata(name: str) -> None:
    assert named_zone(name) is not None


@pytest.mark.parametrize(
    ("inner", "name"),
    [
        ("", "Etc/UTC"),
        ('<t:StartTimeZone Id="UTC"/>', "Etc/UTC"),
        ('<t:StartTimeZone Id="W. Europe Standard Time"/>', "Europe/Berlin"),
        ("<t:StartTimeZoneId>Tokyo Standard Time</t:StartTimeZoneId>", "Asia/Tokyo"),
        ('<t:StartTimeZone Id="Europe/Vienna"/>', "Europe/Vienna"),
        ('<t:StartTimeZone Id=""/><t:StartTimeZoneId>GMT Standard Time</t:StartTimeZoneId>', "Europe/London"),
        ('<t:MeetingTimeZone TimeZoneName="Tokyo Standard Time"/>', "Asia/Tokyo"),
        ('<t:MeetingTimeZone TimeZoneName="(GMT+09:00) Tokyo"/>', "Etc/UTC"),
        ("<t:TimeZone>Pacific Standard Time</t:TimeZone>", "America/Los_Angeles"),
        ("<t:TimeZone>(UTC+01:00) Amsterdam</t:TimeZone>", "Etc/UTC"),
    ],
)
def test_the_zone_an_item_names(inner: str, name: str) -> None:
    assert zone_of(inner) == name


def test_the_end_has_the_zone_of_the_start_unless_it_says_otherwise() -> None:
    start = '<t:StartTimeZone Id="W. Europe Standard Time"/>'
    assert zone_of(start, "End") == "Europe/Berlin"
    assert zone_of(start + '<t:EndTimeZone Id="Tokyo Standard Time"/>', "End") == "Asia/Tokyo"
    assert zone_of('<t:EndTimeZone Id="Tokyo Standard Time"/>') == "Etc/UTC"


@pytest.mark.parametrize(
    "name",
    [
        "Atlantis Standard Time",
        "../../etc/passwd",
        "/etc/passwd",
        "tzone://Microsoft/Custom",
        "Europe",
        "zone.tab",
        "Europe/..",
        "x" * 3000,
    ],
)
def test_an_unknown_zone_is_refused_never_guessed(name: str) -> None:
    with pytest.raises(Rejected, match="unknown-time-zone"):
        zone_for(element(f'<t:StartTimeZone Id="{name}" Name="(UTC+01:00) x"/>'))


@pytest.mark.parametrize("name", ZONES)
def test_the_component_says_what_the_zone_does(name: str) -> None:
    """Read by another implementation, instant by instant, on both sides of every change."""
    zone = named_zone(name)
    assert zone is not None
    theirs = vtimezone(zone, FIRST, LAST).to_tz(lookup_tzid=False)
    at = datetime(FIRST, 1, 1, tzinfo=UTC)
    while at.year <= LAST:
        wall = at.astimezone(zone.info)
        if zone.instant(wall.replace(tzinfo=None)) == at:
            assert wall.replace(tzinfo=theirs).utcoffset() == wall.utcoffset(), wall
        at += timedelta(days=2, hours=5)


def test_a_rule_that_holds_is_written_once_and_goes_on() -> None:
    berlin = named_zone("Europe/Berlin")
    assert berlin is not None
    text = vtimezone(berlin, 2026, 2026).to_ical().decode()
    assert text.count("BEGIN:") == 3
    assert "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\n" in text
    assert "UNTIL" not in text


def test_a_rule_that_ended_has_an_end() -> None:
    moscow = named_zone("Europe/Moscow")
    assert moscow is not None
    text = vtimezone(moscow, 2000, 2020).to_ical().decode()
    assert "RRULE:FREQ=YEARLY;UNTIL=20101" in text
    assert text.count("BEGIN:STANDARD") == 3


def test_a_zone_that_never_changes_has_one_observance() -> None:
    tokyo = named_zone("Asia/Tokyo")
    assert tokyo is not None
    component = vtimezone(tokyo, 2026, 2036)
    (only,) = component.subcomponents
    assert only["DTSTART"].dt == datetime(2025, 1, 1)
    assert only["TZOFFSETTO"].td == timedelta(hours=9)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (2, 9999), (1850, 1890), (9990, 9999), (2030, 2020)])
def test_years_at_the_edge(first: int, last: int) -> None:
    berlin = named_zone("Europe/Berlin")
    assert berlin is not None
    component = vtimezone(berlin, first, min(last, first + 40))
    assert isinstance(component, Timezone)
    assert component.subcomponents


@given(st.sampled_from(ZONES), st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31)))
def test_an_instant_survives_the_clock_on_the_wall(name: str, instant: datetime) -> None:
    zone = named_zone(name)
    assert zone is not None
    exact = instant.replace(microsecond=0, tzinfo=UTC)
    wall = zone.local(exact)
    back = zone.instant(wall.replace(tzinfo=None, fold=0))
    assert back == exact or (wall.fold == 1 and timedelta(0) < exact - back <= timedelta(hours=2))


def test_a_skipped_hour_counts_by_the_offset_before() -> None:
    berlin = named_zone("Europe/Berlin")
    assert berlin is not None
    assert berlin.instant(datetime(2026, 3, 29, 2, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert berlin.instant(datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_times_beyond_the_calendar_are_refused() -> None:
    berlin = named_zone("Europe/Berlin")
    assert berlin is not None
    for call in (
        lambda: berlin.local(datetime(9999, 12, 31, 23, 30, tzinfo=UTC)),
        lambda: berlin.instant(datetime(1, 1, 1)),
    ):
        with pytest.raises(Rejected, match="date-out-of-range"):
            call()


def test_utc_needs_no_component() -> None:
    assert UTC_ZONE.utc
    assert named_zone("UTC") == UTC_ZONE == Zone("Etc/UTC", UTC)
    assert offset(UTC_ZONE.info, datetime(2026, 1, 1, tzinfo=UTC)) == timedelta(0)
