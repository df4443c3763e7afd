"""Where only IANA zones count, an event takes place when it did, whoever wrote its rule; or it is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from event_native import NOT_AFTER, context, element

from mappings.compare.semantic_digest import calendar_meaning
from mappings.fit.event import EventRead, fit_event
from mappings.fit.shared_series import Occurrence
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Moments, Rule, Text, Word
from mappings.time.zones import Zone, named_zone, zone_for
from model.errors import Rejected
from model.event_habits import EventHabits
from model.kinds import Kind
from model.protocols import Capabilities, Mapped
from practice.calendar.timezones import CUSTOM, ISLAND, REFORMED, Rules
from practice.calendar.timezones import Zone as Described

WHOLE = Capabilities(frozenset({Kind.CALENDAR}))
IANA = Capabilities(frozenset({Kind.CALENDAR}), event_habits=EventHabits(own_zones=False))
TIMES = ("start", "duration", "occurrences", "exceptions")
STILL = Described(CUSTOM, "20 Minuten vor UTC", ((1, Rules(20)),))
ZONES = {"island": ISLAND, "reformed": REFORMED, "still": STILL}
MONDAY = datetime(2026, 6, 1, 0, 10)


def zone_of(described: Described) -> Zone:
    return zone_for(element(f'<t:StartTimeZone Id="{CUSTOM}">{described.definition()}</t:StartTimeZone>'))


OWN, BERLIN = zone_of(ISLAND), named_zone("Europe/Berlin")
assert BERLIN is not None


def component(zone: Zone, start: datetime = MONDAY, **others: str) -> Component:
    event = Component("VEVENT")
    event.add("UID", Text("u"))
    event.add("DTSTAMP", Moment(datetime(2026, 1, 1, tzinfo=UTC)))
    event.add("DTSTART", zone.stated(start))
    event.add("DTEND", zone.stated(start.replace(hour=start.hour + 1)))
    for name, value in others.items():
        event.add(name, Rule(value) if name == "RRULE" else Word(value))
    return event


def fitted(target: Capabilities, event: Component, *changed: Component, zone: Zone = OWN) -> Mapped:
    zones = {each.id: each for each in (zone, OWN, BERLIN)}
    occurrences = tuple(Occurrence(one, moved=False) for one in changed)
    return fit_event(EventRead(b"k", event, occurrences, zones, True, ()), context(target=target))


def times(made: Mapped) -> dict[str, object]:
    with made.item.body() as stream:
        fields = calendar_meaning(stream, NOT_AFTER).fields
    return {name: fields[name] for name in TIMES}


def written(made: Mapped) -> str:
    return made.item.body().read().decode()


def changed_series(zone: Zone, rule: str) -> tuple[Component, ...]:
    """A series with an occurrence deleted, one added and one moved, the dates in three zones."""
    event = component(zone, RRULE=rule)
    event.add("EXDATE", Moment(datetime(2026, 6, 8, 0, 10).replace(tzinfo=zone.info).astimezone(UTC)))
    event.add("RDATE", Moments((datetime(2026, 6, 10, 12),), {"TZID": "Europe/Berlin"}))
    one = component(zone, datetime(2026, 6, 16, 9))
    one.add("RECURRENCE-ID", zone.stated(datetime(2026, 6, 15, 0, 10)))
    return event, one


@pytest.mark.parametrize("described", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;COUNT=30",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=30",
        "FREQ=WEEKLY;BYDAY=MO,SU;WKST=SU;INTERVAL=2;UNTIL=20271231T000000Z",
        "freq=daily;until=20261231",
        "FREQ=DAILY;UNTIL=20261120T001000",
        "FREQ=DAILY;BYDAY=MO,TU;COUNT=40",
        "FREQ=DAILY;BYHOUR=0,5;COUNT=40",
        "FREQ=WEEKLY;BYDAY=1MO,TU;COUNT=9",
        "FREQ=MONTHLY;BYMONTHDAY=1;COUNT=12",
        "FREQ=YEARLY;BYMONTH=6;BYDAY=1MO;COUNT=12",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-1;COUNT=12",
    ],
)
def test_a_series_takes_place_when_it_did(described: Described, rule: str) -> None:
    zone = zone_of(described)
    before = times(fitted(WHOLE, *changed_series(zone, rule), zone=zone))
    made = fitted(IANA, *changed_series(zone, rule), zone=zone)
    assert times(made) == before
    assert "TZID=Kogge" not in written(made)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY",
        "FREQ=SECONDLY;UNTIL=99991231T235959Z",
        "FREQ=DAILY;COUNT=1001",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2",
        "FREQ=DAILY;BYSOON=1;COUNT=2",
    ],
)
def test_what_cannot_be_written_out_is_refused(rule: str) -> None:
    with pytest.raises(Rejected, match="unknown-time-zone"):
        fitted(IANA, component(OWN, RRULE=rule))


@pytest.mark.parametrize("at", [datetime(9999, 12, 31, 23, 59), datetime(1, 1, 1)])
@pytest.mark.parametrize("described", ZONES.values(), ids=ZONES)
def test_a_date_at_the_end_of_the_calendar_is_written_or_refused(described: Described, at: datetime) -> None:
    zone = zone_of(described)
    for name in ("DTSTART", "EXDATE", "RDATE"):
        for rule in ("FREQ=DAILY;COUNT=2", "FREQ=WEEKLY;UNTIL=20261231"):
            event = component(zone, RRULE=rule)
            event.set(name, zone.stated(at))
            if name == "DTSTART":
                event.remove("DTEND")
            with suppress(Rejected):
                assert "TZID=Kogge" not in written(fitted(IANA, event, zone=zone))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("RRULE", {}), ("EXRULE", {}), ("RDATE", {"TZID": OWN.id, "VALUE": "PERIOD"})],
)
def test_what_is_not_followed_is_refused(name: str, parameters: dict[str, str]) -> None:
    event = component(OWN, RRULE="FREQ=DAILY;COUNT=3")
    event.add(name, Word("FREQ=DAILY;COUNT=2", parameters))
    with pytest.raises(Rejected, match="unknown-time-zone"):
        fitted(IANA, event)


def test_a_rule_that_is_none_is_refused() -> None:
    for target in (WHOLE, IANA):
        with pytest.raises(Rejected, match="unknown-recurrence"):
            fitted(target, component(OWN, RRULE="FREQ=DAILY;INTERVAL=0"))


def test_what_takes_place_once_is_in_utc_with_all_its_dates() -> None:
    def event() -> Component:
        made = component(OWN)
        made.add("RDATE", Moments((datetime(2026, 6, 9, 12), datetime(2026, 12, 9, 12)), {"TZID": OWN.id}))
        return made

    assert times(fitted(IANA, event())) == times(fitted(WHOLE, event()))
    assert "TZID" not in written(fitted(IANA, event()))


def test_days_and_times_that_float_stay() -> None:
    event = component(OWN)
    event.set("DTSTART", Moment(datetime(2026, 6, 1, 9)))
    event.set("DTEND", Moment(datetime(2026, 6, 1, 10)))
    event.add("RDATE", Moments((date(2026, 6, 3),)))
    event.add("RRULE", Rule("FREQ=DAILY"))
    before = event.written()
    made = fitted(IANA, event)
    assert event.written() == before
    assert "VTIMEZONE" not in written(made)


def test_an_end_in_another_zone_of_the_source_stands_in_the_zone_of_the_series() -> None:
    def event() -> Component:
        made = component(BERLIN, datetime(2026, 6, 1, 9), RRULE="FREQ=DAILY")
        made.set("DTEND", OWN.stated(datetime(2026, 6, 1, 10)))
        return made

    assert times(fitted(IANA, event())) == times(fitted(WHOLE, event()))
    assert "DTEND;TZID=Europe/Berlin:" in written(fitted(IANA, event()))


def test_an_endless_rule_of_any_start_is_described_for_some_years() -> None:
    for year in (1601, 2026, 2500, 9998):
        made = fitted(WHOLE, component(BERLIN, datetime(year, 6, 1, 9), RRULE="FREQ=DAILY"))
        assert "BEGIN:VTIMEZONE" in written(made)
