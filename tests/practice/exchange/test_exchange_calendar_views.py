"""Calendar views, and what is asked beside the items: pictures, lists, categories, zones, permissions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ews_asking import IDS_ONLY, NS, Asker, asking, codes, distinguished, get_folder
from ews_reading import fields, put, text
from lxml import etree
from made_events import occurrences
from practice_fixtures import exchange_fixture, mailbox_fixture, world_fixture
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import FaultPlan

from practice.calendar.appointments import Event
from practice.calendar.events import ODDITIES
from practice.contacts.groups import DistributionList
from practice.world.desk import Desk
from practice.world.diary import event_of
from practice.world.folders import Folder
from practice.world.population_pim import READ_ONLY, SECOND_CALENDAR
from practice.world.world import Mailbox, World

JANUARY, YEAR = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=365)


world = world_fixture(seed=4, people=5, items=4, pim=50)
server = exchange_fixture(faults=FaultPlan.none())
mailbox = mailbox_fixture(0)


@pytest.fixture
def empty(mailbox: Mailbox) -> Folder:
    return mailbox.create_folder(mailbox.root, "Leer", folder_class="IPF.Appointment")


def view(folder: str, start: datetime, end: datetime, most: int | None = None, shape: str = IDS_ONLY) -> str:
    limit = "" if most is None else f' MaxEntriesReturned="{most}"'
    window = f'StartDate="{start:%Y-%m-%dT%H:%M:%SZ}" EndDate="{end:%Y-%m-%dT%H:%M:%SZ}"'
    return (
        f'<m:FindItem Traversal="Shallow">{shape}<m:CalendarView {window}{limit}/><m:ParentFolderIds>'
        f'<t:FolderId Id="{folder}"/></m:ParentFolderIds></m:FindItem>'
    )


def windows(root: etree._Element) -> list[tuple[str, str]]:
    found = root.findall(".//t:Items/t:CalendarItem", NS)
    return [(text(each, "Start") or "", text(each, "End") or "") for each in found]


TIMES = fields("calendar:Start", "calendar:End", "calendar:CalendarItemType", "calendar:UID")


def expected(events: list[Event], start: datetime, end: datetime) -> list[tuple[str, str]]:
    found = [window for event in events for window in occurrences(event, start, end)]
    return sorted((f"{a:%Y-%m-%dT%H:%M:%SZ}", f"{b:%Y-%m-%dT%H:%M:%SZ}") for a, b in found)


@pytest.mark.parametrize("index", range(5))
def test_a_view_is_the_occurrences_of_everything(server: FaultyExchange, world: World, index: int) -> None:
    mailbox = world.mailbox(world.addresses()[index])
    calendar = mailbox.distinguished("calendar")
    events = [item.record for item in calendar.items if isinstance(item.record, Event)]
    with asking(server, mailbox.address) as asker:
        start = JANUARY
        while start < JANUARY + YEAR:
            end = start + timedelta(days=73)
            root = asker.ask(view(calendar.id, start, end, shape=TIMES))
            assert sorted(windows(root)) == expected(events, start, end)
            starts = [begin for begin, _ in windows(root)]
            assert starts == sorted(starts)
            assert root.find(".//m:RootFolder", NS).get("IncludesLastItemInRange") == "true"  # type: ignore[union-attr]
            start = end


def test_occurrences_of_a_view_have_ids_that_getitem_takes(
    asker: Asker, mailbox: Mailbox, empty: Folder
) -> None:
    item = mailbox.put(empty, ODDITIES["series_exceptions"](Desk(4, 0, "x")))
    root = asker.ask(view(empty.id, JANUARY, JANUARY + YEAR, shape=TIMES))
    ids = [each.get("Id", "") for each in root.iterfind(".//t:ItemId", NS)]
    kinds = [each.text for each in root.iterfind(".//t:CalendarItemType", NS)]
    assert len(set(ids)) == len(kinds) == 48
    assert (kinds.count("Exception"), kinds.count("Occurrence")) == (5, 43)
    each = "".join(f'<t:ItemId Id="{one}"/>' for one in ids)
    read = asker.ask(f"<m:GetItem>{TIMES}<m:ItemIds>{each}</m:ItemIds></m:GetItem>")
    assert set(codes(read)) == {"NoError"}
    assert [text(one, "Start") for one in read.iterfind(".//t:CalendarItem", NS)] == [
        begin for begin, _ in windows(root)
    ]
    assert {one.text for one in read.iterfind(".//t:UID", NS)} == {event_of(item).uid}


def test_a_view_has_limits(asker: Asker, mailbox: Mailbox, empty: Folder) -> None:
    for n in range(3):
        mailbox.put(empty, ODDITIES["series_many"](Desk(4, 0, f"limit/{n}")))
    root = asker.ask(view(empty.id, JANUARY, JANUARY + YEAR, most=50))
    top = root.find(".//m:RootFolder", NS)
    assert top is not None
    assert (top.get("TotalItemsInView"), top.get("IncludesLastItemInRange")) == ("270", "false")
    assert len(root.findall(".//t:CalendarItem", NS)) == 50
    for n in range(9):
        mailbox.put(empty, ODDITIES["series_many"](Desk(4, 0, f"more/{n}")))
    whole = view(empty.id, JANUARY, JANUARY + YEAR)
    assert codes(asker.ask(whole)) == ["ErrorExceededFindCountLimit"]
    most = asker.ask(view(empty.id, JANUARY, JANUARY + YEAR, most=5000))
    assert len(most.findall(".//t:CalendarItem", NS)) == 1000


def test_views_that_are_refused(asker: Asker, mailbox: Mailbox, empty: Folder) -> None:
    inbox = mailbox.distinguished("inbox").id
    for request, code in (
        (view(empty.id, JANUARY, JANUARY + 3 * YEAR), "ErrorCalendarViewRangeTooBig"),
        (view(empty.id, JANUARY, JANUARY), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (view(inbox, JANUARY, JANUARY + YEAR), "ErrorCalendarFolderIsInvalidForCalendarView"),
        (view(empty.id, JANUARY, JANUARY + timedelta(days=731)), "NoError"),
    ):
        assert codes(asker.ask(request)) == [code]
    for wrong in (view(empty.id, JANUARY, JANUARY + YEAR, most=0),
                  view(empty.id, JANUARY, JANUARY + YEAR).replace("2026-01-01T", "gestern")):  # fmt: skip
        assert asker.post(wrong).status_code == 500


def test_gromox_gives_masters_unexpanded(world: World, mailbox: Mailbox, empty: Folder) -> None:
    series = mailbox.put(empty, ODDITIES["series_monthly_31"](Desk(4, 0, "x")))
    single = mailbox.put(empty, ODDITIES["utc"](Desk(4, 0, "x")))
    mailbox.put(empty, ODDITIES["far_past"](Desk(4, 0, "x")))
    with FaultyExchange(world, dialect="gromox") as running, asking(running, mailbox.address) as asker:
        root = asker.ask(view(empty.id, JANUARY, JANUARY + YEAR))
        assert [each.get("Id") for each in root.iterfind(".//t:ItemId", NS)] == [series.id, single.id]


def test_members_of_lists(asker: Asker, mailbox: Mailbox) -> None:
    public = asker.ask("<m:ExpandDL><m:Mailbox><t:EmailAddress>bauamt@practice.example</t:EmailAddress>"
                       "</m:Mailbox></m:ExpandDL>")  # fmt: skip
    assert len(public.findall(".//m:DLExpansion/t:Mailbox", NS)) == 3
    unknown = asker.ask("<m:ExpandDL><m:Mailbox><t:EmailAddress>x@practice.example</t:EmailAddress>"
                        "</m:Mailbox></m:ExpandDL>")  # fmt: skip
    assert codes(unknown) == ["ErrorNameResolutionNoResults"]
    item = next(
        each
        for each in mailbox.messages()
        if isinstance(each.record, DistributionList) and each.record.members
    )
    own = asker.ask(f'<m:ExpandDL><m:Mailbox><t:ItemId Id="{item.id}"/></m:Mailbox></m:ExpandDL>')
    assert isinstance(item.record, DistributionList)
    assert len(own.findall(".//m:DLExpansion/t:Mailbox", NS)) == len(item.record.members)
    gone = asker.ask('<m:ExpandDL><m:Mailbox><t:ItemId Id="AAAA"/></m:Mailbox></m:ExpandDL>')
    assert codes(gone) == ["ErrorInvalidIdMalformed"]


def test_permissions_of_calendars(asker: Asker, mailbox: Mailbox, world: World) -> None:
    shape = (
        "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        '<t:FieldURI FieldURI="folder:PermissionSet"/><t:FieldURI FieldURI="folder:EffectiveRights"/>'
        "</t:AdditionalProperties>"
    )
    names = {folder.name: folder for folder in mailbox.folders()}
    ids = [f'<t:FolderId Id="{names[name].id}"/>' for name in (SECOND_CALENDAR, READ_ONLY)]
    root = asker.ask(get_folder(distinguished("calendar"), *ids, shape=shape))
    calendars = root.findall(".//t:CalendarFolder", NS)
    rows = calendars[0].findall(".//t:CalendarPermission", NS)
    assert [text(each, "CalendarPermissionLevel") for each in rows] == [
        "FreeBusyTimeOnly", "None", "Editor", "Reviewer"]  # fmt: skip
    assert text(rows[2], "UserId/PrimarySmtpAddress") == world.addresses()[1]
    assert [text(each, "EffectiveRights/CreateContents") for each in calendars] == ["true", "true", "false"]
    assert {text(each, "EffectiveRights/Read") for each in calendars} == {"true"}


def test_an_item_that_may_only_be_read_says_so(asker: Asker, mailbox: Mailbox) -> None:
    folder = next(folder for folder in mailbox.folders() if folder.name == READ_ONLY)
    ids = [folder.items[0].id, put(mailbox, "file").id]
    each = "".join(f'<t:ItemId Id="{one}"/>' for one in ids)
    shape = fields("item:EffectiveRights")
    root = asker.ask(f"<m:GetItem>{shape}<m:ItemIds>{each}</m:ItemIds></m:GetItem>")
    assert [each.text for each in root.iterfind(".//t:Modify", NS)] == ["false", "true"]
