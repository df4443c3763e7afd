"""Zones that a record describes itself, against the practice Exchange's own arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from event_native import element, inside
from hypothesis import given
from hypothesis import strategies as st

from mappings.time.custom_zones import described, duration, meeting_zone, rule_zone
from mappings.time.vtimezone import vtimezone
from mappings.time.zones import zone_for
from model.errors import Rejected
from practice.calendar.timezones import CUSTOM, ISLAND, REFORMED, ZONES, Rules, Switch, Zone

SOUTH = Zone(CUSTOM, "Süd", ((1, Rules(-180, -120, Switch(10, 0, nth=1), Switch(2, 1440, day=28))),))
YEARLY = Zone(CUSTOM, "Ein Samstag", ((1, Rules(45, 105, Switch(2, 90, weekday=5, nth=3), Switch(11, 0))),))
PERIOD = '<t:Periods><t:Period Bias="-PT1H" Name="Standard" Id="s"/></t:Periods>'
PLAIN = '<t:Transition><t:To Kind="Period">s</t:To></t:Transition>'
GROUP = f'<t:TransitionsGroups><t:TransitionsGroup Id="0">{PLAIN}</t:TransitionsGroup></t:TransitionsGroups>'
ALWAYS = '<t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions>'


def xml(zone: Zone) -> str:
    return f'<t:StartTimeZone Id="{CUSTOM}" Name="x">{zone.definition()}</t:StartTimeZone>'


@pytest.mark.parametrize(
    "zone", [ISLAND, REFORMED, SOUTH, ZONES["AUS Eastern Standard Time"]], ids=lambda zone: zone.name
)
def test_a_described_zone_tells_the_servers_times(zone: Zone) -> None:
    own = zone_for(element(xml(zone)))
    at = datetime(2020, 1, 1, 0, 15)
    while at.year < 2030:
        assert own.instant(at) == zone.utc(at), at
        at += timedelta(hours=31)


@pytest.mark.parametrize("zone", [YEARLY, *ZONES.values()], ids=lambda zone: zone.name)
def test_so_does_one_described_as_exchange_2007_did(zone: Zone) -> None:
    own = zone_for(element(zone.meeting()))
    anonymous = meeting_zone(inside(zone.meeting(), "t:MeetingTimeZone"))
    assert anonymous is not None
    at = datetime(2020, 1, 1, 0, 15)
    while at.year < 2024:
        told = at.replace(tzinfo=rule_zone(anonymous)).astimezone(UTC)
        assert own.instant(at) == told == zone.utc(at), at
        at += timedelta(hours=31)


@pytest.mark.parametrize("zone", [ISLAND, REFORMED, SOUTH], ids=lambda zone: zone.name)
def test_its_component_says_the_same(zone: Zone) -> None:
    own = zone_for(element(xml(zone)))
    theirs = vtimezone(own, 2020, 2030).to_tz(lookup_tzid=False)
    at = datetime(2020, 1, 1, 0, 15, tzinfo=UTC)
    while at.year <= 2030:
        wall = own.local(at)
        if own.instant(wall.replace(tzinfo=None, fold=0)) == at:
            assert wall.replace(tzinfo=theirs).utcoffset() == wall.utcoffset(), wall
        at += timedelta(hours=31)


@given(st.sampled_from([ISLAND, REFORMED, SOUTH]), st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)))
def test_own_zones_tell_times_both_ways(zone: Zone, instant: datetime) -> None:
    own = zone_for(element(xml(zone)))
    exact = instant.replace(microsecond=0, tzinfo=UTC)
    wall = own.local(exact)
    assert wall.astimezone(UTC) == exact
    back = own.instant(wall.replace(tzinfo=None, fold=0))
    assert back == exact or (wall.fold == 1 and exact - back == timedelta(hours=1))


def test_the_same_rules_are_the_same_zone_under_any_name() -> None:
    one = zone_for(element(xml(ISLAND)))
    other = zone_for(element(xml(ISLAND).replace('Name="x"', 'Name="y"')))
    assert one == other
    assert one.id != zone_for(element(xml(SOUTH))).id
    assert one.info.tzname(None) == "Standard"
    assert one.info.dst(datetime(2026, 7, 1)) == timedelta(hours=1)


def test_a_known_id_counts_more_than_the_rules_beside_it() -> None:
    beside = xml(ISLAND).replace(CUSTOM, "W. Europe Standard Time")
    assert zone_for(element(beside)).id == "Europe/Berlin"


@pytest.mark.parametrize(
    "inner",
    [
        "",
        PERIOD,
        PERIOD + GROUP,
        PERIOD + ALWAYS,
        PERIOD + GROUP + "<t:Transitions/>",
        PERIOD + GROUP + ALWAYS.replace(">0<", ">1<"),
        PERIOD + GROUP.replace(">s<", ">d<") + ALWAYS,
        PERIOD.replace("-PT1H", "one hour") + GROUP + ALWAYS,
        PERIOD.replace("-PT1H", "-PT24H") + GROUP + ALWAYS,
        PERIOD + GROUP.replace("t:Transition>", "t:OddTransition>") + ALWAYS,
        PERIOD + GROUP + ALWAYS.replace("t:Transition>", "t:OddTransition>"),
        PERIOD + GROUP.replace(PLAIN, "") + ALWAYS,
    ],
)
def test_a_description_not_understood_is_refused(inner: str) -> None:
    whole = f'<t:StartTimeZone Id="{CUSTOM}">{inner}</t:StartTimeZone>'
    assert described(inside(whole, "t:StartTimeZone")) is None
    with pytest.raises(Rejected, match="unknown-time-zone"):
        zone_for(element(whole))


@pytest.mark.parametrize("to", ['<t:To Kind="Group">0</t:To>', '<t:To Kind="Period">s</t:To>'])
def test_a_period_may_be_named_with_or_without_its_group(to: str) -> None:
    inner = PERIOD + GROUP + f"<t:Transitions><t:Transition>{to}</t:Transition></t:Transitions>"
    own = zone_for(element(f'<t:StartTimeZone Id="{CUSTOM}">{inner}</t:StartTimeZone>'))
    assert own.instant(datetime(2026, 7, 1, 12)) == datetime(2026, 7, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        ("Month>", "Mond>"),
        ("DayOfWeekIndex>", "Index>"),
        ("02:00:00", "two"),
        ("<t:BaseOffset>-PT60M", "<t:BaseOffset>soon"),
        ("<t:Offset>PT0S", "<t:Offset>none"),
        ("t:Daylight>", "t:Summer>"),
    ],
)
def test_an_old_description_not_understood_says_nothing(change: tuple[str, str]) -> None:
    broken = ZONES["Romance Standard Time"].meeting().replace("03:00:00", "02:00:00").replace(*change)
    assert meeting_zone(inside(broken, "t:MeetingTimeZone")) is None


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("PT60M", 60), ("-PT1H30M", -90), ("P1D", 1440), ("PT120.5S", 2), ("P0DT2H0M0.0S", 120), ("PT0S", 0)],
)
def test_durations(written: str, minutes: int) -> None:
    assert duration(written) == timedelta(minutes=minutes)


@pytest.mark.parametrize("written", ["", "P", "PT", "1H", "PT1X", "P1M", "--PT1H"])
def test_no_durations(written: str) -> None:
    assert duration(written) is None
