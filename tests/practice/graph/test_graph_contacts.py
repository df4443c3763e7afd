"""Contacts and tasks over Graph: what it can tell of the records that EWS tells all of."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from graph_asking import GraphAsker, Json, asking_graph
from practice_fixtures import graph_asker_fixture, mailbox_fixture, world_fixture

from practice.contacts.cards import Contact
from practice.contacts.cards_made import ODDITIES as CARDS
from practice.graph.server import GraphServer
from practice.graph.wire import rest_id
from practice.tasks.chores import Chore
from practice.tasks.tasks import ODDITIES
from practice.world.desk import Desk
from practice.world.folders import Folder
from practice.world.messages import Message
from practice.world.world import Mailbox, World

ADDRESS = "00062004-0000-0000-c000-000000000046"


world = world_fixture(seed=11, people=5, items=20, nasty=True, large=(), pim=60)
mailbox = mailbox_fixture(0, scope="module")
asker = graph_asker_fixture()


@pytest.fixture
def book(world: World, mailbox: Mailbox) -> Folder:
    with world.lock:
        return mailbox.create_folder(mailbox.root, "Muster", folder_class="IPF.Contact")


@pytest.fixture
def chores(world: World, mailbox: Mailbox) -> Folder:
    with world.lock:
        return mailbox.create_folder(mailbox.root, "Vorhaben", folder_class="IPF.Task")


def card(book: Folder, name: str) -> Message:
    return book.mailbox.put(book, CARDS[name](Desk(11, 0, name)))


def chore(folder: Folder, name: str) -> Message:
    return folder.mailbox.put(folder, ODDITIES[name](Desk(11, 0, name)))


def contact(asker: GraphAsker, item: Message, query: str = "") -> Json:
    return asker.json(f"contacts/{rest_id(item.immutable_id)}{query}")


def task(asker: GraphAsker, item: Message, tail: str = "") -> Json:
    return asker.json(f"todo/lists/{rest_id(item.folder.id)}/tasks/{rest_id(item.id)}{tail}")


def test_every_contact_is_in_its_folder_and_no_list_of_people_is(asker: GraphAsker, mailbox: Mailbox) -> None:
    main, below = mailbox.distinguished("contacts"), asker.all("contactFolders/contacts/childFolders")
    assert [row["displayName"] for row in below] == ["Lieferanten"]
    assert rest_id(main.id) in [row["id"] for row in asker.all("contactFolders")]
    people = [item for item in main.items if isinstance(item.record, Contact)]
    rows = asker.all("contacts?$top=9&$select=displayName")
    assert [row["id"] for row in rows] == [rest_id(item.immutable_id) for item in people]
    lists = [item for item in main.items if not isinstance(item.record, Contact)]
    assert lists != []
    assert asker.code(f"contacts/{rest_id(lists[0].immutable_id)}") == (404, "ErrorItemNotFound")


def test_a_contact_says_what_graph_has_words_for(asker: GraphAsker, book: Folder) -> None:
    row = contact(asker, card(book, "everything"))
    assert row["displayName"] == "Frau Dr. Wiebke Käthe Lüders M.Sc."
    assert (row["title"], row["generation"], row["nickName"]) == ("Frau Dr.", "M.Sc.", "Wiebi")
    assert [each["address"] for each in row["emailAddresses"]][1:] == [
        "wiebke@privat.example",
        "w.l@verein.example",
    ]
    assert len(row["businessPhones"]) == len(row["homePhones"]) == 2
    assert row["homeAddress"] == {
        "street": "Dorfstr. 7a",
        "city": "Laboe",
        "state": "SH",
        "countryOrRegion": "DE",
        "postalCode": "24235",
    }
    assert row["birthday"] == "1971-12-24T11:59:00Z"
    assert row["children"] == ["Silke", "Björn", "Änne; Maren"]
    assert row["personalNotes"].startswith("Erste Zeile\r\n")


def test_the_rest_of_a_contact_is_in_mapi_properties(asker: GraphAsker, book: Folder) -> None:
    wanted = [
        "String 0x3A24",
        "SystemTime 0x3A41",
        "String 0x3A43",
        "Integer 0x0036",
        f"String {{{ADDRESS}}} Id 0x8092",
        f"String {{{ADDRESS}}} Id 0x80A2",
        f"Integer {{{ADDRESS}}} Id 0x8022",
        "String {00020329-0000-0000-C000-000000000046} Name Kundennummer",
    ]
    query = " or ".join(f"id eq '{one}'" for one in wanted)
    many = "multiValueExtendedProperties($filter=id eq 'StringArray 0x3A58')"
    query = f"?$expand=singleValueExtendedProperties($filter={query}),{many}"
    row = contact(asker, card(book, "everything"), query)
    found = {one["id"]: one["value"] for one in row["singleValueExtendedProperties"]}
    assert found == {
        "String 0x3a24": "+49 431 555-0001",
        "SystemTime 0x3a41": "1999-09-09T11:59:00Z",
        "String 0x3a43": "Segeln, Chor; Skat",
        "Integer 0x36": "0",
        f"String {{{ADDRESS}}} Id 0x80a2": "SMTP",
        f"Integer {{{ADDRESS}}} Id 0x8022": "2",
        "String {00020329-0000-0000-c000-000000000046} Name Kundennummer": "00042",
    }
    assert row["multiValueExtendedProperties"] == [
        {"id": "StringArray 0x3a58", "value": ["Silke", "Björn", "Änne; Maren"]}
    ]


def test_what_is_no_day_is_none(asker: GraphAsker, book: Folder) -> None:
    assert contact(asker, card(book, "no_day"))["birthday"] is None
    assert contact(asker, card(book, "born_in_berlin"))["birthday"] == "1980-06-30T22:00:00Z"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("photo_jpeg", "image/jpeg"), ("photo_png", "image/png"), ("photo_untyped", "image/png")],
)
def test_a_picture_has_an_address_of_its_own(asker: GraphAsker, book: Folder, name: str, kind: str) -> None:
    item = card(book, name)
    picture = next(one for one in item.attachments if one.contact_photo)
    reply = asker.get(f"contacts/{rest_id(item.immutable_id)}/photo/$value")
    assert (reply.content, reply.headers["content-type"]) == (picture.content, kind)
    told = asker.json(f"contacts/{rest_id(item.immutable_id)}/photo")
    assert told["id"] == f"{told['width']}X{told['height']}"
    assert told["width"] > 1


@pytest.mark.parametrize("name", ["photo_empty", "picture_no_photo", "married"])
def test_a_contact_without_a_picture_has_none(asker: GraphAsker, book: Folder, name: str) -> None:
    item = card(book, name)
    assert asker.code(f"contacts/{rest_id(item.immutable_id)}/photo/$value") == (404, "ErrorItemNotFound")


def test_the_delta_of_contacts(asker: GraphAsker, world: World, mailbox: Mailbox, book: Folder) -> None:
    items = [card(book, name) for name in ("married", "private", "everything")]
    path = f"contactFolders/{rest_id(book.id)}/contacts/delta"
    rows, link = asker.round(f"{path}?$select=displayName", "odata.maxpagesize=2")
    assert {row["id"] for row in rows} == {rest_id(item.immutable_id) for item in items}
    gone = rest_id(items[0].immutable_id)
    record = items[1].record
    assert isinstance(record, Contact)
    with world.lock:
        mailbox.delete(items[0], hard=True)
        mailbox.replace(items[1], replace(record, display="Anders"))
    rows, link = asker.round(link)
    assert {row["id"]: row.get("displayName", row.get("@removed")) for row in rows} == {
        gone: {"reason": "deleted"},
        rest_id(items[1].immutable_id): "Anders",
    }
    assert asker.round(link)[0] == []
    assert asker.code(f"{path}?$filter=x") == (400, "ErrorInvalidUrlQuery")
    assert asker.code("contacts?$filter=displayName eq 'x'") == (400, "ErrorInvalidUrlQueryFilter")
    assert asker.code("contacts?$select=sensitivity") == (400, "BadRequest")


def test_address_books_that_come_and_go(asker: GraphAsker, world: World, mailbox: Mailbox) -> None:
    _, link = asker.round("contactFolders/delta")
    with world.lock:
        made = mailbox.create_folder(mailbox.root, "Neue", folder_class="IPF.Contact")
        mailbox.create_folder(mailbox.root, "Kein Adressbuch")
    rows, link = asker.round(link)
    assert [row["displayName"] for row in rows] == ["Neue"]
    with world.lock:
        mailbox.delete_folder(made, hard=True)
    assert [row["@removed"] for row in asker.round(link)[0]] == [{"reason": "deleted"}]


def test_lists_of_tasks_and_one_of_flagged_mails(asker: GraphAsker, mailbox: Mailbox, chores: Folder) -> None:
    rows = asker.all("todo/lists")
    named = {row["wellknownListName"]: row for row in rows}
    assert named["defaultList"]["id"] == rest_id(mailbox.distinguished("tasks").id)
    assert rest_id(chores.id) in [row["id"] for row in rows]
    flagged = named["flaggedEmails"]["id"]
    subjects = [row["title"] for row in asker.all(f"todo/lists/{flagged}/tasks")]
    assert subjects == [item.subject for item in mailbox.messages() if item.flag_status == "Flagged"]
    assert asker.code(f"todo/lists/{flagged}/tasks/delta") == (400, "invalidRequest")
    assert sorted(row["id"] for row in asker.all("todo/lists/delta")) == sorted(row["id"] for row in rows)


def test_every_task_is_listed_and_its_id_is_not_immutable(asker: GraphAsker, mailbox: Mailbox) -> None:
    folder = mailbox.distinguished("tasks")
    rows = asker.all(f"todo/lists/{rest_id(folder.id)}/tasks?$top=9")
    assert [row["id"] for row in rows] == [rest_id(item.id) for item in folder.items]


def test_a_task_says_what_to_do_knows(asker: GraphAsker, chores: Folder) -> None:
    row = task(asker, chore(chores, "everything"))
    assert (row["status"], row["importance"]) == ("inProgress", "high")
    assert row["title"] == "Messestand; Aufbau, Abbau \\ Rückfahrt"
    assert row["dueDateTime"] == {"dateTime": "2026-09-07T00:00:00.0000000", "timeZone": "UTC"}
    assert row["isReminderOn"] is True
    assert row["categories"] == ["Rote Kategorie", "Messe 2026"]
    assert not {"percentComplete", "owner", "totalWork", "sensitivity"} & set(row)


@pytest.mark.parametrize(("name", "due"), [("of_berlin", "13T22:00"), ("of_kiritimati", "13T10:00")])
def test_the_day_of_a_task_is_the_moment_it_began_for_its_owner(
    asker: GraphAsker, chores: Folder, name: str, due: str
) -> None:
    row = task(asker, chore(chores, name))
    assert row["dueDateTime"] == {"dateTime": f"2026-07-{due}:00.0000000", "timeZone": "UTC"}


def test_what_a_task_does_not_have_is_not_there(asker: GraphAsker, chores: Folder) -> None:
    absent = {"dueDateTime", "startDateTime", "completedDateTime", "reminderDateTime", "recurrence"}
    assert not absent & set(task(asker, chore(chores, "no_days")))
    assert "dueDateTime" not in task(asker, chore(chores, "no_day_of_outlook"))
    assert task(asker, chore(chores, "reminder"))["reminderDateTime"]["timeZone"] == "UTC"
    repeat = task(asker, chore(chores, "weekly"))["recurrence"]
    assert repeat["pattern"]["daysOfWeek"] == ["monday", "wednesday", "friday"]
    assert repeat["range"]["endDate"] == "2026-12-31"


def test_files_of_a_task_come_one_by_one_and_items_do_not(asker: GraphAsker, chores: Folder) -> None:
    item = chore(chores, "everything")
    (row,) = task(asker, item, "/attachments")["value"]
    assert "contentBytes" not in row
    assert row["@odata.type"] == "#microsoft.graph.taskFileAttachment"
    whole = task(asker, item, f"/attachments/{row['id']}")
    assert base64.b64decode(whole["contentBytes"]) == item.attachments[0].content
    assert task(asker, item)["hasAttachments"] is True


def test_the_delta_of_tasks(asker: GraphAsker, world: World, mailbox: Mailbox, chores: Folder) -> None:
    items = [chore(chores, name) for name in ("waiting", "deferred", "work")]
    rows, link = asker.round(f"todo/lists/{rest_id(chores.id)}/tasks/delta", "odata.maxpagesize=2")
    assert {row["id"] for row in rows} == {rest_id(item.id) for item in items}
    gone, record = rest_id(items[0].id), items[1].record
    assert isinstance(record, Chore)
    done = replace(record, status="Completed", completed=datetime(2026, 9, 8, tzinfo=UTC))
    with world.lock:
        mailbox.delete(items[0], hard=True)
        mailbox.replace(items[1], done)
    rows, link = asker.round(link)
    assert {row["id"]: row.get("status", row.get("@removed")) for row in rows} == {
        gone: {"reason": "deleted"},
        rest_id(items[1].id): "completed",
    }
    assert asker.round(link)[0] == []


def test_steps_and_links_are_there_only_where_the_server_was_told_so(asker: GraphAsker, world: World) -> None:
    mailbox = world.mailbox(world.addresses()[1])
    folder = mailbox.distinguished("tasks")
    path = f"todo/lists/{rest_id(folder.id)}/tasks?$top=100&$expand=checklistItems,linkedResources"
    asker.user, before = mailbox.address, asker.user
    assert not any(row["checklistItems"] or row["linkedResources"] for row in asker.all(path))
    asker.user = before
    with GraphServer(world, steps=True) as graph, asking_graph(graph, mailbox.address) as other:
        rows = other.all(path)
        found = [row for row in rows if row["checklistItems"]]
        assert 0 < len(found) < len(rows)
        one = f"todo/lists/{rest_id(folder.id)}/tasks/{found[0]['id']}"
        assert other.all(f"{one}/checklistItems") == found[0]["checklistItems"]
        assert other.all(f"{one}/linkedResources") == found[0]["linkedResources"] != []
