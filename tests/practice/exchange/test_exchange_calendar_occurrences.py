"""Occurrences and attachments of the practice Exchange: ids of their own, and what goes wrong with them."""

from __future__ import annotations

import base64
from datetime import date

import pytest
from ews_asking import (
    IDS_ONLY,
    NS,
    Asker,
    codes,
    get_items,
)
from ews_reading import one, put, text
from lxml import etree
from practice_fixtures import exchange_fixture, mailbox_fixture, world_fixture
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import FaultPlan, item_server_busy, vanish

from practice.calendar.events import ODDITIES
from practice.world.diary import delete_occurrence, event_of
from practice.world.world import Mailbox, World

world = world_fixture(seed=4, people=3, items=4, nasty=False)
server = exchange_fixture(faults=FaultPlan.none())
mailbox = mailbox_fixture(0)


def test_modified_and_deleted_occurrences(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_exceptions")
    found = one(asker, item.id)
    modified = found.findall("t:ModifiedOccurrences/t:Occurrence", NS)
    assert len(modified) == 5
    assert len(found.findall("t:DeletedOccurrences/t:DeletedOccurrence", NS)) == 3
    ids = [each.find("t:ItemId", NS).get("Id", "") for each in modified]  # type: ignore[union-attr]
    assert len({item.id, *ids}) == 6
    for id_, named_ in zip(ids, modified, strict=True):
        each = one(asker, id_)
        assert text(each, "CalendarItemType") == "Exception"
        assert text(each, "Start") == text(named_, "Start")
        assert text(each, "OriginalStart") == text(named_, "OriginalStart") == text(each, "RecurrenceId")
        assert text(each, "UID") == text(found, "UID")
        assert each.find("t:Recurrence", NS) is None
    assert text(found, "FirstOccurrence/OriginalStart") == "2026-01-05T08:00:00Z"
    assert text(found, "LastOccurrence/Start") == "2026-12-14T08:00:00Z"


@pytest.mark.parametrize("name", [name for name in ODDITIES if name.startswith(("series_", "meeting_"))])
def test_a_modified_occurrence_says_what_its_series_says_of_it(
    asker: Asker, mailbox: Mailbox, name: str
) -> None:
    item = put(mailbox, name)
    for listed in one(asker, item.id).iterfind("t:ModifiedOccurrences/t:Occurrence", NS):
        id_ = listed.find("t:ItemId", NS)
        assert id_ is not None
        own = one(asker, id_.get("Id", ""))
        for field in ("Start", "End", "OriginalStart"):
            assert text(own, field) == text(listed, field)


def test_a_series_without_an_end_has_no_last_occurrence(asker: Asker, mailbox: Mailbox) -> None:
    found = one(asker, put(mailbox, "series_monthly_31").id)
    assert found.find("t:LastOccurrence", NS) is None
    assert text(found, "Recurrence/AbsoluteMonthlyRecurrence/DayOfMonth") == "31"
    assert text(found, "Recurrence/NoEndRecurrence/StartDate") == "2025-01-31+01:00"


def test_an_occurrence_deleted_between_calls_is_not_found(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_exceptions")
    day = date(2026, 1, 12)
    id_ = mailbox.occurrence(item, day).id
    assert codes(asker.ask(get_items(id_))) == ["NoError"]
    delete_occurrence(mailbox, item, day)
    assert codes(asker.ask(get_items(id_, item.id))) == ["ErrorItemNotFound", "NoError"]


def test_an_occurrence_fails_once(asker: Asker, server: FaultyExchange, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_exceptions")
    id_ = mailbox.occurrence(item, date(2026, 1, 12)).id
    assert server.faults is not None
    server.faults.script("GetItem", 1, item_server_busy(id_))
    assert codes(asker.ask(get_items(item.id, id_))) == ["NoError", "ErrorServerBusy"]
    assert codes(asker.ask(get_items(item.id, id_))) == ["NoError", "NoError"]


def test_vanish_takes_the_occurrence_and_leaves_the_series(
    asker: Asker, server: FaultyExchange, world: World, mailbox: Mailbox
) -> None:
    item = put(mailbox, "series_exceptions")
    id_ = mailbox.occurrence(item, date(2026, 1, 19)).id
    server.faults = FaultPlan(on_vanish=world.vanish)
    server.faults.script("GetItem", 1, vanish(id_))
    assert codes(asker.ask(get_items(id_))) == ["ErrorItemNotFound"]
    server.faults = FaultPlan.none()
    assert codes(asker.ask(get_items(id_, item.id))) == ["ErrorItemNotFound", "NoError"]
    assert date(2026, 1, 19) in event_of(item).deleted


def by_index(master: str, index: int) -> str:
    id_ = f'<t:OccurrenceItemId RecurringMasterId="{master}" InstanceIndex="{index}"/>'
    return f"<m:GetItem>{IDS_ONLY}<m:ItemIds>{id_}</m:ItemIds></m:GetItem>"


def test_occurrences_by_their_number(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_first_and_last")
    expected = {1: "ErrorCalendarOccurrenceIsDeletedFromRecurrence", 2: "NoError", 5: "NoError",
                6: "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", 0: "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"}  # fmt: skip # noqa: E501
    for index, code in expected.items():
        assert codes(asker.ask(by_index(item.id, index))) == [code]
    single = put(mailbox, "file")
    assert codes(asker.ask(by_index(single.id, 1))) == ["ErrorCalendarCannotUseIdForRecurringMasterId"]


def test_the_master_of_an_occurrence(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_daily")
    for id_, code in ((mailbox.occurrence(item, date(2026, 3, 28)).id, "NoError"),
                      (item.id, "ErrorCalendarCannotUseIdForOccurrenceId")):  # fmt: skip
        ids = f'<t:RecurringMasterItemId OccurrenceId="{id_}"/>'
        root = asker.ask(f"<m:GetItem>{IDS_ONLY}<m:ItemIds>{ids}</m:ItemIds></m:GetItem>")
        assert codes(root) == [code]
        if code == "NoError":
            assert root.find(".//t:ItemId", NS).get("Id") == item.id  # type: ignore[union-attr]


def attachments(asker: Asker, *ids: str) -> etree._Element:
    each = "".join(f'<t:AttachmentId Id="{one}"/>' for one in ids)
    shape = "<m:AttachmentShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:AttachmentShape>"
    return asker.ask(f"<m:GetAttachment>{shape}<m:AttachmentIds>{each}</m:AttachmentIds></m:GetAttachment>")


def ids_of(found: etree._Element) -> list[str]:
    return [each.get("Id", "") for each in found.iterfind("t:Attachments/*/t:AttachmentId", NS)]


def test_files_pictures_and_one_that_cannot_be_read(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "picture_and_file")
    found = one(asker, item.id)
    assert [each.text for each in found.iterfind("t:Attachments/*/t:IsInline", NS)] == ["true", "false"]
    contents = attachments(asker, *ids_of(found)).findall(".//t:Content", NS)
    assert [base64.b64decode(each.text or "") for each in contents] == [
        each.content for each in event_of(item).base.attachments
    ]
    only_inline = one(asker, put(mailbox, "inline_picture").id)
    assert text(only_inline, "HasAttachments") == "false"
    assert len(ids_of(only_inline)) == 1
    broken = one(asker, put(mailbox, "unreadable_attachment").id)
    assert codes(attachments(asker, *ids_of(broken))) == ["ErrorCannotOpenFileAttachment", "NoError"]


def test_attached_items(asker: Asker, mailbox: Mailbox) -> None:
    for name, tag in (("item_attachment", "Message"), ("event_attachment", "CalendarItem")):
        item = put(mailbox, name)
        found = attachments(asker, *ids_of(one(asker, item.id))).find(f".//t:ItemAttachment/t:{tag}", NS)
        assert found is not None
        content = base64.b64decode(text(found, "MimeContent") or "")
        assert content == event_of(item).base.attachments[0].content


def test_the_attachment_of_an_occurrence(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_other_attendees")
    occurrence = one(asker, mailbox.occurrence(item, date(2026, 2, 9)).id)
    assert text(occurrence, "OptionalAttendees/Attendee/ResponseType") == "Unknown"
    content = attachments(asker, *ids_of(occurrence)).findtext(".//t:Content", namespaces=NS)
    assert base64.b64decode(content or "") == b"Folien folgen.\r\n"


def test_what_is_not_an_occurrence_is_not_found(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_daily")
    box = mailbox.ids
    wrong = [
        box.occurrence(item.folder.number, item.number, day)
        for day in (0, 2**32 - 1, date(2020, 1, 1).toordinal())
    ]
    single = put(mailbox, "file")
    wrong.append(box.occurrence(single.folder.number, single.number, date(2026, 3, 3).toordinal()))
    assert set(codes(asker.ask(get_items(*wrong)))) == {"ErrorItemNotFound"}


def test_a_moved_series_takes_its_occurrences_along(asker: Asker, mailbox: Mailbox) -> None:
    item = put(mailbox, "series_daily")
    old = mailbox.occurrence(item, date(2026, 3, 28)).id
    mailbox.move(item, mailbox.create_folder(mailbox.root, "Ziel", folder_class="IPF.Appointment"))
    new = mailbox.occurrence(item, date(2026, 3, 28)).id
    assert codes(asker.ask(get_items(old, new))) == ["ErrorItemNotFound", "NoError"]
