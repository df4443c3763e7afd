"""Real calendar items, as Exchange and another EWS server sent them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from event_native import context, native
from icalendar import Calendar
from lxml import etree
from recurring_ical_events import of
from samples import BASE, marks

from mappings.fields.ews_xml import SPACES
from mappings.registry import map_event
from model.errors import Rejected

ITEMS = f"{{{SPACES['m']}}}Items"

pytestmark = marks("ews-samples")


def records(name: str) -> Iterator[bytes]:
    """Each item of a response as a record of its own."""
    for holder in etree.parse(BASE / name).iter(ITEMS):
        for item in list(holder):
            whole = etree.Element(ITEMS)
            whole.append(item)
            yield etree.tostring(whole)


def recorded() -> dict[str, tuple[Calendar, set[str]]]:
    made = {}
    for raw in records("ews-recordings/013-GetItem-response-200.xml"):
        found = map_event(native(raw), context(("alice@gx.test",)))
        calendar = Calendar.from_ical(found.item.body().read())
        made[str(found.item.uid)] = (calendar, {loss.reason for loss in found.losses})
    return made


def test_the_recorded_events_say_what_was_put_in() -> None:
    found = recorded()
    assert {uid.partition("@")[0] for uid in found} == {
        *("ev-allday", "ev-daily", "ev-monthlynth", "ev-single", "ev-utc", "ev-weekly", "ev-yearly")
    }
    for uid, (calendar, lost) in found.items():
        (event,) = calendar.walk("VEVENT")
        assert event["SUMMARY"].startswith("Event ")
        assert event["SUMMARY"].endswith(" ü")
        assert event["CATEGORIES"].cats == ["Red", "Work"]
        assert "ORGANIZER" not in event, uid
        assert lost <= {"colour-not-kept", "not-in-series"}


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("ev-daily@gx.test", ["06-01 09:00", "06-02 09:00", "06-04 09:00"]),
        ("ev-monthlynth@gx.test", ["06-11 16:00", "07-09 16:00", "08-13 16:00"]),
        ("ev-weekly@gx.test", ["06-05 14:00", "06-07 14:00", "06-12 14:00"]),
        ("ev-allday@gx.test", ["06-13 00:00"]),
        ("ev-yearly@gx.test", ["02-28 00:00"]),
    ],
)
def test_the_recorded_series_take_place(uid: str, expected: list[str]) -> None:
    calendar, _ = recorded()[uid]
    found = of(calendar).between(datetime(2024, 1, 1), datetime(2025, 1, 1))
    assert sorted(f"{one['DTSTART'].dt:%m-%d %H:%M}" for one in found)[:3] == expected


def test_microsofts_own_examples() -> None:
    names = sorted(BASE.glob("ews-samples/GetItemResponse--*calendar-item*.xml"))
    assert len(names) == 3
    codes = []
    for name in names:
        for raw in records(str(name.relative_to(BASE))):
            try:
                found = map_event(native(raw), context())
            except Rejected as error:
                codes.append(error.code)  # one shows an item by its id alone
            else:
                assert b"DTSTART" in found.item.body().read()
                assert found.losses == ()
    assert codes == ["start-missing"]


def test_an_old_exchange_names_its_zone_in_words() -> None:
    raw = next(records("ews-samples/GetItemResponse--response--getitem-operation-calendar-item--4.xml"))
    (event,) = Calendar.from_ical(map_event(native(raw), context()).item.body().read()).walk("VEVENT")
    assert f"{event['DTSTART'].dt:%Y-%m-%d %H:%M %Z}" == "2006-06-15 17:30 PDT"
    assert event["SEQUENCE"] == 0
