"""What is no mail has the structure of the reference replies; every difference is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ews_asking import Asker, asking
from lxml import etree
from practice_fixtures import world_fixture
from samples import samples
from test_exchange_samples import Known, differences, known, structure

from practice.calendar.event_desk import Make
from practice.calendar.events import ODDITIES
from practice.exchange.server import ExchangeServer
from practice.exchange.soap import T
from practice.world.desk import Desk
from practice.world.world import Mailbox, World

pytestmark = pytest.mark.samples
EVENTS = ("all_day", "series_daily", "series_first_monday", "file", "utc", "series_weekly_days",
          "series_yearly", "categories", "enhanced_location", "series_first_and_last")  # fmt: skip


world = world_fixture(seed=11, people=5, items=2, nasty=False, pim=20)


@pytest.fixture(scope="module")
def mailbox(world: World) -> Mailbox:
    made = world.mailbox(world.addresses()[0])
    folder = made.create_folder(made.root, "Muster", folder_class="IPF.Appointment")
    for name in EVENTS:
        made.put(folder, _make(name)(Desk(11, 0, name)))
    return made


def _make(name: str) -> Make:
    return ODDITIES[name]


def _read(path: Path) -> etree._Element:
    return etree.parse(path, etree.XMLParser(remove_blank_text=True)).getroot()


@pytest.fixture(scope="module")
def gromox(world: World, mailbox: Mailbox) -> Iterator[Asker]:
    with ExchangeServer(world, dialect="gromox") as server, asking(server, None) as asker:
        asker.http.auth = (mailbox.owner.address, mailbox.owner.password)
        yield asker


@pytest.fixture(scope="module")
def exchange(world: World, mailbox: Mailbox) -> Iterator[Asker]:
    with ExchangeServer(world) as server, asking(server, None) as asker:
        asker.http.auth = (mailbox.owner.address, mailbox.owner.password)
        yield asker


def about(request: etree._Element, mailbox: Mailbox) -> bytes:
    """The same request about our events."""
    items = next(folder for folder in mailbox.folders() if folder.name == "Muster").items
    for holder in request.iter("{*}ItemIds"):
        model = holder[0]
        for child in list(holder):
            holder.remove(child)
        for item in items:
            each = etree.SubElement(holder, model.tag)
            each.set("Id", item.id)
    for element in request.iter("{*}EmailAddress"):
        element.text = mailbox.address
    for element in request.iter("{*}ParentFolderIds"):
        element[0].tag = f"{T}FolderId"
        element[0].clear(keep_tail=True)
        element[0].set("Id", items[0].folder.id)
    return etree.tostring(request)


# Recordings of gromox 3.10. It leaves out what nobody set there; we do not say whose conversation it is.
RECORDED: dict[str, Known] = {
    "012": known(),
    "013": known(
        missing="t:CalendarItem > t:ConversationId",
        extra="t:CalendarItem > t:AppointmentSequenceNumber, t:CalendarItem > t:Attachments,"
        "t:CalendarItem > t:DateTimeCreated, t:CalendarItem > t:DateTimeSent,"
        "t:CalendarItem > t:DisplayCc, t:CalendarItem > t:IsOnlineMeeting,"
        "t:CalendarItem > t:IsResponseRequested, t:CalendarItem > t:LegacyFreeBusyStatus,"
        "t:CalendarItem > t:MeetingRequestWasSent, t:CalendarItem > t:ModifiedOccurrences,"
        "t:CalendarItem > t:MyResponseType, t:CalendarItem > t:TextBody, t:Mailbox > t:MailboxType",
    ),
}


@pytest.mark.parametrize("number", sorted(RECORDED))
def test_as_recorded(gromox: Asker, mailbox: Mailbox, number: str) -> None:
    folder = samples("ews-recordings")
    (asked,) = folder.glob(f"{number}-*-request.xml")
    (answer,) = folder.glob(f"{number}-*-response-*.xml")
    expected = RECORDED[number]
    response = gromox.raw(about(_read(asked), mailbox))
    ours = structure(etree.fromstring(response.content))
    reference = structure(_read(answer))
    assert differences(ours, reference) == (set(expected.missing), set(expected.extra), set())


DOCUMENTED: dict[str, tuple[str, Known]] = {
    # Exchange 2007 knew fewer properties; nobody looks for conflicts here
    "GetItemResponse--response--getitem-operation-calendar-item--4": ("calendar", known(
        missing="t:CalendarItem > t:AdjacentMeetingCount, t:CalendarItem > t:ConflictingMeetingCount,"
        "t:CalendarItem > t:ConflictingMeetings, t:CalendarItem > t:Culture,"
        "t:CalendarItem > t:ResponseObjects",
        extra="t:CalendarItem > t:AllowNewTimeProposal, t:CalendarItem > t:Attachments,"
        "t:CalendarItem > t:Categories, t:CalendarItem > t:ConferenceType, t:CalendarItem > t:DateTimeStamp,"
        "t:CalendarItem > t:DeletedOccurrences, t:CalendarItem > t:EffectiveRights,"
        "t:CalendarItem > t:EndTimeZone, t:CalendarItem > t:EnhancedLocation,"
        "t:CalendarItem > t:FirstOccurrence, t:CalendarItem > t:Flag, t:CalendarItem > t:IsAssociated,"
        "t:CalendarItem > t:IsOnlineMeeting, t:CalendarItem > t:IsResponseRequested,"
        "t:CalendarItem > t:LastModifiedName, t:CalendarItem > t:LastModifiedTime,"
        "t:CalendarItem > t:LastOccurrence, t:CalendarItem > t:ModifiedOccurrences,"
        "t:CalendarItem > t:Recurrence, t:CalendarItem > t:StartTimeZone, t:CalendarItem > t:UID,"
        "t:Mailbox > t:MailboxType")),
    "ExpandDLResponse--response--expanddl-operation--3": ("ExpandDL", known()),
    "ExpandDLResponse--response--expanddl-operation--4": ("ExpandDL", known()),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_as_documented(exchange: Asker, mailbox: Mailbox, name: str) -> None:
    folder = samples("ews-samples")
    kind, expected = DOCUMENTED[name]
    response = exchange.raw(_request(folder, kind, mailbox, name))
    ours = structure(etree.fromstring(response.content))
    reference = structure(_read(folder / f"{name}.xml"))
    assert differences(ours, reference) == (set(expected.missing), set(expected.extra), set())


def _request(folder: Path, kind: str, mailbox: Mailbox, name: str) -> bytes:
    if kind == "calendar":
        request = _read(folder / "GetItem--request--getitem-operation-calendar-item--1.xml")
        for shape in request.iter("{*}BaseShape"):
            shape.text = "AllProperties"
        return about(request, mailbox)
    (asked,) = folder.glob(f"{kind}--request--*--1.xml")
    body = etree.tostring(_read(asked))
    body = body.replace(b"user1@contoso.com", mailbox.address.encode())
    body = re.sub(
        rb'Name="TestConfig">.*drafts"', b'Name="CategoryList"><t:DistinguishedFolderId Id="calendar"', body
    )
    known_list = b"bauamt@practice.example" if name.endswith("--3") else b"niemand"
    return re.sub(rb"EmailAddress>test<", b"EmailAddress>" + known_list + b"<", body)
