"""Everything of a world of odd people is asked for, and every answer is valid by Microsoft's schemas: items
of all kinds with all their properties, what changed, settings, drives and sites.

What is not valid fails the test at its end (exchanges_are_valid).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import samples
from ews_asking import NS, Asker, asking, codes, distinguished, get_folder, get_items, sync_items
from graph_asking import GraphAsker, asking_graph
from judges.court import FOLDER, Court

from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.drive.sites import HOST
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.graph_items.drives import GraphDrives
from practice.world.world import World

pytestmark = samples.marks(FOLDER)
EVERYTHING = (
    "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
    '<t:AdditionalProperties><t:FieldURI FieldURI="item:InternetMessageHeaders"/>'
    '<t:FieldURI FieldURI="message:References"/></t:AdditionalProperties></m:ItemShape>'
)
LISTED = "<m:ItemShape><t:BaseShape>{}</t:BaseShape></m:ItemShape>"
BATCH = 40
VIEW = "startDateTime=2024-01-01T00:00:00Z&endDateTime=2024-05-01T00:00:00Z"


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=11, people=5, items=30, pim=50, nasty=True, large=())


@pytest.fixture(scope="module")
def exchange(world: World) -> Iterator[ExchangeServer]:
    with ExchangeServer(world) as server:
        yield server


@pytest.fixture(scope="module")
def graph(world: World) -> Iterator[GraphServer]:
    drives = GraphDrives(Drives(world, Tree(files=12, nasty=True)))
    with GraphServer(world, services=[drives], steps=True) as server:
        yield server


@pytest.fixture(params=range(5))
def address(world: World, request: pytest.FixtureRequest) -> str:
    return world.addresses()[int(request.param)]


def test_all_that_an_exchange_tells_of_a_mailbox(
    exchange: ExchangeServer, world: World, address: str, court: Court
) -> None:
    mailbox = world.mailbox(address)
    before = court.judged
    with asking(exchange, address) as asker:
        asker.ask(
            get_folder(distinguished("msgfolderroot"), shape="<t:BaseShape>AllProperties</t:BaseShape>")
        )
        for folder in mailbox.folders():
            everything(asker, f'<t:FolderId Id="{folder.id}"/>', [one.id for one in folder.items])
        settings(asker, address)
    assert court.judged > before + 10


def everything(asker: Asker, folder: str, items: list[str]) -> None:
    for base in ("Default", "AllProperties"):
        asker.ask(
            f'<m:FindItem Traversal="Shallow">{LISTED.format(base)}'
            f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
        )
    asker.ask(sync_items(folder))
    for start in range(0, len(items), BATCH):
        some = items[start : start + BATCH]
        answer = asker.ask(get_items(*some, shape=EVERYTHING))
        assert len(codes(answer)) == len(some)
        found = [str(one.get("Id")) for one in answer.iterfind(".//t:AttachmentId", NS)]
        if found:
            attached = "".join(f'<t:AttachmentId Id="{one}"/>' for one in found)
            asker.ask(f"<m:GetAttachment><m:AttachmentIds>{attached}</m:AttachmentIds></m:GetAttachment>")


def settings(asker: Asker, address: str) -> None:
    whose = f"<m:Mailbox><t:EmailAddress>{address}</t:EmailAddress></m:Mailbox>"
    asker.ask(f'<m:GetDelegate IncludePermissions="true">{whose}</m:GetDelegate>')
    asker.ask(f"<m:GetInboxRules><m:MailboxSmtpAddress>{address}</m:MailboxSmtpAddress></m:GetInboxRules>")
    for configuration in ("WorkHours", "Nothing"):
        asker.ask(
            f'<m:GetUserConfiguration><m:UserConfigurationName Name="{configuration}">'
            f"{distinguished('calendar')}</m:UserConfigurationName><m:UserConfigurationProperties>XmlData"
            "</m:UserConfigurationProperties></m:GetUserConfiguration>"
        )
    for name in (address, address[:3], "nobody"):
        asker.ask(
            '<m:ResolveNames ReturnFullContactData="true">'
            f"<m:UnresolvedEntry>{name}</m:UnresolvedEntry></m:ResolveNames>"
        )


def test_all_that_a_microsoft_365_tells_of_a_user(graph: GraphServer, address: str, court: Court) -> None:
    before = court.judged
    with asking_graph(graph, address) as asker:
        of_mail(asker)
        of_calendars(asker)
        of_contacts_and_tasks(asker)
        of_drives(asker)
    assert court.judged > before + 10


def of_mail(asker: GraphAsker) -> None:
    asker.json("")
    asker.all("memberOf")
    asker.all("mailFolders/inbox/messageRules")
    asker.json("mailboxSettings")
    asker.round("mailFolders/delta")
    for folder in asker.all("mailFolders?includeHiddenFolders=true&$top=100"):
        asker.all(f"mailFolders/{folder['id']}/childFolders?$top=100")
        asker.get(f"mailFolders/{folder['id']}/messages/delta?$top=100")
    asker.all("messages?$top=100&$expand=attachments")


def of_calendars(asker: GraphAsker) -> None:
    asker.json("calendar")
    for group in asker.all("calendarGroups"):
        asker.all(f"calendarGroups/{group['id']}/calendars")
    for calendar in asker.all("calendars"):
        of = f"calendars/{calendar['id']}"
        asker.all(f"{of}/calendarPermissions")
        asker.get(f"{of}/calendarView?{VIEW}&$top=100")
        asker.get(f"{of}/calendarView/delta?{VIEW}")
        for event in asker.all(f"{of}/events?$top=100"):
            expanded = ",exceptionOccurrences" if event["type"] == "seriesMaster" else ""
            asker.get(f"{of}/events/{event['id']}?$expand=attachments{expanded}")
            if expanded:
                asker.get(f"{of}/events/{event['id']}/instances?{VIEW}&$top=5")


def of_contacts_and_tasks(asker: GraphAsker) -> None:
    for folder in [{"id": "contacts"}, *asker.all("contactFolders")]:
        asker.round(f"contactFolders/{folder['id']}/contacts/delta")
        for contact in asker.all(f"contactFolders/{folder['id']}/contacts?$top=100"):
            asker.get(f"contactFolders/{folder['id']}/contacts/{contact['id']}/photo")
    for list_ in asker.all("todo/lists"):
        asker.get(f"todo/lists/{list_['id']}/tasks/delta")
        for task in asker.all(f"todo/lists/{list_['id']}/tasks?$top=100"):
            of = f"todo/lists/{list_['id']}/tasks/{task['id']}"
            asker.get(f"{of}?$expand=checklistItems,linkedResources")
            asker.get(f"{of}/attachments")


def of_drives(asker: GraphAsker) -> None:
    site = asker.json(f"{asker.server.url}/sites/{HOST}:/sites/bauamt")
    libraries = asker.all(f"{asker.server.url}/sites/{site['id']}/drives")
    for drive in [*asker.all("drives"), *libraries]:
        of = f"{asker.server.url}/drives/{drive['id']}"
        asker.all(f"{of}/root/children?$top=200")
        for item in asker.round(f"{of}/root/delta")[0]:
            asker.get(f"{of}/items/{item['id']}/permissions")
            if "file" in item:
                asker.get(f"{of}/items/{item['id']}/versions")
