"""Habits that the practice Exchange can be given, as a client sees them on the wire."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from ews_asking import IDS_ONLY, MIME, NS, asking, codes, get_items, sync_items
from lxml import etree

from practice.calendar.appointments import Event
from practice.calendar.event_desk import timed
from practice.calendar.series import Recurrence, Weekly
from practice.exchange.habits import Habits
from practice.exchange.server import ExchangeServer
from practice.world.desk import Desk
from practice.world.diary import delete_occurrence, edit, event_of, modify_occurrence
from practice.world.folders import Folder
from practice.world.messages import Message
from practice.world.world import Mailbox, World

FOLDERS = (
    '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>'
    '<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>'
)
ITEMS = (
    f'<m:FindItem Traversal="Shallow">{IDS_ONLY}<m:ParentFolderIds>'
    '<t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds></m:FindItem>'
)
JANUARY, YEAR = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=365)


@pytest.fixture
def empty(mailbox: Mailbox) -> Folder:
    return mailbox.create_folder(mailbox.root, "Leer", folder_class="IPF.Appointment")


@pytest.fixture
def series(mailbox: Mailbox, empty: Folder) -> Message:
    """Four Mondays from 5 January 2026 on."""
    event = timed(Desk(4, 0, "x"), "Jour fixe", datetime(2026, 1, 5, 9))
    return mailbox.put(empty, replace(event, recurrence=Recurrence(Weekly((0,)), count=4)))


@pytest.fixture
def single(mailbox: Mailbox, empty: Folder) -> Message:
    return mailbox.put(empty, timed(Desk(4, 0, "x"), "Einzeln", datetime(2026, 6, 3, 9)))


def view(folder: str, start: datetime, end: datetime) -> str:
    window = f'StartDate="{start:%Y-%m-%dT%H:%M:%SZ}" EndDate="{end:%Y-%m-%dT%H:%M:%SZ}"'
    return (
        f'<m:FindItem Traversal="Shallow">{IDS_ONLY}<m:CalendarView {window}/><m:ParentFolderIds>'
        f'<t:FolderId Id="{folder}"/></m:ParentFolderIds></m:FindItem>'
    )


def ids(root: etree._Element) -> list[str]:
    return [str(each.get("Id")) for each in root.iterfind(".//t:ItemId", NS)]


def synced(root: etree._Element) -> tuple[list[str], str]:
    """The change keys of what changed, and the state."""
    found = root.findall(".//m:Changes//t:ItemId", NS)
    return [str(each.get("ChangeKey")) for each in found], root.findtext(".//m:SyncState", "", NS)


def louder(event: Event) -> Event:
    return replace(event, location="Saal 2")


@pytest.mark.parametrize(("views", "shown"), [("expanded", 5), ("masters", 2), ("singles", 1)])
def test_what_a_view_gives_of_a_series(
    world: World, mailbox: Mailbox, series: Message, single: Message, views: str, shown: int
) -> None:
    habits = Habits(views=views)  # type: ignore[arg-type]
    with ExchangeServer(world, habits=habits) as server, asking(server, mailbox.address) as asker:
        found = ids(asker.ask(view(series.folder.id, JANUARY, JANUARY + YEAR)))
    assert (len(found), found[-1]) == (shown, single.id)
    assert (series.id in found) == (views == "masters")


@pytest.mark.parametrize("stays", [True, False])
def test_a_changed_occurrence_and_the_key_of_its_series(
    world: World, mailbox: Mailbox, series: Message, stays: bool
) -> None:
    folder = f'<t:FolderId Id="{series.folder.id}"/>'
    with ExchangeServer(world, habits=Habits(keys_stay=stays)) as server:  # noqa: SIM117
        with asking(server, mailbox.address) as asker:
            (first,), state = synced(asker.ask(sync_items(folder)))
            modify_occurrence(mailbox, series, date(2026, 1, 12), louder)
            delete_occurrence(mailbox, series, date(2026, 1, 19))
            changed, state = synced(asker.ask(sync_items(folder, state)))
            (now,), _ = synced(asker.ask(sync_items(folder)))
            assert (changed == [], now == first) == (stays, stays)
            assert len(event_of(series).changed) == 1
            edit(mailbox, series, louder)
            (moved,), _ = synced(asker.ask(sync_items(folder, state)))
            assert moved not in (first, now)


@pytest.mark.parametrize("corrupt", [True, False])
def test_what_lies_beyond_the_end_of_a_series(
    world: World, mailbox: Mailbox, series: Message, corrupt: bool
) -> None:
    beyond = f'<t:OccurrenceItemId RecurringMasterId="{series.id}" InstanceIndex="5"/>'
    request = f"<m:GetItem>{IDS_ONLY}<m:ItemIds>{beyond}</m:ItemIds></m:GetItem>"
    with ExchangeServer(world, habits=Habits(corrupt_beyond=corrupt)) as server:  # noqa: SIM117
        with asking(server, mailbox.address) as asker:
            code = "ErrorItemCorrupt"
            assert (codes(asker.ask(request)) == [code]) == corrupt
            late = asker.ask(view(series.folder.id, JANUARY + YEAR, JANUARY + 2 * YEAR))
            assert codes(late) == ([code] if corrupt else ["NoError"])
            assert codes(asker.ask(view(series.folder.id, JANUARY, JANUARY + YEAR))) == ["NoError"]


@pytest.mark.parametrize("rerenders", [True, False])
def test_a_category_renders_a_mail_anew(
    world: World, mailbox: Mailbox, inbox: Folder, rerenders: bool
) -> None:
    item = next(one for one in inbox.items if one.mime() != one.mime(1) and not one.categories)
    with ExchangeServer(world, habits=Habits(rerenders=rerenders)) as server:  # noqa: SIM117
        with asking(server, mailbox.address) as asker:

            def read() -> bytes:
                root = asker.ask(get_items(item.id, shape=MIME))
                return base64.b64decode(root.findtext(".//t:MimeContent", "", NS))

            assert read() == item.mime()
            mailbox.categorize(item, "Rot")
            assert read() == item.mime(int(rerenders))


def test_a_listing_that_gives_less_than_it_counts(world: World, mailbox: Mailbox) -> None:
    with (
        ExchangeServer(world, habits=Habits(rows_most=3)) as server,
        asking(server, mailbox.address) as asker,
    ):
        for request in (FOLDERS, ITEMS):
            root = asker.ask(request).find(".//m:RootFolder", NS)
            assert root is not None
            assert root.get("IncludesLastItemInRange") == "true"
            assert int(root.get("TotalItemsInView", "0")) > 3
            assert len(root[0]) == 3


@pytest.mark.parametrize("midnights", [True, False])
def test_where_the_days_of_a_series_were(
    world: World, mailbox: Mailbox, series: Message, midnights: bool
) -> None:
    modify_occurrence(mailbox, series, date(2026, 1, 12), louder)
    delete_occurrence(mailbox, series, date(2026, 1, 19))
    shape = (
        "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        '<t:FieldURI FieldURI="calendar:ModifiedOccurrences"/>'
        '<t:FieldURI FieldURI="calendar:DeletedOccurrences"/></t:AdditionalProperties></m:ItemShape>'
    )
    with ExchangeServer(world, habits=Habits(midnights=midnights)) as server:  # noqa: SIM117
        with asking(server, mailbox.address) as asker:
            root = asker.ask(get_items(series.id, shape=shape))
    at = "23:00:00Z" if midnights else "08:00:00Z"
    assert root.findtext(".//t:OriginalStart", "", NS).endswith(at)
    assert root.findtext(".//t:DeletedOccurrence/t:Start", "", NS).endswith(at)


@pytest.mark.parametrize("bare", [True, False])
def test_what_is_not_said_of_rights(bare: bool) -> None:
    world = World(seed=4, people=2, items=2)
    address = world.addresses()[0]
    shape = (
        "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        '<t:FieldURI FieldURI="folder:PermissionSet"/></t:AdditionalProperties></m:FolderShape>'
    )
    both = '<t:DistinguishedFolderId Id="tasks"/><t:DistinguishedFolderId Id="inbox"/>'
    box = f"<m:Mailbox><t:EmailAddress>{address}</t:EmailAddress></m:Mailbox>"
    with ExchangeServer(world, habits=Habits(bare_tasks=bare, bare_delegates=bare)) as server:  # noqa: SIM117
        with asking(server, address) as asker:
            folders = asker.ask(f"<m:GetFolder>{shape}<m:FolderIds>{both}</m:FolderIds></m:GetFolder>")
            assert len(folders.findall(".//t:PermissionSet", NS)) == (1 if bare else 2)
            root = asker.ask(f"<m:GetDelegate>{box}</m:GetDelegate>")
    assert root.find(".//t:PrimarySmtpAddress", NS) is not None
    missing = ["m:DeliverMeetingRequests", "t:ReceiveCopiesOfMeetingMessages", "t:ViewPrivateItems"]
    assert [root.find(f".//{name}", NS) is None for name in missing] == [bare] * 3


def test_a_large_request_that_passes_the_second_time(world: World, mailbox: Mailbox) -> None:
    with (
        ExchangeServer(world, habits=Habits(chokes_at=2000)) as server,
        asking(server, mailbox.address) as asker,
    ):
        large = f"{ITEMS}<!--{'x' * 2000}-->"
        assert [asker.post(one).status_code for one in (ITEMS, large, large)] == [200, 400, 200]
