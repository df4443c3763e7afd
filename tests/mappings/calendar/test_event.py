"""Events: golden records, and what holds for every object that is made."""

from __future__ import annotations

import io
from datetime import datetime

import pytest
import vobject
from event_goldens import FOLDER, cases, losses, mapped, told
from event_native import BERLIN, NOT_AFTER, context, event_xml, native
from icalendar import Calendar
from radicale.item import check_and_sanitize_items
from recurring_ical_events import of

from mappings.compare.semantic_digest import calendar_differing, calendar_digest
from mappings.losses.catalogue import LOSSES
from mappings.registry import map_event
from model.kinds import Kind
from model.protocols import key_of


@pytest.mark.parametrize("name", cases())
def test_golden(name: str) -> None:
    found = mapped(name)
    assert found.item.body().read().decode() == (FOLDER / name / "event.ics").read_bytes().decode()
    assert losses(found) == told(name)["losses"]
    assert all((loss.field, loss.reason) in LOSSES for loss in found.losses)


@pytest.mark.parametrize("name", cases())
def test_every_object_is_what_servers_take(name: str) -> None:
    raw = mapped(name).item.body().read()
    lines = raw.split(b"\r\n")
    assert lines[-1] == b""
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) <= 75
    calendar = Calendar.from_ical(raw)
    events = calendar.walk("VEVENT")
    assert len({str(event["UID"]) for event in events}) == 1
    assert all("DTSTAMP" in event and "DTSTART" in event for event in events)
    assert "METHOD" not in calendar
    assert sum("RECURRENCE-ID" not in event for event in events) == 1
    assert named_zones(calendar) <= {str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")}
    assert b"ACTION:EMAIL" not in raw


def named_zones(calendar: Calendar) -> set[str]:
    values = [value for event in calendar.walk("VEVENT") for _, value in event.property_items()]
    return {str(value.params["TZID"]) for value in values if "TZID" in getattr(value, "params", {})}


@pytest.mark.parametrize("name", cases())
def test_other_readers_find_the_same(name: str) -> None:
    """vobject is what Radicale reads with."""
    raw = mapped(name).item.body().read()
    again = vobject.readOne(raw.decode())
    check_and_sanitize_items([again], 0, tag="VCALENDAR")
    stored = again.serialize().encode()
    assert calendar_differing(io.BytesIO(stored), io.BytesIO(raw), NOT_AFTER) == ()
    assert calendar_digest(io.BytesIO(stored), NOT_AFTER) == mapped(name).item.digest
    assert len(again.vevent_list) == len(Calendar.from_ical(raw).walk("VEVENT"))


@pytest.mark.parametrize("name", cases())
def test_the_same_record_gives_the_same_bytes(name: str) -> None:
    one, other = mapped(name).item, mapped(name).item
    assert one.body().read() == other.body().read()
    assert one.digest == other.digest


def test_the_item_says_what_it_is() -> None:
    item = mapped("meeting-called").item
    raw = item.body().read()
    assert (item.kind, item.key, item.uid) == (Kind.CALENDAR, key_of("id-1"), "meeting-1@kogge.example")
    assert (item.size, item.flags) == (len(raw), frozenset())
    assert item.digest == calendar_digest(item.body(), NOT_AFTER)
    assert item.body().read() == raw


def test_a_later_run_does_not_move_what_was_acknowledged() -> None:
    reminder = "<t:ReminderIsSet>true</t:ReminderIsSet>"
    record = native(event_xml(BERLIN + reminder))
    first = map_event(record, context()).item.body().read()
    assert first == map_event(record, context()).item.body().read()
    assert b"ACKNOWLEDGED:20261125T120000Z" in first


def test_the_modified_and_deleted_occurrences_of_the_golden_series() -> None:
    calendar = Calendar.from_ical(mapped("series-with-exceptions").item.body().read())
    found = of(calendar).between(datetime(2026, 9, 1), datetime(2027, 1, 15))
    assert sorted(f"{event['DTSTART'].dt:%y-%m-%d %H:%M}" for event in found) == [
        "26-09-28 09:30", "26-10-12 09:30", "26-10-15 09:30", "26-10-29 09:30", "26-11-09 09:30",
        "26-11-13 13:00", "26-11-23 09:30", "26-11-26 09:30", "26-12-07 09:30", "26-12-10 10:00",
        "26-12-21 09:30", "26-12-24 09:30", "27-01-04 09:30", "27-01-07 11:30",
    ]  # fmt: skip
