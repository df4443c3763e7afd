"""Every odd event of the practice Exchange, read by the source in both dialects and mapped: it takes place
when the server says, and nothing is lost but what is named here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
import vobject
from event_native import NOT_AFTER, context
from icalendar import Calendar, Component
from odd_events import begins, odd_events
from recurring_ical_events import of

from mappings.calendar.event import skip_event
from mappings.compare.semantic_digest import calendar_differing
from mappings.registry import map_event
from model.protocols import Mapped, Native
from practice.calendar.appointments import Event
from practice.calendar.events import ODDITIES

FROM, TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
EDGE = timedelta(days=3)
LOSSES = {
    "busy_oof": {"outlook-only"},
    "busy_workingelsewhere": {"outlook-only"},
    "categories": {"colour-not-kept"},
    "control_characters": {"control-characters"},
    "inline_picture": {"not-in-text"},
    "meeting_legacy": {"not-in-directory", "no-address"},
    "meeting_legacy_organizer": {"not-in-directory"},
    "meeting_odd_names": {"twice"},
    "personal": {"shown-as-private"},
    "picture_and_file": {"not-in-text"},
    "series_night_shift": {"clock-change"},
    "series_other_attendees": {"outlook-only"},
    "series_private": {"colour-not-kept"},
    "series_spring_gap": {"clock-change"},
    "unreadable_attachment": {"not-readable"},
}
Found = dict[str, tuple[Event, Mapped]]


@pytest.fixture(scope="module", params=["exchange", "gromox"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    with odd_events(request.param, tmp_path_factory.mktemp("spool")) as events:
        yield {name: (event, mapped(one)) for name, (event, one) in events.items() if skip_event(one) is None}


def mapped(native: Native) -> Mapped:
    return map_event(native, context(("owner@practice.example",)))


def test_all_of_them_move_and_only_what_is_named_is_lost(found: Found) -> None:
    assert ODDITIES.keys() - found.keys() == {"unknown_class"}
    lost = {name: {loss.reason for loss in item.losses} for name, (_, item) in found.items()}
    # Whether the owner stands among those invited is the world's affair, not that of this test's owner.
    lost = {name: reasons - {"owner-added"} for name, reasons in lost.items()}
    assert {name: reasons for name, reasons in lost.items() if reasons} == LOSSES


def test_each_takes_place_when_the_server_says(found: Found) -> None:
    for name, (event, item) in found.items():
        assert expanded(event, item) == expected(event), name


def expected(event: Event) -> list[datetime]:
    return inner(iter(begins(event, FROM, TO)))


def expanded(event: Event, item: Mapped) -> list[datetime]:
    calendar = Calendar.from_ical(item.item.body().read())
    return inner(begin(one, event) for one in of(calendar).between(FROM, TO))


def begin(one: Component, event: Event) -> datetime:
    start: date = one["DTSTART"].dt
    if isinstance(start, datetime):
        return start.astimezone(UTC)
    return event.zone.utc(datetime.combine(start, time()))


def inner(found: Iterator[datetime]) -> list[datetime]:
    return sorted(one for one in found if FROM + EDGE < one < TO - EDGE)


def test_what_a_series_says_once_it_says_once(found: Found) -> None:
    for name, (event, item) in found.items():
        components = Calendar.from_ical(item.item.body().read()).walk("VEVENT")
        assert len(components) == 1 + len(event.changed), name
        assert sum("RRULE" in one for one in components) == (event.recurrence is not None), name
        excluded = [at for one in components for at in listed(one)]
        assert len(excluded) == len(event.deleted), name


def listed(component: Component) -> list[date]:
    values = component.get("EXDATE", [])
    return [at.dt for one in (values if isinstance(values, list) else [values]) for at in one.dts]


def test_a_server_that_reads_and_writes_them_anew_changes_no_meaning(found: Found) -> None:
    """vobject is what Radicale stores through."""
    for name, (_, item) in found.items():
        raw = item.item.body().read()
        stored = vobject.readOne(raw.decode()).serialize().encode()
        assert calendar_differing(io.BytesIO(stored), io.BytesIO(raw), NOT_AFTER) == (), name
