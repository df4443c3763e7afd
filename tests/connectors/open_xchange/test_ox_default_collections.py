"""Which collections are an account's defaults, whatever the language of their names."""

from __future__ import annotations

import json
from itertools import product

import httpx
import pytest
from ox_api_desk import ANNA, BERT, ApiDesk
from servers.open_xchange.context import Folder

from connectors.caldav.target import DavTarget
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container, Role
from practice.dav.proxy import Forward, Reply, Request

LOCALES = ("en_US", "de_DE", "fr_FR", "it_IT")
NAMES = {
    Kind.CALENDAR: ("Kalender", "Calendar"),
    Kind.CONTACTS: ("Kontakte", "Contacts", "Rubrica", "Gesammelte Adressen"),
    Kind.TASKS: ("Aufgaben", "Tasks"),
}
ROLES = {Kind.CALENDAR: Role.CALENDAR, Kind.CONTACTS: Role.CONTACTS, Kind.TASKS: Role.TASKS}


def opened(desk: ApiDesk, api: bool, kind: Kind = Kind.CONTACTS, login: str = ANNA) -> DavTarget:
    return desk.target(kind, login) if api else desk.without_api(kind, login)


def of_source(kind: Kind, name: str) -> Container:
    return Container(kind, "source", (name,), ROLES[kind])


def defaults(target: DavTarget) -> list[str]:
    return [one.id for one in target.containers() if one.role is not None]


def moved(desk: ApiDesk, folder: Folder, number: int) -> None:
    """The folder has another number."""
    folders = desk.server.context.folders
    del folders[folder.number]
    folder.number = number
    folders[number] = folder


def says(text: object) -> Reply:
    return Reply(200, httpx.Headers({"Content-Type": "application/json"}), json.dumps(text).encode())


def refused(code: str, category: str) -> Reply:
    return says({"error": "No.", "code": code, "categories": category})


@pytest.mark.parametrize("desk", LOCALES, indirect=True)
@pytest.mark.parametrize("api", [False, True])
def test_the_default_is_taken_whatever_it_is_called(desk: ApiDesk, api: bool) -> None:
    context = desk.server.context
    before = dict(context.folders)
    for login, (kind, names) in product((ANNA, BERT), NAMES.items()):
        target = opened(desk, api, kind, login)
        number = context.users[login].number
        own = next(
            one for one in before.values() if (one.default, one.kind, one.owner) == (True, kind, number)
        )
        for name in names:
            href = target.ensure(of_source(kind, name))
            assert f"/{own.segment}/" in href
            assert defaults(target) == [href]
    assert context.folders == before


@pytest.mark.parametrize("api", [False, True])
def test_another_language_changes_nothing(desk: ApiDesk, api: bool) -> None:
    anna = desk.server.context.users[ANNA]
    href = opened(desk, api).ensure(of_source(Kind.CONTACTS, "Kontakte"))
    for locale in LOCALES:
        desk.server.context.speaks(anna, locale)
        target = opened(desk, api)
        assert target.ensure(of_source(Kind.CONTACTS, "Kontakte")) == href
        assert defaults(target) == [href]
        assert not target.clear(href)


@pytest.mark.parametrize("desk", ["de_DE"], indirect=True)
@pytest.mark.parametrize("api", [False, True])
def test_books_of_the_same_name_are_not_taken_for_it(desk: ApiDesk, api: bool) -> None:
    """Its owner has made one that is called as the default was, in another language."""
    anna = desk.server.context.users[ANNA]
    desk.server.context.make("contacts", anna, "Contacts")
    assert opened(desk, api).ensure(of_source(Kind.CONTACTS, "Contacts")) == "/carddav/32/"


@pytest.mark.parametrize("api", [False, True])
def test_an_older_book_of_somebody_else_is_not_taken_for_it(desk: ApiDesk, api: bool) -> None:
    """It was a colleague's who left, and is the account's own now."""
    anna = desk.server.context.users[ANNA]
    moved(desk, desk.server.context.make("contacts", anna, "Von Clara"), 22)
    assert opened(desk, api).ensure(of_source(Kind.CONTACTS, "Contacts")) == "/carddav/32/"


@pytest.mark.parametrize("api", [False, True])
def test_numbers_that_are_not_in_a_row(desk: ApiDesk, api: bool) -> None:
    """Another user was made at the same moment."""
    anna = desk.server.context.users[ANNA]
    moved(desk, desk.server.context.default("tasks", anna), 36)
    assert opened(desk, api).ensure(of_source(Kind.CONTACTS, "Contacts")) == "/carddav/32/"


@pytest.mark.parametrize("api", [False, True])
def test_no_other_book_stands_for_a_default_that_dav_does_not_show(desk: ApiDesk, api: bool) -> None:
    def hides(request: Request, rest: Forward) -> Reply:
        reply = rest(request)
        before, _, after = reply.body.partition(b"<D:response><D:href>/carddav/32/</D:href>")
        if request.method != "PROPFIND" or not after:
            return reply
        return Reply(reply.status, reply.headers, before + after.partition(b"</D:response>")[2])

    desk.server.layers = (hides,)
    target = opened(desk, api)
    assert target.capabilities.special_use is api
    assert defaults(target) == []
    made = target.ensure(of_source(Kind.CONTACTS, "Kontakte"))
    titles = {one.title for one in desk.server.context.own("contacts", desk.server.context.users[ANNA])}
    assert titles == {"Contacts", "Collected addresses", "Kontakte"}
    assert made not in ("/carddav/32/", "/carddav/6/")


def test_the_lowest_number_counts_where_no_task_list_is_told(desk: ApiDesk) -> None:
    def forgets(request: Request, rest: Forward) -> Reply:
        reply = rest(request)
        return Reply(reply.status, reply.headers, reply.body.replace(b"/caldav/33/", b""))

    desk.server.layers = (forgets,)
    assert opened(desk, api=False).ensure(of_source(Kind.CONTACTS, "Kontakte")) == "/carddav/32/"


@pytest.mark.parametrize(
    "answer",
    [
        refused("SVL-0005", "USER_INPUT"),
        refused("RA-0002", "PERMISSION_DENIED"),
        refused("CNF-0001", "PERMISSION_DENIED"),
        says({"data": {"a": "b"}}),
        says({"data": "x/../6"}),
        says({}),
    ],
)
def test_without_the_word_of_the_api_the_number_counts(desk: ApiDesk, answer: Reply) -> None:
    """An app password may open the folders and not the settings."""
    desk.layer.what, desk.layer.answers = "/ajax/config", [answer]
    assert opened(desk, api=True).ensure(of_source(Kind.CONTACTS, "Kontakte")) == "/carddav/32/"
    assert desk.layer.answers == []


def test_an_api_that_refuses_everything_is_told(desk: ApiDesk) -> None:
    desk.layer.what, desk.layer.answers = "/ajax/config", [refused("LGI-0006", "USER_INPUT")]
    with pytest.raises(Blocked) as refusal:
        opened(desk, api=True).ensure(of_source(Kind.CONTACTS, "Kontakte"))
    assert refusal.value.code == "login-refused"
