"""Everything that five neighbours have over Graph is what their records say, whatever is odd about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from graph_asking import GraphAsker, asking_graph
from practice_fixtures import graph_fixture, world_fixture

from practice.calendar.appointments import Event
from practice.calendar.timezones import ZONES
from practice.contacts.cards import Contact
from practice.graph.server import GraphServer
from practice.graph.wire import rest_id
from practice.tasks.chores import Chore
from practice.world.messages import Message
from practice.world.world import World

PEOPLE = 5
TEXT = 'outlook.body-content-type="text"'


world = world_fixture(seed=31, people=PEOPLE, items=60, nasty=True, large=(), pim=60)
graph = graph_fixture()


@pytest.fixture(params=range(PEOPLE))
def asker(graph: GraphServer, world: World, request: pytest.FixtureRequest) -> Iterator[GraphAsker]:
    with asking_graph(graph, world.addresses()[request.param]) as one:
        yield one


def items(asker: GraphAsker, start: str) -> dict[str, Message]:
    """Of the folders of a class, by immutable id."""
    mailbox = asker.server.world.mailbox(asker.user)
    folders = [one for one in mailbox.folders() if one.folder_class == start and one.kind == "normal"]
    return {rest_id(item.immutable_id): item for folder in folders for item in folder.items}


def moment(told: dict[str, str]) -> datetime:
    return ZONES[told["timeZone"]].utc(datetime.fromisoformat(told["dateTime"][:19]))


def test_events_say_what_their_records_say(asker: GraphAsker) -> None:
    wanted = items(asker, "IPF.Appointment")
    found = {
        row["id"]: row
        for calendar in asker.all("calendars")
        for row in asker.all(f"calendars/{calendar['id']}/events?$top=30", TEXT)
    }
    assert set(found) == set(wanted)
    for key, row in found.items():
        event = wanted[key].record
        assert isinstance(event, Event)
        assert (row["subject"], row["isCancelled"]) == (event.base.subject, event.cancelled)
        assert row["iCalUId"] == (event.uid or None)
        assert (row["recurrence"] is None) == (event.recurrence is None)
        assert row["location"]["displayName"] == event.location
        assert row["isReminderOn"] == (event.base.reminder is not None)
        if not event.all_day:
            assert (moment(row["start"]), moment(row["end"])) == (
                event.begins.replace(microsecond=0),
                event.finishes.replace(microsecond=0),
            )
        if not event.base.html:
            assert row["body"] == {"contentType": "text", "content": event.base.body}


def test_series_have_all_their_exceptions_and_cancelled_days(asker: GraphAsker) -> None:
    for key, item in items(asker, "IPF.Appointment").items():
        event = item.record
        assert isinstance(event, Event)
        if event.recurrence is None:
            continue
        row = asker.json(f"events/{key}?$select=cancelledOccurrences&$expand=exceptionOccurrences")
        assert [one.rpartition(".")[2] for one in row["cancelledOccurrences"]] == [
            day.isoformat() for day in sorted(event.deleted)
        ]
        kept = {one.day for one in event.changed} - {*event.deleted}
        assert {datetime.fromisoformat(one["originalStart"]) for one in row["exceptionOccurrences"]} == {
            event.planned(day) for day in kept
        }


def test_contacts_and_tasks_say_what_their_records_say(asker: GraphAsker) -> None:
    people = {key: one for key, one in items(asker, "IPF.Contact").items() if isinstance(one.record, Contact)}
    folders = [*asker.all("contactFolders"), *asker.all("contactFolders/contacts/childFolders")]
    found = [row for one in folders for row in asker.all(f"contactFolders/{one['id']}/contacts?$top=30")]
    assert {row["id"] for row in found} == set(people)
    for row in found:
        one = people[row["id"]].record
        assert isinstance(one, Contact)
        assert (row["givenName"], row["surname"]) == (one.given, one.surname)
        assert [each["address"] for each in row["emailAddresses"]] == [
            each.address for each in one.emails if each
        ]
    tasks = {rest_id(item.id): item.record for item in items(asker, "IPF.Task").values()}
    rows = [
        row
        for each in asker.all("todo/lists")
        if each["wellknownListName"] != "flaggedEmails"
        for row in asker.all(f"todo/lists/{each['id']}/tasks?$top=30")
    ]
    assert {row["id"] for row in rows} == set(tasks)
    for row in rows:
        chore = tasks[row["id"]]
        assert isinstance(chore, Chore)
        assert (row["title"], row["body"]["content"]) == (chore.common.subject, chore.common.body)
        assert ("recurrence" in row) == (chore.repeat is not None)


def test_messages_say_what_their_letters_say(asker: GraphAsker) -> None:
    wanted = items(asker, "IPF.Note")
    found = {
        row["id"]: row
        for folder in asker.all("mailFolders?$top=100")
        for row in asker.all(f"mailFolders/{folder['id']}/messages?$top=50")
        if "filterQuery" not in folder
    }
    assert set(found) <= set(wanted)
    for key, row in found.items():
        item = wanted[key]
        assert (row["subject"], row["internetMessageId"]) == (item.subject, item.message_id)
        assert (row["isRead"], row["isDraft"]) == (item.is_read, item.is_draft)
        assert row["from"]["emailAddress"]["address"] == item.sender.address
        assert row["hasAttachments"] == item.has_attachments
        assert tuple(row["categories"]) == item.categories
