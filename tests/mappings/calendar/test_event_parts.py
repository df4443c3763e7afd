"""Texts, HTML, marks, reminders, attachments: one property at a time."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import pytest
from event_native import BERLIN, context, event_xml, native
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from mappings.fields.html_text import plain
from mappings.registry import map_event
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Native

REMINDER = (
    "<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>{}</t:ReminderMinutesBeforeStart>"
)
WEEKLY = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday</t:DaysOfWeek>"
    "</t:WeeklyRecurrence><t:NoEndRecurrence><t:StartDate>2026-06-02</t:StartDate></t:NoEndRecurrence>"
    "</t:Recurrence>"
)


def made(
    inner: str, start: str = "2026-12-02T07:00:00Z", end: str = "2026-12-02T08:00:00Z"
) -> tuple[Event, list[str]]:
    found = map_event(native(event_xml(inner, start, end)), context())
    event = Calendar.from_ical(found.item.body().read()).walk("VEVENT")[0]
    return event, [f"{loss.field}/{loss.reason}" for loss in found.losses]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("<p> </p>", ""),
        ("a &amp; b&nbsp;&lt;c&gt;", "a & b <c>"),
        ("<p>One<br>two</p><p>three</p>", "One\ntwo\n\nthree"),
        ("<style>x</style><script>y</script><head><title>t</title></head>z", "z"),
        ("<div>a<!-- no -->b</div><![if !vml]>c<![endif]>", "ab\nc"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("a\n   b\t c", "a b c"),
        ('<a href="https://x.example/">here</a>', "here <https://x.example/>"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/"),
        ('<a href="mailto:a@b.example">mail</a>', "mail"),
        ("<ol><li>one<li>two</ol>", "- one\n\n- two"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 2"),
        ("<b>unclosed <i>tags", "unclosed tags"),
        ("<div>" * 3000 + "deep", "deep"),
    ],
)
def test_plain_text_of_html(html: str, text: str) -> None:
    assert plain(html) == text


@given(st.text(max_size=200))
def test_no_html_is_too_strange(html: str) -> None:
    assert isinstance(plain(html), str)


def test_the_servers_own_plain_text_is_preferred() -> None:
    event, lost = made('<t:Body BodyType="HTML">&lt;p&gt;x&lt;/p&gt;</t:Body><t:TextBody>y</t:TextBody>')
    assert (event["DESCRIPTION"], event["X-ALT-DESC"]) == ("y", "<p>x</p>")
    assert event["X-ALT-DESC"].params["FMTTYPE"] == "text/html"
    assert lost == []


def test_a_text_body_has_no_html_and_an_empty_page_no_text() -> None:
    event, _ = made('<t:Body BodyType="Text">&lt;p&gt;x&lt;/p&gt;</t:Body>')
    assert event["DESCRIPTION"] == "<p>x</p>"
    assert "X-ALT-DESC" not in event
    event, _ = made('<t:Body BodyType="HTML">&lt;html&gt;&lt;body&gt;&lt;/body&gt;&lt;/html&gt;</t:Body>')
    assert "DESCRIPTION" not in event
    assert "X-ALT-DESC" not in event


def test_a_text_cut_short_is_named() -> None:
    assert made('<t:Body BodyType="Text" IsTruncated="true">x</t:Body>')[1] == ["text/truncated"]


@pytest.mark.parametrize(
    "character", ["&#x0;", "&#x1;", "&#31;", "&#xB;", "&#x7F;", "&#xD800;", "&#xFFFF;", "\x02"]
)
def test_what_calendars_cannot_carry_is_taken_out_and_named(character: str) -> None:
    event, lost = made(f"<t:Subject>a{character}b</t:Subject>")
    assert event["SUMMARY"] == "ab"
    assert lost == ["text/control-characters"]


def test_ordinary_characters_stay() -> None:
    event, lost = made("<t:Subject>a&#x9;b\U0001f600 e&#x301; &#xFFFD; &#x85;</t:Subject>")
    assert event["SUMMARY"] == "a\tb\U0001f600 e\u0301 \ufffd"
    assert lost == []


def test_a_target_that_splits_categories_gets_no_comma() -> None:
    xml = event_xml(
        "<t:Categories><t:String>a,b;c</t:String></t:Categories>",
        "2026-12-02T07:00:00Z",
        "2026-12-02T08:00:00Z",
    )
    told = context()
    found = map_event(native(xml), replace(told, target=replace(told.target, category_commas=False)))
    event = Calendar.from_ical(found.item.body().read()).walk("VEVENT")[0]
    assert event["CATEGORIES"].cats == ["a\N{SINGLE LOW-9 QUOTATION MARK}b;c"]
    assert Loss("categories", "comma-replaced") in found.losses


@pytest.mark.parametrize(
    ("shown", "transparency", "lost"),
    [
        ("Free", "TRANSPARENT", False),
        ("Busy", "OPAQUE", False),
        ("Tentative", "OPAQUE", False),
        ("OOF", "OPAQUE", True),
        ("WorkingElsewhere", "TRANSPARENT", True),
    ],
)
def test_a_target_that_forgets_outlook_s_word_gets_none(shown: str, transparency: str, lost: bool) -> None:
    xml = event_xml(
        f"<t:LegacyFreeBusyStatus>{shown}</t:LegacyFreeBusyStatus>",
        "2026-12-02T07:00:00Z",
        "2026-12-02T08:00:00Z",
    )
    told = context()
    found = map_event(native(xml), replace(told, target=replace(told.target, busy_words=False)))
    event = Calendar.from_ical(found.item.body().read()).walk("VEVENT")[0]
    assert (event["TRANSP"], event.get("X-MICROSOFT-CDO-BUSYSTATUS")) == (transparency, None)
    assert (Loss("show-as", "free-or-busy") in found.losses) == lost


def test_categories_once_each_and_none_without_a_name() -> None:
    names = "".join(f"<t:String>{name}</t:String>" for name in ("Rot", "a, b", "Rot", " "))
    event, lost = made(f"<t:Categories>{names}</t:Categories>")
    assert event["CATEGORIES"].cats == ["Rot", "a, b"]
    assert lost == ["categories/colour-not-kept", "categories/empty-name"]


@pytest.mark.parametrize(
    ("inner", "name", "value", "lost"),
    [
        ("<t:Sensitivity>Private</t:Sensitivity>", "CLASS", "PRIVATE", []),
        ("<t:Sensitivity>Confidential</t:Sensitivity>", "CLASS", "CONFIDENTIAL", []),
        ("<t:Sensitivity>Personal</t:Sensitivity>", "CLASS", "PRIVATE", ["sensitivity/shown-as-private"]),
        ("<t:Sensitivity>Secret</t:Sensitivity>", "CLASS", "PRIVATE", ["sensitivity/shown-as-private"]),
        ("", "CLASS", "PUBLIC", []),
        ("<t:Importance>Normal</t:Importance>", "PRIORITY", None, []),
        ("<t:LegacyFreeBusyStatus>Tentative</t:LegacyFreeBusyStatus>", "STATUS", "TENTATIVE", []),
        ("<t:IsCancelled>true</t:IsCancelled>", "STATUS", "CANCELLED", []),
        ("<t:LegacyFreeBusyStatus>Free</t:LegacyFreeBusyStatus>", "TRANSP", "TRANSPARENT", []),
        (
            "<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus>",
            "TRANSP",
            "OPAQUE",
            ["show-as/outlook-only"],
        ),
        (
            "<t:LegacyFreeBusyStatus>Odd</t:LegacyFreeBusyStatus>",
            "TRANSP",
            "OPAQUE",
            ["show-as/unknown-value"],
        ),
        ("<t:AllowNewTimeProposal>true</t:AllowNewTimeProposal>", "X-MICROSOFT-DISALLOW-COUNTER", None, []),
        ("<t:AppointmentSequenceNumber>-1</t:AppointmentSequenceNumber>", "SEQUENCE", 0, []),
        ("<t:AppointmentSequenceNumber>99999999999</t:AppointmentSequenceNumber>", "SEQUENCE", 2**31 - 1, []),
        ("<t:NetShowUrl>https://a.example/</t:NetShowUrl>", "URL", "https://a.example/", []),
        ("<t:NetShowUrl>javascript:x</t:NetShowUrl>", "URL", None, []),
        ("<t:JoinOnlineMeetingUrl>x</t:JoinOnlineMeetingUrl>", "CONFERENCE", None, []),
    ],
)
def test_marks(inner: str, name: str, value: object, lost: list[str]) -> None:
    event, found = made(inner)
    assert event.get(name) == value
    assert found == lost


def named(owner: str, number: int, value: str) -> str:
    uri = f'<t:ExtendedFieldURI PropertySetId="{owner}" PropertyId="{number}"/>'
    return f"<t:ExtendedProperty>{uri}<t:Value>{value}</t:Value></t:ExtendedProperty>"


COMMON, APPOINTMENT = "00062008-0000-0000-c000-000000000046", "00062002-0000-0000-C000-000000000046"


@pytest.mark.parametrize(
    ("inner", "privacy", "lost"),
    [
        (named(COMMON, 34054, "true"), "PRIVATE", []),
        (named(COMMON, 34054, "false"), "PUBLIC", []),
        (named(COMMON, 34054, "true") + "<t:Sensitivity>Confidential</t:Sensitivity>", "CONFIDENTIAL", []),
        (named(APPOINTMENT, 0x8214, "3"), "PUBLIC", ["colour/label-not-kept"]),
        (named(APPOINTMENT, 0x8214, "0"), "PUBLIC", []),
    ],
)
def test_what_stands_beside_the_item(inner: str, privacy: str, lost: list[str]) -> None:
    event, found = made(inner)
    assert (event["CLASS"], found) == (privacy, lost)


def test_coordinates_on_no_map() -> None:
    address = "<t:PostalAddress><t:Latitude>91</t:Latitude><t:Longitude>1</t:Longitude></t:PostalAddress>"
    event, lost = made(
        f"<t:EnhancedLocation><t:DisplayName>Pol</t:DisplayName>{address}</t:EnhancedLocation>"
    )
    assert event["LOCATION"] == "Pol"
    assert "GEO" not in event
    assert lost == ["location/impossible-coordinates"]


@pytest.mark.parametrize(
    ("minutes", "trigger"),
    [("15", -15), ("0", 0), ("-5", 5), ("20160", -20160), ("", -15), ("1525252321", -15)],
)
def test_reminders(minutes: str, trigger: int) -> None:
    event, lost = made(REMINDER.format(minutes))
    (alarm,) = event.walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(minutes=trigger)
    assert (alarm["ACTION"], alarm["TRIGGER"].params["RELATED"]) == ("DISPLAY", "START")
    assert "ACKNOWLEDGED" not in alarm
    assert lost == []


def test_a_reminder_years_away_is_left_out() -> None:
    event, lost = made(REMINDER.format(99999999))
    assert event.walk("VALARM") == []
    assert lost == ["reminder/impossible-time"]


@pytest.mark.parametrize(
    ("inner", "start", "end", "acknowledged"),
    [
        ("", "2026-11-25T10:00:00Z", "2026-11-25T12:00:00Z", True),
        ("", "2026-11-25T10:00:00Z", "2026-11-25T12:00:01Z", False),
        ("", "2026-11-25T12:10:00Z", "2026-11-25T13:00:00Z", False),
        (WEEKLY + BERLIN, "2026-06-02T07:00:00Z", "2026-06-02T08:00:00Z", True),
        (WEEKLY + BERLIN, "2026-12-01T07:00:00Z", "2026-12-01T08:00:00Z", False),
    ],
)
def test_nothing_old_pops_up(inner: str, start: str, end: str, acknowledged: bool) -> None:
    event, _ = made(inner + REMINDER.format(30), start, end)
    (alarm,) = event.walk("VALARM")
    found = alarm.get("ACKNOWLEDGED")
    assert (found.dt if found else None) == (datetime(2026, 11, 25, 12, tzinfo=UTC) if acknowledged else None)


def file(id_: str, extra: str = "") -> str:
    return f'<t:FileAttachment><t:AttachmentId Id="{id_}"/><t:Name>{id_}</t:Name>{extra}</t:FileAttachment>'


def attached(*files: str) -> str:
    return event_xml(f"<t:Attachments>{''.join(files)}</t:Attachments>")


def counted(data: bytes, read: list[int]) -> Callable[[], BinaryIO]:
    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            got = super().read(size)
            read.append(len(got))
            return got

    return lambda: Counted(data)


def test_no_more_is_read_than_the_target_takes() -> None:
    read: list[int] = []
    record = native(attached(file("a"), file("b")))
    bodies = {name: counted(b"x" * 10**6, read) for name in "ab"}
    large = Native(record.ref, record.format, {"Attachments": bodies}, record.body)
    target = Capabilities(frozenset({Kind.CALENDAR}), max_bytes=4000)
    with pytest.raises(Rejected, match="too-large"):
        map_event(large, context(target=target))
    assert sum(read) <= 3001


def test_an_attachment_too_large_is_left_out_unread() -> None:
    read: list[int] = []
    record = native(attached(file("a")))
    large = Native(
        record.ref, record.format, {"Attachments": {"a": counted(b"x" * 10**6, read)}}, record.body
    )
    target = Capabilities(frozenset({Kind.CALENDAR}), attachment_bytes=1000)
    found = map_event(large, context(target=target))
    assert [loss.reason for loss in found.losses] == ["too-large"]
    assert sum(read) <= 1001


@pytest.mark.parametrize(
    ("changed", "kept"),
    [("", True), ("<t:Occurrence><t:ItemId Id='o'/>{}</t:Occurrence>", False)],
)
def test_a_series_with_changed_occurrences_takes_smaller_attachments(changed: str, kept: bool) -> None:
    times = "<t:Start>2026-06-09T08:00:00Z</t:Start><t:End>2026-06-09T09:00:00Z</t:End>"
    times += "<t:OriginalStart>2026-06-09T07:00:00Z</t:OriginalStart>"
    series = (
        "<t:CalendarItemType>RecurringMaster</t:CalendarItemType>"
        f"<t:Attachments>{file('a')}{file('b')}</t:Attachments>{WEEKLY}"
        f"<t:ModifiedOccurrences>{changed.format(times)}</t:ModifiedOccurrences>"
    )
    record = native(
        event_xml(series, "2026-06-02T07:00:00Z", "2026-06-02T08:00:00Z"), {"a": b"x" * 500, "b": b"y" * 50}
    )
    target = Capabilities(frozenset({Kind.CALENDAR}), attachment_bytes=1000, series_attachment_bytes=100)
    found = map_event(record, context(target=target))
    assert (Loss("attachment", "too-large") not in found.losses) == kept
    events = Calendar.from_ical(found.item.body().read()).walk("VEVENT")
    assert len(events) == (1 if kept else 2)
    assert [len(event["ATTACH"]) if isinstance(event["ATTACH"], list) else 1 for event in events] == (
        [2] if kept else [1, 1]
    )


def test_an_occurrence_that_came_alone_takes_attachments_as_any_event() -> None:
    alone = f"<t:CalendarItemType>Exception</t:CalendarItemType><t:Attachments>{file('a')}</t:Attachments>"
    target = Capabilities(frozenset({Kind.CALENDAR}), attachment_bytes=1000, series_attachment_bytes=100)
    found = map_event(native(event_xml(alone), {"a": b"x" * 500}), context(target=target))
    assert [loss.reason for loss in found.losses] == ["occurrence-alone"]
    (event,) = Calendar.from_ical(found.item.body().read()).walk("VEVENT")
    assert event.decoded("ATTACH") == b"x" * 500


def test_attachments_come_back_byte_for_byte() -> None:
    data = bytes(range(256)) * 50
    found = map_event(
        native(attached(file("a", "<t:ContentType>x y</t:ContentType>")), {"a": data}), context()
    )
    event = Calendar.from_ical(found.item.body().read()).walk("VEVENT")[0]
    assert event.decoded("ATTACH") == data
    assert event["ATTACH"].params["FMTTYPE"] == "application/octet-stream"


def test_without_content_of_attachments_each_is_named_once() -> None:
    found = map_event(native(attached(file("a"), file("b"))), context())
    assert [loss.reason for loss in found.losses] == ["not-readable"]
