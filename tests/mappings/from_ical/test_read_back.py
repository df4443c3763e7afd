"""What we wrote as iCalendar or vCard is read, and written again as it was; the rest is refused by name."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from golden_records import context
from hypothesis import given
from hypothesis import strategies as st

from mappings.from_ical.calendar_object import CalendarObject, read_object
from mappings.from_ical.card import read_card
from mappings.registry import ITEM_FORMS
from model.errors import Rejected
from model.icalendar_writer import calendar
from model.kinds import Kind
from model.protocols import Capabilities, Native, Ref

GOLDENS = Path(__file__).parents[1] / "goldens"
EVENTS = sorted(GOLDENS.glob("event/*/event.ics"))
TASKS = sorted(GOLDENS.glob("task/*.ics"))
CARDS = sorted(GOLDENS.glob("contact/*.vcf"))
_ZONE = re.compile(rb"BEGIN:VTIMEZONE\r\n.*?END:VTIMEZONE\r\n", re.DOTALL)
EVENT = "BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260101T090000Z\r\n{}END:VEVENT\r\n"
ODD = [
    "BEGIN:VEVENT", "END:VEVENT", "UID:a", "DTSTART;TZID=x:20260101T090000", "RRULE:FREQ=WEEKLY;BYDAY=XX",
    "RRULE:FREQ=;COUNT=-1", "EXDATE:20260101,", "DTSTART:00000000", "ATTACH;VALUE=BINARY:%", " folded",
    'ATTENDEE;CN="a;b:mailto:x', "VERSION:3.0", "TRIGGER;VALUE=DATE-TIME:-PT5M", "BEGIN:VALARM", "a;b;c:d",
]  # fmt: skip
NAMED = st.builds(lambda name, value: name.encode() + value, st.sampled_from(
    ["RRULE:", "RRULE:FREQ=DAILY;", "SUMMARY:", "X-A;X-B=", "ATTENDEE:", "RDATE:2026010", "BEGIN:", "URL:"]
), st.binary(max_size=30))  # fmt: skip
LINES = st.lists(st.one_of(st.binary(max_size=40), NAMED, st.sampled_from([line.encode() for line in ODD])))
EVENT_OUTCOMES = {
    "read", "malformed-record", "start-missing", "date-out-of-range", "unknown-recurrence", "unknown-format",
}  # fmt: skip


def read(body: str | bytes, name: str = "VEVENT") -> CalendarObject:
    data = body.encode() if isinstance(body, str) else body
    return read_object(io.BytesIO(data), name)


def written(found: CalendarObject) -> bytes:
    return calendar([each.written() for each in found.components])


def rewritten(data: bytes) -> bytes:
    return written(read(data))


def rendered(data: bytes) -> bytes:
    """A card as a target without limits gets it in the card's own version."""
    version = read_card(io.BytesIO(data)).version
    target = Capabilities(frozenset({Kind.CONTACTS}), vcard=version)
    native = Native(Ref("a", "1"), "vcard", {}, lambda: io.BytesIO(data))
    return ITEM_FORMS[Kind.CONTACTS].map(native, context(target)).item.body().read()


def framed(inner: str) -> str:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inner}END:VCALENDAR\r\n"


def components(data: bytes) -> bytes:
    """An object without its zones: how they are found is a matter of test_zone_names."""
    return _ZONE.sub(b"", data)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.parent.name)
def test_an_event_is_written_again_as_it_was(path: Path) -> None:
    assert written(read(path.read_bytes())) == components(path.read_bytes())


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_is_written_again_as_it_was(path: Path) -> None:
    assert written(read(path.read_bytes(), "VTODO")) == path.read_bytes()


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_card_is_written_again_as_it_was(path: Path) -> None:
    assert rendered(path.read_bytes()) == path.read_bytes()


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("", "malformed-record"),
        ("BEGIN:VEVENT\r\nUID:a\r\nEND:VEVENT\r\n", "start-missing"),
        (EVENT.format("") + EVENT.format(""), "malformed-record"),
        (EVENT.format("") + EVENT.format("").replace("UID:a", "UID:b"), "malformed-record"),
        (EVENT.format("EXDATE:20261301\r\n"), "date-out-of-range"),
        (EVENT.format("EXDATE:soon\r\n"), "malformed-record"),
        (EVENT.format("RRULE:FREQ=NEVER\r\n"), "unknown-recurrence"),
        (EVENT.format('ATTENDEE;CN="a:mailto:b@example.org\r\n'), "malformed-record"),
        (EVENT.format("RRULE:FREQ=DAILY;INTERVAL=0\r\n"), "unknown-recurrence"),
        (EVENT.format("RRULE:FREQ=DAILY;X-EASTER=1\r\n"), "unknown-recurrence"),
        (EVENT.format("") + "BEGIN:VTODO\r\nUID:a\r\nEND:VTODO\r\n", "malformed-record"),
        (EVENT.format("BEGIN:VALARM\r\n"), "malformed-record"),
    ],
)
def test_what_is_no_event_is_refused_by_name(inner: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        read(framed(inner))
    assert refused.value.code == code


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(Rejected, match="malformed-record"):
        read(framed(EVENT.format("SUMMARY:@\r\n")).encode().replace(b"@", b"\xff"))


def test_an_occurrence_comes_after_its_series_and_folds_are_undone() -> None:
    occurrence = EVENT.format("RECURRENCE-ID:20260102T090000Z\r\n")
    found = read(framed(occurrence + EVENT.format("SUMMARY:Jour\r\n  fixe\r\nX-OURS;X-A=1:a\\,b;c\r\n")))
    assert [each.first("RECURRENCE-ID") is None for each in found.components] == [True, False]
    assert found.components[0].said("SUMMARY") == "Jour fixe"
    assert b"X-OURS;X-A=1:a\\,b;c\r\n" in found.components[0].written()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("BEGIN:VCARD\r\nVERSION:2.1\r\nFN:a\r\nEND:VCARD\r\n", "unknown-format"),
        ("BEGIN:VCARD\r\nFN:a\r\nEND:VCARD\r\n", "malformed-record"),
        ("BEGIN:VCARD\r\nVERSION:4.0\r\n", "malformed-record"),
        ("BEGIN:VCARD\r\nVERSION:4.0\r\nEND:VCARD\r\nBEGIN:VCARD\r\nEND:VCARD\r\n", "malformed-record"),
        ("BEGIN:VCALENDAR\r\nVERSION:3.0\r\nEND:VCALENDAR\r\n", "malformed-record"),
        ("", "malformed-record"),
    ],
)
def test_what_is_no_card_is_refused_by_name(body: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        read_card(io.BytesIO(body.encode()))
    assert refused.value.code == code


def outcome(read_and_write: Callable[[], object]) -> str:
    """Return "read", or the code of the refusal."""
    try:
        read_and_write()
    except Rejected as refused:
        return refused.code
    return "read"


@given(LINES)
def test_anything_is_read_or_refused_and_what_was_read_can_be_written(lines: list[bytes]) -> None:
    inner = b"\r\n".join(lines) + b"\r\n"
    frame, event = framed("@").encode(), EVENT.format("@").encode()
    for body in (inner, frame.replace(b"@", inner), frame.replace(b"@", event.replace(b"@", inner))):
        assert outcome(partial(rewritten, body)) in EVENT_OUTCOMES
    body = b"BEGIN:VCARD\r\nVERSION:3.0\r\n" + inner + b"END:VCARD\r\n"
    assert outcome(partial(rendered, body)) in {"read", "malformed-record", "unknown-format"}
