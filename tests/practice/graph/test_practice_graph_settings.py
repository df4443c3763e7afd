"""What belongs to a mailbox over Graph and is no item; what Graph does not reach; services beside it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from graph_asking import GraphAsker, asking_graph
from practice_fixtures import graph_fixture, world_fixture
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as WebRoute

from mappings.rights.graph_right import ROLES
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.server import GraphServer
from practice.graph.tokens import READS, App
from practice.graph.wire import json_reply, rest_id
from practice.world.rules import RULES
from practice.world.world import Mailbox, World

world = world_fixture(seed=11, people=5, items=30, nasty=True, large=(), pim=20)
graph = graph_fixture()


@pytest.fixture
def asker(graph: GraphServer, world: World) -> Iterator[GraphAsker]:
    with asking_graph(graph, world.addresses()[0]) as one:
        yield one


def test_every_second_mailbox_has_a_rule(asker: GraphAsker, world: World) -> None:
    rules = asker.all("mailFolders/inbox/messageRules")
    assert [row["displayName"] for row in rules] == [rule.name for rule in RULES]
    asker.user = world.addresses()[1]
    assert asker.all("mailFolders/inbox/messageRules") == []


def test_every_third_mailbox_shows_each_role_and_the_others_are_plain(
    asker: GraphAsker, world: World
) -> None:
    rows = asker.all("calendar/calendarPermissions")
    assert {row["role"] for row in rows} == ROLES.keys() | {"custom"}
    assert [row["isRemovable"] for row in rows] == [False] + [True] * (len(rows) - 1)
    asker.user = world.addresses()[1]
    assert [row["role"] for row in asker.all("calendar/calendarPermissions")] == [
        "freeBusyRead",
        "write",
        "read",
    ]


def test_groups_are_told_to_whom_may_read_them(asker: GraphAsker) -> None:
    path = "memberOf/microsoft.graph.group?$select=id,groupTypes,mailEnabled"
    assert [(row["groupTypes"], row["mailEnabled"]) for row in asker.all(path)] == [([], None)] * 3
    asker.server.entra.add(App("groups", "s", frozenset({*READS, "GroupMember.Read.All"})))
    asker.token = asker.server.entra.issue("groups")
    assert sorted(row["groupTypes"] for row in asker.all(path)) == [[], [], ["Unified"]]


def test_an_in_place_archive_is_not_reached_and_recoverable_items_are(
    asker: GraphAsker, world: World
) -> None:
    mailbox: Mailbox = world.mailbox(world.addresses()[1])
    asker.user = mailbox.address
    archive = mailbox.distinguished("archiveinbox")
    item = rest_id(archive.items[0].immutable_id)
    assert asker.code(f"mailFolders/{rest_id(archive.id)}") == (404, "ErrorItemNotFound")
    assert asker.code(f"messages/{item}") == (404, "ErrorItemNotFound")
    assert asker.json("mailFolders/archive")["id"] == rest_id(mailbox.distinguished("archive").id)
    assert asker.json("mailFolders/recoverableitemsdeletions")["totalItemCount"] == 2
    assert asker.code("mailFolders/syncissues") == (404, "ErrorItemNotFound")


def test_notes_and_journal_are_no_mail_folders(asker: GraphAsker, world: World) -> None:
    mailbox = world.mailbox(asker.user)
    for role in ("notes", "journal"):
        folder = mailbox.distinguished(role)
        assert folder.items != []
        assert asker.code(f"mailFolders/{rest_id(folder.id)}/messages") == (404, "ErrorItemNotFound")
        assert asker.code(f"messages/{rest_id(folder.items[0].immutable_id)}") == (404, "ErrorItemNotFound")


class Files:
    """A service beside mail, with an address for which no token is asked."""

    def __init__(self) -> None:
        self.routes = (
            Route(
                "users/{user}/drive", "GetDrive", frozenset({"Files.Read.All"}), self._drive, directory=True
            ),
        )
        self.web = (WebRoute("/download/{name}", self._download),)

    def _drive(self, context: Context) -> Reply:
        url = context.ask.base.replace("/v1.0", "/download/x")
        return json_reply({"name": context.names["user"], "webUrl": url})

    async def _download(self, request: Request) -> Response:
        return PlainTextResponse(request.path_params["name"])


def test_a_service_beside_mail_has_routes_and_addresses_of_its_own(world: World) -> None:
    with GraphServer(world, services=(Files(),)) as graph, asking_graph(graph, "anybody") as asker:
        drive = asker.json("drive")
        assert drive["name"] == "anybody"
        assert httpx.get(drive["webUrl"]).text == "x"
        assert graph.requests["GetDrive"] == 1
        graph.entra.add(App("mail", "s", frozenset({"Mail.Read"})))
        assert asker.code("drive", token=graph.entra.issue("mail")) == (403, "Authorization_RequestDenied")


def test_the_user_agent_is_remembered(asker: GraphAsker) -> None:
    asker.client.headers["User-Agent"] = "NONISV|Practice|Kogge/1.0"
    asker.json("")
    assert asker.server.agents["NONISV|Practice|Kogge/1.0"] == 1
