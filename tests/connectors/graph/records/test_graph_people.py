"""Contacts and tasks over Graph: which containers move, and what comes with each record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from graph_script import HOME, Answer, Ask, Cloud, Open, error

from connectors.settings import Account
from mappings.exchange.graph_json import record
from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS, map_contact, map_task
from model.errors import Blocked, CursorLost
from model.kinds import Kind
from model.protocols import Capabilities, Container, Failed, Loss, Native, Ref, Role
from practice.graph.server import GraphServer
from practice.world.world import World

Row = dict[str, Any]
CONTACTS, TASKS = frozenset({Kind.CONTACTS}), frozenset({Kind.TASKS})
BOOK = Container(Kind.CONTACTS, "F1", ("Contacts",), Role.CONTACTS)
LIST = Container(Kind.TASKS, "L1", ("Tasks",), Role.TASKS)


def folder(id_: str, name: str, parent: str = "ROOT") -> Row:
    return {"id": id_, "displayName": name, "parentFolderId": parent}


def books(beside: list[Row], below: dict[str, list[Row]], classes: dict[str, str]) -> Cloud:
    """A default address book F1, those beside it, those below each, and their classes."""

    def script(ask: Ask) -> Answer:
        path = ask.path.removeprefix(f"{HOME}/contactFolders")
        id_, _, rest = path.strip("/").partition("/")
        if not path:
            return Answer({"value": beside})
        if rest == "childFolders":
            return Answer({"value": below.get(id_, [])})
        if id_ == "contacts":
            return Answer(folder("F1", "Contacts"))
        tag = {"id": "String 0x3613", "value": classes.get(id_, "IPF.Contact")}
        return Answer({"id": id_, "singleValueExtendedProperties": [tag]})

    return Cloud(script)


def test_address_books_beside_and_below_the_default_one_once(source: Open) -> None:
    below = {"F1": [folder("B", "Suppliers", "F1")], "B": [folder("C", "Old", "B")]}
    cloud = books([folder("A", "Club"), folder("B", "Suppliers", "F1")], below, {})
    found = list(source(cloud, kinds=CONTACTS).containers())
    assert [one.path for one in found] == [
        ("Contacts",),
        ("Contacts", "Suppliers"),
        ("Contacts", "Suppliers", "Old"),
        ("Club",),
    ]
    assert [one.role for one in found] == [Role.CONTACTS, None, None, None]


def test_address_books_that_exchange_fills_are_omitted(source: Open) -> None:
    cloud = books([folder("A", "Recipient Cache")], {}, {"A": "IPF.Contact.RecipientCache"})
    assert [one.omit for one in source(cloud, kinds=CONTACTS).containers()] == [None, "system-folder"]


def pictured(photo: Callable[[], Answer]) -> Cloud:
    def script(ask: Ask) -> Answer:
        if ask.path.endswith("/photo/$value"):
            return photo()
        return Answer({"id": "A", "changeKey": "k", "displayName": "Anna"})

    return Cloud(script)


def one(source: Open, cloud: Cloud, container: Container = BOOK, id_: str = "A") -> Native | Failed:
    (found,) = source(cloud, kinds=frozenset({container.kind})).fetch(container, [Ref(id_, "")])
    return found


def test_a_picture_stands_beside_its_contact(source: Open) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(40)
    found = one(source, pictured(lambda: Answer(data=png, headers={"Content-Type": "image/png"})))
    assert isinstance(found, Native)
    assert record(found)["photo"] is True
    card = map_contact(found, context(Kind.CONTACTS))
    assert b"PHOTO;ENCODING=b;TYPE=PNG:" in card.item.body().read()
    assert card.losses == ()


@pytest.mark.parametrize("refusal", [error("ErrorItemNotFound", 404), error("ImageNotFound", 404)])
def test_a_contact_that_has_no_picture_loses_none(source: Open, refusal: Answer) -> None:
    found = one(source, pictured(lambda: refusal))
    assert isinstance(found, Native)
    assert record(found)["photo"] is False
    assert map_contact(found, context(Kind.CONTACTS)).losses == ()


@pytest.mark.parametrize("status", [400, 500, 504])
def test_a_picture_that_cannot_be_read_is_a_loss(source: Open, status: int) -> None:
    found = one(source, pictured(lambda: error("ErrorInternalServerError", status)))
    assert isinstance(found, Native)
    assert map_contact(found, context(Kind.CONTACTS)).losses == (Loss("photo", "not-read"),)


def test_pictures_that_may_not_be_read_block_the_mailbox(source: Open) -> None:
    def script(ask: Ask) -> Answer:
        if "photo" in ask.path or ask.path.endswith("F1"):
            return error("ErrorAccessDenied", 403)
        return Answer({"id": "A", "changeKey": "k"})

    cloud = Cloud(script)
    with pytest.raises(Blocked):
        one(source, cloud)


def test_the_row_of_a_delta_names_whatever_people_change(source: Open) -> None:
    """Its choice is everything that is read: some services track what was chosen alone."""
    cloud = Cloud(lambda _: Answer({"value": [], "@odata.deltaLink": "https://x/y?$deltatoken=1"}))
    pages = list(source(cloud, kinds=CONTACTS).changes(BOOK, None))
    assert [(page.full, page.cursor) for page in pages] == [(True, "$deltatoken=1")]
    (ask,) = cloud.asks
    assert {"personalNotes", "birthday", "categories"} <= set(ask.query["$select"].split(","))


@pytest.mark.parametrize("container", [BOOK, LIST], ids=["contacts", "tasks"])
def test_a_state_that_is_gone_is_lost(source: Open, container: Container) -> None:
    cloud = Cloud(lambda _: error("SyncStateNotFound", 410))
    with pytest.raises(CursorLost):
        list(source(cloud, kinds=frozenset({container.kind})).changes(container, "$deltatoken=old"))


def test_lists_of_others_and_of_flagged_mails_are_omitted(source: Open) -> None:
    rows = [
        {"id": "B", "displayName": "Theirs", "isOwner": False, "wellknownListName": "none"},
        {"id": "C", "displayName": "Flagged", "isOwner": True, "wellknownListName": "flaggedEmails"},
        {"id": "A", "displayName": "Tasks", "isOwner": True, "wellknownListName": "defaultList"},
    ]
    found = list(source(Cloud(lambda _: Answer({"value": rows})), kinds=TASKS).containers())
    assert [(one.id, one.role, one.omit) for one in found] == [
        ("A", Role.TASKS, None),
        ("B", None, "shared"),
        ("C", None, "flagged-emails"),
    ]


def context(kind: Kind) -> Context:
    day = datetime(2026, 11, 25, tzinfo=UTC)
    return Context(Capabilities(frozenset({kind})), day, day)


STEPS = [
    {"id": "1", "displayName": "Ask <Ute>", "isChecked": True},
    {"id": "2", "displayName": "File\nit", "isChecked": False},
]
LINK = {"id": "9", "displayName": "Case 12", "webUrl": "https://files.example/12?a=1&b=2"}


def task(content: str, kind: str) -> Row:
    return {
        "id": "T", "title": "Report", "status": "notStarted", "hasAttachments": False,
        "body": {"content": content, "contentType": kind},
        "checklistItems": STEPS, "linkedResources": [LINK],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ("", "text", "DESCRIPTION:- [x] Ask <Ute>\\n- [ ] File it\r\n"),
        ("Soon.\r\n", "text", "DESCRIPTION:Soon.\\n\\n- [x] Ask <Ute>\\n- [ ] File it\r\n"),
        ("<html><body>Soon.</body></html>", "html",
         "DESCRIPTION:Soon.\\n\\n- [x] Ask <Ute>\\n- [ ] File it\r\n"),
    ],
)  # fmt: skip
def test_steps_and_links_of_a_task_move(source: Open, content: str, kind: str, text: str) -> None:
    def script(ask: Ask) -> Answer:
        rendered = task("Soon.", "text")
        return Answer(rendered if ask.query["$select"] == "id,body" else task(content, kind))

    found = one(source, Cloud(script), LIST, "T")
    assert isinstance(found, Native)
    made = map_task(found, context(Kind.TASKS))
    body = made.item.body().read().decode()
    assert text in body
    assert "ATTACH;FILENAME=Case 12;X-FILENAME=Case 12:https://files.example/12?a=1&b=2" in body.replace(
        "\r\n ", ""
    )
    assert [(loss.field, loss.reason) for loss in made.losses] == [("steps", "in-text")]
    assert ("<pre>- [x] Ask &lt\\;Ute&gt\\;\\n- [ ] File it</pre></body>" in body.replace("\r\n ", "")) == (
        kind == "html"
    )


def test_a_practice_list_with_steps_moves_whole(source: Open) -> None:
    world = World(seed=5, people=1, items=0, large=(), pim=60)
    address = world.addresses()[0]
    with GraphServer(world, steps=True) as server:
        graph = source(server, Account(login=address, address=address), kinds=TASKS)
        box = next(one for one in graph.containers() if one.role is Role.TASKS)
        refs = [ref for page in graph.changes(box, None) for ref in page.refs]
        natives = [one for one in graph.fetch(box, refs) if isinstance(one, Native)]
    assert len(natives) == len(refs) == 60
    stepped = [one for one in natives if record(one)["item"]["checklistItems"]]
    assert len(stepped) > 20
    for native in stepped:
        made = ITEM_FORMS[Kind.TASKS].map(native, context(Kind.TASKS))
        assert ("steps", "in-text") in {(loss.field, loss.reason) for loss in made.losses}
