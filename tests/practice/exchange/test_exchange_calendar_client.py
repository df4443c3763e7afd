"""exchangelib reads the practice calendars, contacts, tasks and notes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from exchangelib import BASIC, IMPERSONATION, Account, Configuration, Credentials, EWSDateTime, EWSTimeZone
from exchangelib.items import CalendarItem, Contact, DistributionList, Message, Task
from exchangelib.properties import ItemId
from exchangelib.protocol import CachingProtocol
from exchangelib.recurrence import AbsoluteMonthlyPattern, NoEndPattern, WeeklyPattern
from made_events import occurrences
from practice_fixtures import exchange_fixture, mailbox_fixture, world_fixture

from practice.calendar.appointments import Event
from practice.calendar.events import ODDITIES
from practice.exchange.server import ExchangeServer
from practice.world.desk import Desk
from practice.world.world import Mailbox, World

ZULU = EWSTimeZone("UTC")
KEPT = 2008
"""Since then the zone database and Exchange agree on the zones here; Exchange's rules hold for all years."""


world = world_fixture(seed=6, people=5, items=3, pim=50)
server = exchange_fixture()


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    yield
    CachingProtocol.clear_cache()


def opened(server: ExchangeServer, mailbox: Mailbox) -> Account:
    account = next(iter(server.world.service_accounts.values()))
    config = Configuration(
        service_endpoint=server.url,
        credentials=Credentials(account.address, account.password),
        auth_type=BASIC,
    )
    return Account(mailbox.address, config=config, access_type=IMPERSONATION, autodiscover=False)


@pytest.fixture(params=range(5))
def mailbox(world: World, request: pytest.FixtureRequest) -> Mailbox:
    return world.mailbox(world.addresses()[request.param])


first = mailbox_fixture(0)


def events(mailbox: Mailbox) -> dict[str, Event]:
    """By item id; of the classes a client takes for an appointment. This one fails over a zone of its own
    rules, and knows MeetingTimeZone no more."""
    return {
        item.id: item.record
        for item in mailbox.distinguished("calendar").items
        if isinstance(item.record, Event)
        and item.record.item_class.startswith("IPM.Appointment")
        and item.record.zone.known
        and not item.record.old_zone
    }


def test_every_item_of_the_calendar(server: ExchangeServer, mailbox: Mailbox) -> None:
    expected = events(mailbox)
    wanted = [ItemId(id=id_) for id_ in expected]
    found = {item.id: item for item in opened(server, mailbox).fetch(wanted)}
    assert found.keys() == expected.keys()
    for id_, event in expected.items():
        item = found[id_]
        assert item.uid == (event.uid or None)
        assert item.type == event.part
        if not event.all_day:
            assert (item.start, item.end) == (event.begins, event.finishes)
        elif event.start.year >= KEPT:  # it counts the end's day from UTC, wrongly where clocks change
            assert item.start == event.start.date()
        assert len(item.required_attendees or ()) == len(event.required)
        assert item.is_cancelled == event.cancelled
        assert item.sensitivity == event.base.sensitivity
        assert len(item.attachments) == len(event.base.attachments)
        assert (item.recurrence is None) == (event.recurrence is None)
        assert len(item.modified_occurrences or ()) == len(event.changed)


def test_a_view_is_expanded(server: ExchangeServer, mailbox: Mailbox) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    calendar = opened(server, mailbox).calendar
    found = calendar.view(start=_ews(start), end=_ews(end)).only("uid", "type")
    expected = [
        window
        for item in mailbox.distinguished("calendar").items
        if isinstance(item.record, Event) and item.record.item_class.startswith("IPM.Appointment")
        for window in occurrences(item.record, start, end)
    ]
    assert len([item for item in found if isinstance(item, CalendarItem)]) == len(expected)


def _ews(moment: datetime) -> EWSDateTime:
    return EWSDateTime.from_datetime(moment).astimezone(ZULU)


def test_recurrences_and_exceptions(server: ExchangeServer, first: Mailbox) -> None:
    calendar = first.distinguished("calendar")
    monthly, weekly = (
        first.put(calendar, ODDITIES[name](Desk(6, 0, f"client/{name}")))
        for name in ("series_monthly_31", "series_exceptions")
    )
    account = opened(server, first)
    item = account.calendar.get(id=monthly.id)
    assert item.recurrence.pattern == AbsoluteMonthlyPattern(interval=1, day_of_month=31)
    assert isinstance(item.recurrence.boundary, NoEndPattern)
    assert item.recurrence.boundary.start == date(2025, 1, 31)
    item = account.calendar.get(id=weekly.id)
    assert isinstance(item.recurrence.pattern, WeeklyPattern)
    moved = item.modified_occurrences[0]
    assert moved.original_start == datetime(2026, 1, 12, 8, tzinfo=UTC)
    assert moved.start == datetime(2026, 1, 12, 11, tzinfo=UTC)
    exception = account.calendar.get(id=moved.id)
    assert (exception.type, exception.start, exception.uid) == ("Exception", moved.start, item.uid)
    assert len(item.deleted_occurrences) == 3
    fourth = item.occurrence(4)
    fourth.refresh()
    assert fourth.start == datetime(2026, 1, 26, 8, tzinfo=UTC)
    master = exception.recurring_master()
    master.refresh()
    assert master.id == weekly.id


def test_attachments_are_read(server: ExchangeServer, first: Mailbox) -> None:
    calendar = first.distinguished("calendar")
    item = first.put(calendar, ODDITIES["picture_and_file"](Desk(6, 0, "client/files")))
    found = opened(server, first).calendar.get(id=item.id)
    assert [each.content for each in found.attachments] == [each.content for each in item.attachments]
    assert found.attachments[0].is_inline
    assert "<ul>" in found.body
    assert "Tagesordnung" in found.text_body


def test_the_other_kinds(server: ExchangeServer, mailbox: Mailbox) -> None:
    account = opened(server, mailbox)
    kinds = {
        "contacts": (Contact, DistributionList),
        "tasks": (Task,),
        "notes": (Message,),
        "journal": (Message,),
    }
    for role, classes in kinds.items():
        folder = mailbox.distinguished(role)
        found = list(getattr(account, role).all())
        assert {item.id for item in found} == {item.id for item in folder.items}
        assert all(isinstance(item, classes) for item in found)
