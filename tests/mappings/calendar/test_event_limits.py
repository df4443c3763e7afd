"""What is left of every odd event of the practice Exchange at a server that holds no iCalendar objects."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from event_native import NOT_AFTER, context

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from mappings.calendar.event import skip_event
from mappings.compare.semantic_digest import calendar_meaning
from mappings.fit.exo_limits import within
from mappings.registry import map_event
from model.errors import Rejected
from model.event_limits import EventLimits
from model.protocols import Mapped, Native, Role
from practice.calendar.events import ODDITIES
from practice.exchange.server import ExchangeServer
from practice.world.desk import Desk
from practice.world.world import World

LIMITS = EventLimits(zone="Europe/Berlin", title=100, place=100, text=1000, link=500)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Mapped]]:
    world = World(seed=7, people=5, items=0, large=())
    address = world.addresses()[0]
    mailbox = world.mailbox(address)
    events = {name: make(Desk(7, 0, f"event/{name}")) for name, make in ODDITIES.items()}
    items = {mailbox.put(mailbox.distinguished("calendar"), event).id: name for name, event in events.items()}
    with pytest.MonkeyPatch.context() as patch, ExchangeServer(world) as server:
        user = next(iter(world.service_accounts))
        patch.setenv("EWS_PASSWORD", world.service_accounts[user].password)
        settings = EwsSettings(url=server.url, username=user, password=Secret(env="EWS_PASSWORD"))
        source = EwsSource(
            settings, Account(login=address, address=address), tmp_path_factory.mktemp("spool")
        )
        box = next(one for one in source.containers() if one.role is Role.CALENDAR)
        refs = [ref for page in source.changes(box, None) for ref in page.refs]
        natives = [one for one in source.fetch(box, refs) if isinstance(one, Native)]
        yield {
            items[one.ref.id]: map_event(one, context(("owner@practice.example",)))
            for one in natives
            if skip_event(one) is None
        }
        source.close()


REFUSED = {
    "series_custom_zone",
    "series_fortnightly_from_sunday",
    "series_new_york",
    "series_reformed_zone",
    "series_sydney",
    "series_third_week_from_saturday",
    "series_tokyo",
    "series_utc",
}
"""Another zone's clock; or weeks that do not begin on Monday, where that makes a difference."""

NAMED = {
    "text": ("text",),
    "formatted-text": ("text",),
    "place": ("location",),
    "state": ("state",),
    "busy": ("show-as", "state"),
    "privacy": ("sensitivity",),
    "priority": ("priority",),
    "title": ("title",),
    "categories": ("categories",),
    "organizer": ("attendee",),
    "attendees": ("attendee",),
    "answers": ("attendee",),
    "reminders": ("reminder",),
    "attachments": ("attachment",),
    "other": ("other",),
    "occurrences": ("series",),
}
"""By what a loss is called."""

KEPT = ("title", "start", "duration", "exceptions")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_repeated_is_rejected(found: dict[str, Mapped], name: str) -> None:
    with pytest.raises(Rejected, match="recurrence-not-kept"):
        within(found[name], LIMITS, NOT_AFTER)


def test_an_occurrence_without_its_series_is_rejected(found: dict[str, Mapped]) -> None:
    with found["series_last_day"].item.body() as stream:
        body = re.sub(rb"\r\nRRULE:[^\r]*", b"\r\nRECURRENCE-ID:20260602T070000Z", stream.read())
    item = replace(found["series_last_day"].item, body=lambda: io.BytesIO(body))
    with pytest.raises(Rejected, match="recurrence-not-kept"):
        within(replace(found["series_last_day"], item=item), LIMITS, NOT_AFTER)


def test_what_is_left_says_the_same_of_when_and_what(found: dict[str, Mapped]) -> None:
    for name, mapped in found.items():
        if name in REFUSED or name == "long_subject":
            continue
        whole, left = meaning(mapped), meaning(within(mapped, LIMITS, NOT_AFTER))
        assert {field: whole[field] for field in KEPT} == {field: left[field] for field in KEPT}, name


def test_every_field_that_differs_is_a_loss(found: dict[str, Mapped]) -> None:
    """But for the identifier, which no server of this kind keeps, and that a series rang before."""
    for name in found.keys() - REFUSED:
        reduced = within(found[name], LIMITS, NOT_AFTER)
        whole, left = meaning(found[name]), meaning(reduced)
        lost = {loss.field for loss in reduced.losses}
        for field in whole.keys() - {"uid"}:
            assert whole[field] == left[field] or set(NAMED[field]) & lost, (name, field)


def test_a_series_without_end_ends_ten_years_after_the_migration(found: dict[str, Mapped]) -> None:
    reduced = within(found["series_last_day"], LIMITS, NOT_AFTER)
    assert ("series", "end-added") in {(loss.field, loss.reason) for loss in reduced.losses}
    with reduced.item.body() as stream:
        text = stream.read().decode()
    assert "COUNT=" in text
    assert "UNTIL=" not in text


def test_what_was_reduced_is_reduced_no_further(found: dict[str, Mapped]) -> None:
    for name in found.keys() - REFUSED:
        once = within(found[name], LIMITS, NOT_AFTER)
        again = within(once, LIMITS, NOT_AFTER)
        assert (again.item.digest, again.losses) == (once.item.digest, once.losses), name


def meaning(mapped: Mapped) -> dict[str, object]:
    with mapped.item.body() as stream:
        heard = re.sub(rb"ACKNOWLEDGED:[^\r]*\r\n", b"", stream.read())
        return dict(calendar_meaning(io.BytesIO(heard), NOT_AFTER).fields)
