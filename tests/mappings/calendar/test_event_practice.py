"""Every odd event of the practice Exchange, read by the source in both dialects and mapped: it takes place
when the server says, and nothing is lost but what is named here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
import vobject
from event_native import NOT_AFTER, context
from icalendar import Calendar, Component
from recurring_ical_events import of

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from mappings.calendar.event import map_event, skip_event
from mappings.compare.semantic_digest import calendar_differing
from model.protocols import Mapped, Native, Role
from practice.calendar.appointments import Event, occurrences
from practice.calendar.events import ODDITIES
from practice.exchange.server import ExchangeServer
from practice.world.desk import Desk
from practice.world.world import World

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
    world = World(seed=7, people=5, items=0, large=())
    address = world.addresses()[0]
    mailbox = world.mailbox(address)
    events = {name: make(Desk(7, 0, f"event/{name}")) for name, make in ODDITIES.items()}
    items = {mailbox.put(mailbox.distinguished("calendar"), event).id: name for name, event in events.items()}
    with pytest.MonkeyPatch.context() as patch, ExchangeServer(world, dialect=request.param) as server:
        source = open_source(server, world, address, patch, tmp_path_factory.mktemp("spool"))
        box = next(one for one in source.containers() if one.role is Role.CALENDAR)
        refs = [ref for page in source.changes(box, None) for ref in page.refs]
        natives = [one for one in source.fetch(box, refs) if isinstance(one, Native)]
        named = {items[one.ref.id]: one for one in natives}
        assert named.keys() == ODDITIES.keys()
        yield {name: (events[name], mapped(one)) for name, one in named.items() if skip_event(one) is None}
        source.close()


def open_source(
    server: ExchangeServer, world: World, address: str, patch: pytest.MonkeyPatch, spool: Path
) -> EwsSource:
    user = next(iter(world.service_accounts))
    patch.setenv("EWS_PASSWORD", world.service_accounts[user].password)
    settings = EwsSettings(url=server.url, username=user, password=Secret(env="EWS_PASSWORD"))
    return EwsSource(settings, Account(login=address, address=address), spool)


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
    return inner(begin for begin, _ in occurrences(event, FROM, TO))


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
