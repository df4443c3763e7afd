"""Graph's JSON read into the element tree: what is odd, damaged or unknown in it."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from golden_records import NOT_AFTER
from hypothesis import given
from hypothesis import strategies as st

from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native, Ref

FORMATS = {Kind.CALENDAR: "graph-event", Kind.CONTACTS: "graph-contact", Kind.TASKS: "graph-task"}
WHEN = {"dateTime": "2026-03-02T08:00:00.0000000", "timeZone": "UTC"}
LATER = {"dateTime": "2026-03-02T09:00:00.0000000", "timeZone": "UTC"}
Json = dict[str, Any]


def event(**more: object) -> Json:
    return {"id": "E", "type": "singleInstance", "iCalUId": "U", "subject": "S", "start": WHEN, "end": LATER,
            "originalStartTimeZone": "W. Europe Standard Time", **more}  # fmt: skip


def mapped(kind: Kind, record: object) -> Mapped:
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    native = Native(Ref("id-1", "v1"), FORMATS[kind], {"Attachments": {}}, lambda: io.BytesIO(data))
    return ITEM_FORMS[kind].map(native, Context(Capabilities(frozenset({kind})), NOT_AFTER, NOT_AFTER))


def text(kind: Kind, record: object) -> str:
    return mapped(kind, record).item.body().read().decode().replace("\r\n ", "")


def losses(kind: Kind, record: object) -> set[str]:
    return {f"{loss.field}/{loss.reason}" for loss in mapped(kind, record).losses}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("body", [b"", b"<m:Items/>", b"[]", b"{}", b'{"item": []}', b"\xff", b"[" * 100_000])
def test_a_damaged_record_is_rejected(kind: Kind, body: bytes) -> None:
    with pytest.raises(Rejected, match="malformed-record"):
        mapped(kind, body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "subject", "title", "body", "categories", "sensitivity", "importance", "start", "end",
    "isAllDay", "location", "locations", "attendees", "organizer", "recurrence",
    "originalStartTimeZone", "responseStatus", "onlineMeeting", "singleValueExtendedProperties",
    "attachments", "emailAddresses", "homeAddress", "businessPhones", "birthday", "dueDateTime",
    "status", "checklistItems", "linkedResources", "children", "imAddresses", "createdDateTime",
)  # fmt: skip


@given(st.sampled_from(list(FORMATS)), st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=6))
def test_whatever_comes_is_mapped_or_rejected(kind: Kind, fields: Json) -> None:
    base = event() if kind is Kind.CALENDAR else {"id": "X"}
    with suppress(Rejected):
        assert mapped(kind, {"item": base | fields}).item.size > 0


def test_characters_that_no_xml_can_carry_are_named() -> None:
    record = {"item": event(subject="a\x00b\ud800c\ufffed")}
    assert "SUMMARY:abcd\r\n" in text(Kind.CALENDAR, record)
    assert losses(Kind.CALENDAR, record) == {"text/control-characters"}


def test_a_time_in_another_zone_than_asked_for_is_rejected_never_taken_for_utc() -> None:
    local = {"dateTime": "2026-03-02T08:00:00.0000000", "timeZone": "Tokyo Standard Time"}
    with pytest.raises(Rejected, match="date-out-of-range"):
        mapped(Kind.CALENDAR, {"item": event(start=local)})


def test_a_deleted_day_that_cannot_be_read_is_no_day_that_comes_back() -> None:
    weekly = {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
        "range": {"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": 5},
    }
    master = event(type="seriesMaster", recurrence=weekly)
    whole = text(Kind.CALENDAR, {"item": master, "cancelled": ["OID.E.2026-03-09"]})
    assert "EXDATE;TZID=Europe/Berlin:20260309T090000" in whole
    for broken in ("OID.E", "OID.E.2026-02-30", "OID.E.2026-03-09T00:00:00"):
        with pytest.raises(Rejected, match="malformed-record"):
            mapped(Kind.CALENDAR, {"item": master, "cancelled": [broken]})


def test_an_exception_finds_its_day_by_its_occurrence_id_too() -> None:
    weekly = {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
        "range": {"type": "noEnd", "startDate": "2026-03-02"},
    }
    changed = event(type="exception", iCalUId="another", subject="T", occurrenceId="OID.E.2026-04-06")
    whole = text(
        Kind.CALENDAR, {"item": event(type="seriesMaster", recurrence=weekly), "exceptions": [changed]}
    )
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260406T090000" in whole
    assert whole.count("UID:U\r\n") == 2


PLACES = [
    {"displayName": "A", "address": {"street": "Kai 1", "city": "Kiel"}},
    {"displayName": "B"},
]


def test_of_several_places_the_names_are_kept() -> None:
    record = {"item": event(location={"displayName": "A; B"}, locations=PLACES)}
    assert "LOCATION:A\\; B\r\n" in text(Kind.CALENDAR, record)
    assert losses(Kind.CALENDAR, record) == {"location/addresses-of-several"}
    one = {"item": event(location={"displayName": "A"}, locations=PLACES[:1])}
    assert "LOCATION:A\\, Kai 1\\, Kiel\r\n" in text(Kind.CALENDAR, one)
    assert losses(Kind.CALENDAR, one) == set()


def test_a_hidden_list_of_guests_is_named() -> None:
    guest = {"type": "required", "emailAddress": {"name": "B", "address": "b@example.org"}}
    record = {"item": event(attendees=[guest], organizer=guest, hideAttendees=True)}
    assert losses(Kind.CALENDAR, record) == {"attendee/list-was-hidden"}


def test_a_proposed_time_is_named() -> None:
    guest = {
        "type": "optional",
        "emailAddress": {"address": "b@example.org"},
        "status": {"response": "tentativelyAccepted"},
        "proposedNewTime": {"start": WHEN, "end": LATER},
    }
    record = {"item": event(attendees=[guest], organizer=guest)}
    assert losses(Kind.CALENDAR, record) == {"attendee/proposed-time"}
    assert "ROLE=OPT-PARTICIPANT" in text(Kind.CALENDAR, record)


def test_words_that_nobody_knows_are_named() -> None:
    record = {"item": event(showAs="dreaming", sensitivity="secret")}
    assert losses(Kind.CALENDAR, record) == {"show-as/unknown-value", "sensitivity/shown-as-private"}
    assert "CLASS:PRIVATE" in text(Kind.CALENDAR, record)


def test_ways_to_a_contact_that_only_graph_s_own_words_tell() -> None:
    card = text(
        Kind.CONTACTS,
        {
            "item": {
                "id": "C",
                "displayName": "Ute",
                "emailAddresses": [{"name": "Ute", "address": "ute@example.org"}],
                "businessPhones": ["1", "2", "3"],
                "homePhones": ["4"],
                "mobilePhone": "5",
                "yomiCompanyName": "ユテ",
            }
        },
    )
    assert card.count("TEL;") == 5
    assert "EMAIL;TYPE=INTERNET,PREF:ute@example.org" in card
    assert "X-PHONETIC-ORG:ユテ" in card
