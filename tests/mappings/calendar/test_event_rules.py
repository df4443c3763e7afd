"""Events that do not move, by rule or because a person must look; and those at the edge that do."""

from __future__ import annotations

import pytest
from event_native import BERLIN, HEAD, context, event_xml, native

from mappings.calendar.event import skip_event
from mappings.losses.catalogue import REJECTIONS, SKIPS
from mappings.registry import map_event
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Native, Ref

DAILY = (
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
    "<t:NumberedRecurrence><t:StartDate>2026-06-02</t:StartDate>"
    "<t:NumberOfOccurrences>2</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"
)
DELETED = "<t:DeletedOccurrences>{}</t:DeletedOccurrences>".format(
    "".join(
        f"<t:DeletedOccurrence><t:Start>2026-06-0{day}T07:00:00Z</t:Start></t:DeletedOccurrence>"
        for day in (2, 3)
    )
)


@pytest.mark.parametrize(
    ("item_class", "code"),
    [
        ("IPM.Appointment", None),
        ("ipm.APPOINTMENT.Live Meeting Request", None),
        ("IPM.AppointmentSnapshot", "not-an-appointment"),
        ("IPM.Activity", "journal-in-calendar"),
        ("IPM.Schedule.Meeting.Request", "mail-in-calendar"),
        ("IPM.Note", "mail-in-calendar"),
        ("REPORT.IPM.Note.NDR", "mail-in-calendar"),
        ("IPM.Contact", "contact-in-calendar"),
        ("IPM.DistList", "contact-in-calendar"),
        ("IPM.Task", "task-in-calendar"),
        ("IPM.StickyNote", "note-in-calendar"),
        ("", "not-an-appointment"),
    ],
)
def test_what_moves_by_its_class(item_class: str, code: str | None) -> None:
    assert skip_event(native("", item_class=item_class)) == code
    assert code is None or code in SKIPS


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("no xml", "malformed-record"),
        (f"{HEAD}</m:Items>", "malformed-record"),
        ("<t:Contact><t:Subject>x</t:Subject></t:Contact>", "malformed-record"),
        (event_xml().replace("2026-06-02T07:00:00Z", ""), "start-missing"),
        (event_xml(start="0000-01-01T00:00:00Z"), "date-out-of-range"),
        (event_xml(end="10000-01-01T00:00:00Z"), "date-out-of-range"),
        (event_xml(BERLIN, end="9999-12-31T23:59:59Z"), "date-out-of-range"),
        (event_xml(BERLIN.replace("W. Europe", "Atlantis")), "unknown-time-zone"),
        (event_xml("<t:CalendarItemType>RecurringMaster</t:CalendarItemType>"), "unknown-recurrence"),
        (event_xml(BERLIN + DAILY.replace("DailyRec", "HourlyRec")), "unknown-recurrence"),
        (event_xml(BERLIN + DAILY + DELETED), "empty-series"),
        (event_xml(BERLIN + DAILY) + event_xml(BERLIN), "exception-without-origin"),
    ],
)
def test_what_needs_a_person(xml: str, code: str) -> None:
    record = native(xml.encode() if xml == "no xml" else xml)
    with pytest.raises(Rejected) as caught:
        map_event(record, context())
    assert caught.value.code == code
    assert code in REJECTIONS


def test_a_series_that_ends_before_it_begins_never_takes_place() -> None:
    ended = DAILY.replace("NumberedRecurrence", "EndDateRecurrence").replace(
        "<t:NumberOfOccurrences>2</t:NumberOfOccurrences>", "<t:EndDate>2026-06-01</t:EndDate>"
    )
    with pytest.raises(Rejected, match="empty-series"):
        map_event(native(event_xml(BERLIN + ended)), context())


def test_a_record_without_body_or_of_another_source() -> None:
    for known in ("ews-event", "graph-event"):
        with pytest.raises(Rejected, match="malformed-record"):
            map_event(Native(Ref("id-1", "v1"), known, {}), context())
    with pytest.raises(Rejected, match="unknown-format"):
        map_event(Native(Ref("id-1", "v1"), "ews-task", {}), context())


def test_errors_tell_nothing_of_the_record() -> None:
    secret = event_xml(BERLIN.replace("W. Europe", "Geheim") + "<t:Subject>Geheim</t:Subject>")
    with pytest.raises(Rejected) as caught:
        map_event(native(secret), context())
    assert "Geheim" not in f"{caught.value!r}{caught.value}"


def test_entities_are_not_followed() -> None:
    xml = f'<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]>{HEAD}' + event_xml(
        "<t:Subject>a&x;b</t:Subject></t:CalendarItem></m:Items>"
    ).removesuffix("</t:CalendarItem>")
    body = map_event(native(xml.encode()), context()).item.body().read()
    assert b"root:" not in body


def test_the_earliest_and_latest_dates_are_written_with_four_digits() -> None:
    record = native(event_xml(start="0987-01-02T03:04:05.999999999Z", end="9998-12-31T23:00:00Z"))
    text = map_event(record, context()).item.body().read()
    assert b"DTSTART:09870102T030405Z" in text
    assert b"DTEND:99981231T230000Z" in text


@pytest.mark.parametrize(
    ("uid", "expected", "lost"),
    [
        ("a b@c", "a b@c", []),
        ("  x\n y ", "x y", []),
        ("", "kogge-53c507d05b826bcc0ef01e54799aca72", []),
        ("u" * 255, "u" * 255, []),
        ("u" * 256, "kogge-53c507d05b826bcc0ef01e54799aca72", ["uid/too-long"]),
        ("ü" * 128, "kogge-53c507d05b826bcc0ef01e54799aca72", ["uid/too-long"]),
    ],
)
def test_the_uid_is_the_sources_own_where_servers_take_it(uid: str, expected: str, lost: list[str]) -> None:
    found = map_event(native(event_xml().replace("u@kogge.example", uid)), context())
    assert found.item.uid == expected
    assert [f"{loss.field}/{loss.reason}" for loss in found.losses] == lost
    assert f"UID:{expected}".encode() in found.item.body().read().replace(b"\r\n ", b"")


def test_an_occurrence_without_its_series_stands_alone() -> None:
    xml = event_xml("<t:CalendarItemType>Exception</t:CalendarItemType>")
    found = map_event(native(xml), context())
    assert [loss.reason for loss in found.losses] == ["occurrence-alone"]
    assert b"RECURRENCE-ID" not in found.item.body().read()


def test_more_than_the_target_takes_is_refused_as_a_whole() -> None:
    subject = event_xml(f"<t:Subject>{'x' * 500}</t:Subject>")
    small = Capabilities(frozenset({Kind.CALENDAR}), max_bytes=700)
    assert map_event(native(event_xml()), context(target=small)).item.size <= 700
    with pytest.raises(Rejected, match="too-large"):
        map_event(native(subject), context(target=small))
