"""The practice Exchange serves items that are no mail: shapes, listings, bodies, both dialects."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from ews_asking import (
    IDS_ONLY,
    NS,
    Asker,
    asking,
    changes,
    state_of,
    sync_items,
)
from ews_reading import fields, names, one, put, text
from practice_fixtures import exchange_fixture, mailbox_fixture, world_fixture
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import FaultPlan

from practice.calendar.appointments import Changed, Event, instances
from practice.calendar.event_desk import timed
from practice.calendar.events import ODDITIES
from practice.calendar.series import Daily, Recurrence
from practice.calendar.timezones import NEW_YORK
from practice.exchange.soap import T
from practice.world.desk import Desk
from practice.world.diary import delete_occurrence, event_of, rewrite
from practice.world.record_elements import named, public, tagged
from practice.world.records import Common
from practice.world.world import Mailbox, World

# CalendarItemType of types.xsd, as far as the server has its elements
ORDER = re.findall(
    r"\w+",
    """UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location When
    IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested CalendarItemType
    MyResponseType Organizer RequiredAttendees OptionalAttendees Resources Duration TimeZone
    AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence FirstOccurrence
    LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone StartTimeZone EndTimeZone
    ConferenceType AllowNewTimeProposal IsOnlineMeeting EnhancedLocation JoinOnlineMeetingUrl""",
)


world = world_fixture(seed=4, people=3, items=4, nasty=False)
server = exchange_fixture(faults=FaultPlan.none())
mailbox = mailbox_fixture(0)


@pytest.mark.parametrize("name", list(ODDITIES))
def test_every_event_is_served_in_the_order_of_the_schema(asker: Asker, mailbox: Mailbox, name: str) -> None:
    item = put(mailbox, name)
    event = event_of(item)
    found = one(asker, item.id)
    if not event.item_class.startswith("IPM.Appointment"):
        assert found.tag == f"{T}Message"
        return
    own = [each for each in names(found) if each in ORDER]
    assert own == sorted(own, key=ORDER.index)
    assert text(found, "Start") == f"{event.begins:%Y-%m-%dT%H:%M:%SZ}"
    assert text(found, "End") == f"{event.finishes:%Y-%m-%dT%H:%M:%SZ}"
    assert text(found, "CalendarItemType") == event.part
    assert text(found, "UID") == (event.uid or None)
    assert text(found, "LegacyFreeBusyStatus") == event.busy
    assert text(found, "Sensitivity") == event.base.sensitivity
    assert (text(found, "StartTimeZone") is None) == event.old_zone


def test_mime_content_loses_attendees_attachments_and_recurrence(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "meeting_series")
    data = base64.b64decode(text(one(asker, item.id), "MimeContent") or "")
    assert data.startswith(b"BEGIN:VCALENDAR\r\n")
    assert event_of(item).uid.encode() in data
    for lost in (b"ATTENDEE", b"ORGANIZER", b"ATTACH", b"RRULE"):
        assert lost not in data


def test_shapes_give_what_was_asked_for(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_exceptions")
    assert names(one(asker, item.id, IDS_ONLY)) == ["ItemId"]
    asked = fields("calendar:Start", "calendar:Recurrence", "item:Subject", "item:DateTimeCreated")
    assert names(one(asker, item.id, asked)) == [
        "ItemId", "Subject", "DateTimeCreated", "Start", "Recurrence"]  # fmt: skip
    default = names(one(asker, item.id, "<m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"))
    assert "Organizer" in default
    assert "Recurrence" not in default


@pytest.mark.parametrize(("kind", "stated", "has"), [("Best", "HTML", "<ul>"), ("HTML", "HTML", "<ul>"),
                                                     ("Text", "Text", "Tagesordnung & Ziele:")])  # fmt: skip
def test_bodies(asker: Asker, mailbox: Mailbox, kind: str, stated: str, has: str) -> None:
    item = put(mailbox, "html")
    body = one(asker, item.id, fields("item:Body", "item:TextBody", kind=kind)).find("t:Body", NS)
    assert body is not None
    assert body.get("BodyType") == stated
    assert has in (body.text or "")
    assert ("margin" in (body.text or "")) == (stated == "HTML")


def test_a_plain_body_as_html_is_escaped(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "looks_like_ical")
    mailbox.replace(item, replace(event_of(item), base=Common(body="1 < 2 & 3")))
    for kind, expected in (("Best", "1 < 2 & 3"), ("HTML", "1 &lt; 2 &amp; 3")):
        assert expected in (text(one(asker, item.id, fields("item:Body", kind=kind)), "Body") or "")


def test_reminders_and_dates(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "reminder_week")
    found = one(asker, item.id)
    event = event_of(item)
    assert text(found, "ReminderIsSet") == "true"
    assert text(found, "ReminderMinutesBeforeStart") == "10080"
    assert text(found, "ReminderDueBy") == f"{event.begins:%Y-%m-%dT%H:%M:%SZ}"
    assert text(found, "DateTimeCreated") == f"{event.base.created:%Y-%m-%dT%H:%M:%SZ}"
    assert text(found, "LastModifiedTime") == f"{event.base.modified:%Y-%m-%dT%H:%M:%SZ}"


def test_attendees_and_their_answers(asker: Asker, mailbox: Mailbox) -> None:
    found = one(asker, put(mailbox, "meeting_rooms").id)
    required = found.findall("t:RequiredAttendees/t:Attendee", NS)
    assert [text(each, "ResponseType") for each in required] == [
        "Accept", "Tentative", "Decline", "NoResponseReceived"]  # fmt: skip
    assert [text(each, "LastResponseTime") is not None for each in required] == [True, True, True, False]
    assert text(found, "OptionalAttendees/Attendee/LastResponseTime") == "0001-01-01T00:00:00Z"
    assert len(found.findall("t:Resources/t:Attendee", NS)) == 3
    assert text(found, "Organizer/Mailbox/EmailAddress") == mailbox.address
    assert (text(found, "MyResponseType"), text(found, "AppointmentState")) == ("Organizer", "1")


def test_addresses_of_the_directory(asker: Asker, mailbox: Mailbox) -> None:
    found = one(asker, put(mailbox, "meeting_legacy").id)
    boxes = found.findall("t:RequiredAttendees/t:Attendee/t:Mailbox", NS)
    assert [text(each, "RoutingType") for each in boxes][:4] == ["EX", "SMTP", "EX", "SMTP"]
    assert (text(boxes[1], "EmailAddress") or "").startswith("IMCEAEX-")
    assert (text(boxes[0], "EmailAddress") or "").startswith("/o=")


def test_extended_properties_come_when_asked_for_under_the_name_asked_for(
    asker: Asker, mailbox: Mailbox
) -> None:
    properties = (
        tagged(0x3A50, "https://home.example"),
        named("00062002-0000-0000-c000-000000000046", 33288, "Saal"),
        public("SkypeTeamsMeetingUrl", "https://teams.practice.example/x"),
    )
    item = put(mailbox, "file")
    mailbox.replace(item, replace(event_of(item), base=Common(properties=properties)))
    uris = (
        '<t:ExtendedFieldURI PropertyTag="0x3a50" PropertyType="String"/>',
        '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33288"'
        ' PropertyType="String"/>',
        '<t:ExtendedFieldURI PropertySetId="00020329-0000-0000-C000-000000000046"'
        ' PropertyName="SkypeTeamsMeetingUrl" PropertyType="String"/>',
        '<t:ExtendedFieldURI PropertyTag="0x3a51" PropertyType="String"/>',
    )
    asked = f"<t:AdditionalProperties>{''.join(uris)}</t:AdditionalProperties>"
    shape = f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{asked}</m:ItemShape>"
    found = one(asker, item.id, shape).findall("t:ExtendedProperty", NS)
    assert [text(each, "Value") for each in found] == [
        "https://home.example", "Saal", "https://teams.practice.example/x"]  # fmt: skip
    kinds = [dict(each[0].attrib) for each in found]
    assert kinds[1]["DistinguishedPropertySetId"] == "Appointment"
    assert "PropertySetId" in kinds[2]
    assert not one(asker, item.id).findall("t:ExtendedProperty", NS)


def test_changes_are_synchronised(asker: Asker, mailbox: Mailbox) -> None:
    folder = mailbox.create_folder(mailbox.distinguished("calendar"), "Neu", folder_class="IPF.Appointment")
    element = f'<t:FolderId Id="{folder.id}"/>'
    first, second = (mailbox.put(folder, ODDITIES[name](Desk(4, 0, name))) for name in ("file", "html"))
    root = asker.ask(sync_items(element))
    assert changes(root) == [("Create", second.id), ("Create", first.id)]
    rewrite(mailbox, first, subject="Neu")
    mailbox.delete(second, hard=True)
    root = asker.ask(sync_items(element, state_of(root)))
    assert changes(root) == [("Delete", second.id), ("Update", first.id)]
    series = mailbox.put(folder, ODDITIES["series_daily"](Desk(4, 0, "daily")))
    root = asker.ask(sync_items(element, state_of(root)))
    assert changes(root) == [("Create", series.id)]
    delete_occurrence(mailbox, series, date(2026, 3, 27))
    root = asker.ask(sync_items(element, state_of(root)))
    assert changes(root) == [("Update", series.id)]
    mailbox.move(series, mailbox.distinguished("calendar"))
    assert [did for did, _ in changes(asker.ask(sync_items(element, state_of(root))))] == ["Delete"]


def test_listings_leave_out_what_only_getitem_gives(asker: Asker, mailbox: Mailbox) -> None:
    folder = mailbox.create_folder(mailbox.root, "Liste", folder_class="IPF.Appointment")
    mailbox.put(folder, ODDITIES["meeting_series"](Desk(4, 0, "x")))
    shape = fields("calendar:Start", "calendar:RequiredAttendees", "calendar:Recurrence", "calendar:UID")
    parents = f'<m:ParentFolderIds><t:FolderId Id="{folder.id}"/></m:ParentFolderIds>'
    root = asker.ask(f'<m:FindItem Traversal="Shallow">{shape}{parents}</m:FindItem>')
    found = root.find(".//t:Items/*", NS)
    assert found is not None
    assert names(found) == ["ItemId", "UID", "Start"]


def test_order_knows_the_calendar(asker: Asker, mailbox: Mailbox) -> None:
    folder = mailbox.create_folder(mailbox.root, "Suche", folder_class="IPF.Appointment")
    items = [mailbox.put(folder, ODDITIES[name](Desk(4, 0, name))) for name in ("days", "far_past", "utc")]
    order = (
        '<m:SortOrder><t:FieldOrder Order="Descending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder>'
        "</m:SortOrder>"
    )
    parents = f'<m:ParentFolderIds><t:FolderId Id="{folder.id}"/></m:ParentFolderIds>'
    root = asker.ask(f'<m:FindItem Traversal="Shallow">{IDS_ONLY}{order}{parents}</m:FindItem>')
    found = [each.get("Id") for each in root.iterfind(".//t:ItemId", NS)]
    assert found == [items[2].id, items[0].id, items[1].id]


def test_gromox_has_nine_digits_and_fewer_elements(world: World, mailbox: Mailbox) -> None:
    item = put(mailbox, "meeting_series")
    with FaultyExchange(world, dialect="gromox") as running, asking(running, mailbox.address) as asker:
        found = one(asker, item.id)
        event = event_of(item)
        assert text(found, "Start") == f"{event.begins:%Y-%m-%dT%H:%M:%S}.000000000Z"
        assert text(found, "Recurrence/EndDateRecurrence/StartDate") == "2026-01-07T00:00:00.000000000Z"
        assert found.find("t:FirstOccurrence", NS) is None
        data = base64.b64decode(text(found, "MimeContent") or "")
        assert data.startswith(b"MIME-Version: 1.0\r\nContent-Type: text/calendar")
        listed = one(asker, item.id, IDS_ONLY)
        assert names(listed) == [
            "ItemId", "IsRecurring", "CalendarItemType", "Recurrence", "DeletedOccurrences"]  # fmt: skip


def test_an_event_is_a_value() -> None:
    event = ODDITIES["series_many"](Desk(1, 0, "x"))
    assert event == ODDITIES["series_many"](Desk(1, 0, "x"))
    assert isinstance(replace(event, start=event.start + timedelta(hours=1)), Event)


def test_a_narrow_view_shows_what_a_wide_one_shows_there() -> None:
    start, days = datetime(2024, 3, 1, tzinfo=UTC), timedelta(days=60)
    desk = Desk(4, 0, "c")
    week = timed(desk, "Wöchentlich", datetime(2024, 2, 6, 23), zone=NEW_YORK)
    long = replace(week, end=week.end + timedelta(days=9), recurrence=Recurrence(Daily(every=5)))
    moved = replace(week, start=week.start + timedelta(days=40), end=week.end + timedelta(days=40))
    series = replace(week, recurrence=Recurrence(Daily()), changed=(Changed(date(2024, 2, 8), moved),))
    for event in (week, long, series):
        wide = instances(event, start, start + days)
        for hours in range(0, 24 * 60, 7):
            begin, end = start + timedelta(hours=hours), start + timedelta(hours=hours + 7)
            there = [one for one in wide if one.begins < end and one.finishes > begin]
            assert instances(event, begin, end) == there
