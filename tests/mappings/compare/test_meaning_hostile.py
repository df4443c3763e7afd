"""What no server should give back: an answer or Rejected, soon, and without much memory."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meaning_written import (
    BERLIN,
    CARD,
    EVENT,
    NOT_AFTER,
    SERIES,
    calendar,
    card,
    component,
    crlf,
    differing,
    event,
)

from mappings.compare.semantic_digest import calendar_digest, card_digest
from model.errors import Rejected

START = "DTSTART:20260101T090000Z\n"
HERE, ZONE = "DTSTART;TZID=Q:20260101T090000\n", BERLIN.replace("Europe/Berlin", "Q")


def rejected(body: bytes) -> str:
    digest = card_digest if b"VCARD" in body[:20] else calendar_digest
    with pytest.raises(Rejected) as caught:
        digest(io.BytesIO(body), NOT_AFTER)
    assert caught.value.__cause__ is None
    return caught.value.code


MALFORMED = {
    "nothing": b"",
    "no calendar": b"<html>no</html>",
    "no end": event()[:-20],
    "two calendars": event() + event(),
    "something behind": event() + b"X:1\r\n",
    "no component": calendar(),
    "a journal": calendar(component(START, "VJOURNAL")),
    "two uids": calendar(component(START), component(START, uid="two")),
    "two masters": calendar(component(START), component(START)),
    "event and task": calendar(component(START), component(START, "VTODO")),
    "no start": event("SUMMARY:x\n"),
    "broken start": event("DTSTART:2026-13-01T00:00:00\n"),
    "start of another kind than end": event("DTSTART;VALUE=DATE:20260101\nDTEND:20260101T100000Z\n"),
    "broken rule": event(START + "RRULE:FREQ=SOMETIMES\n"),
    "rule without frequency": event(START + "RRULE:COUNT=3\n"),
    "rule that stands still": event(START + "RRULE:FREQ=DAILY;INTERVAL=0\n"),
    "rule with a broken number": event(START + "RRULE:FREQ=DAILY;COUNT=٣\n"),
    "rule with a huge number": event(START + f"RRULE:FREQ=DAILY;COUNT={'9' * 5000}\n"),
    "rule with a broken day": event(START + "RRULE:FREQ=WEEKLY;BYDAY=XX\n"),
    "many rules": event(START + "RRULE:FREQ=DAILY\n" * 5),
    "broken exception": event(START, "RECURRENCE-ID:soon\n" + START),
    "broken exdate": event(START + "EXDATE:never\n"),
    "broken length": event(START + "DURATION:P\n"),
    "length beyond the calendar": event(START + "DURATION:P999999W\n"),
    "zone without observance": event(HERE, zone="BEGIN:VTIMEZONE\nTZID:Q\nEND:VTIMEZONE\n"),
    "zone with a broken offset": event(HERE, zone=ZONE.replace("+0200", "late")),
    "zone by the second": event(HERE, zone=ZONE.replace("FREQ=YEARLY", "FREQ=SECONDLY")),
    "line without colon": event(EVENT + "hello\n"),
    "broken parameters": event(EVENT + 'X;A="b:c\n'),
    "deep": crlf("BEGIN:VCALENDAR\n" + "BEGIN:X\n" * 100_000),
    "crossed": crlf("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\nEND:VEVENT\n"),
    "only an end": crlf("END:VCALENDAR\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_broken_is_rejected(name: str) -> None:
    assert rejected(MALFORMED[name]) == "malformed-calendar"


@pytest.mark.parametrize(
    "body", [card() + card(), card()[:-12], b"BEGIN:VCARD", crlf("BEGIN:VCARD\nhello\nEND:VCARD\n")]
)
def test_a_broken_card_is_rejected(body: bytes) -> None:
    assert rejected(body) == "malformed-card"


HEAVY = {
    "every second": "RRULE:FREQ=SECONDLY\n",
    "every second of February's 30th": "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\n",
    "February's 30th": "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5\n",
    "daily February's 30th": "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=5\n",
    "weekly in vain": "RRULE:FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5\n",
    "monthly in vain": "RRULE:FREQ=MONTHLY;BYDAY=6MO;BYSETPOS=366;UNTIL=99991231T000000Z\n",
    "yearly in vain": "RRULE:FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=1;BYDAY=TU;COUNT=1000000\n",
    "to the end of time": "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z\n",
    "every second of days": f"RRULE:FREQ=DAILY;BYSECOND={','.join(map(str, range(60)))};"
    f"BYMINUTE={','.join(map(str, range(60)))};BYHOUR={','.join(map(str, range(24)))}\n",
    "one a thousand years": "RRULE:FREQ=YEARLY;INTERVAL=100000\n",
    "four of them": "RRULE:FREQ=DAILY;COUNT=999999999\n" * 4,
    "excluded": "RRULE:FREQ=DAILY\n" + "EXRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=99991231\n" * 4,
    "dates": "RDATE:" + ",".join(f"{year}0101T000000Z" for year in range(1000, 9999)) + "\n",
    "far exceptions": "RRULE:FREQ=DAILY\nEXDATE:99991231T000000Z\n",
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_rule_asks_for_no_more_than_there_is_time_for(name: str) -> None:
    body = event(START + HEAVY[name])
    began = time.process_time()
    assert len(calendar_digest(io.BytesIO(body), NOT_AFTER)) == 32
    assert time.process_time() - began < 2.5
    assert differing(body, event(START)) != () or "vain" in name or "30th" in name


def test_ten_thousand_attendees_and_exceptions() -> None:
    people = "".join(f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:p{number}@example.org\n" for number in range(10_000))
    body = event(START + people)
    starts = [NOT_AFTER + timedelta(hours=number) for number in range(4_000)]
    exceptions = [f"RECURRENCE-ID:{at:%Y%m%dT%H0000Z}\nDTSTART:{at:%Y%m%dT%H3000Z}\n" for at in starts]
    many = event(START + "RRULE:FREQ=DAILY\n", *exceptions)
    began = time.process_time()
    for each in (body, many):
        assert len(calendar_digest(io.BytesIO(each), NOT_AFTER)) == 32
    assert time.process_time() - began < 5


@pytest.mark.parametrize("frequency", ["DAILY", "YEARLY;BYDAY=SU,MO,TU,WE,TH,FR,SA"])
def test_a_rule_asks_for_no_more_memory_than_there_is(frequency: str) -> None:
    body = event(START + HEAVY["every second of days"].replace("DAILY", frequency))
    tracemalloc.start()
    try:
        assert len(calendar_digest(io.BytesIO(body), NOT_AFTER)) == 32
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_the_largest_object_is_bounded() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"X:" + b"a" * 1022 + b"\n" if size else b""

    tracemalloc.start()
    try:
        with pytest.raises(Rejected):
            calendar_digest(Endless(), NOT_AFTER)  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_broken_encodings_are_not_taken_for_each_other() -> None:
    def titled(title: bytes) -> bytes:
        return event(START + "SUMMARY:~\n").replace(b"~", title)

    assert differing(titled(b"\xff"), titled(b"\xfe")) == ("title",)
    assert differing(titled(b"\xff"), titled(b"\xff")) == ()
    assert differing(titled("ü".encode()), titled(b"\xfc")) == ("title",)
    folded = titled("ü".encode()).replace("ü".encode(), b"\xc3\r\n \xbc")
    assert differing(titled("ü".encode()), folded) == ()


def test_a_picture_of_no_encoding_at_all_is_compared_as_it_is() -> None:
    def shown(value: bytes) -> bytes:
        return card("FN:A\nPHOTO:~\n").replace(b"~", value)

    assert differing(shown(b"data:,\xff%41"), shown(b"data:,\xff%42")) == ("photo",)
    assert differing(shown(b"data:;base64,%%%"), shown(b"data:;base64,%%&")) == ("photo",)


def test_broken_values_that_say_nothing_of_time_are_compared_as_they_are() -> None:
    for line in (
        "GEO:north",
        "PRIORITY:high",
        "PERCENT-COMPLETE:half",
        "ATTACH;ENCODING=BASE64:%%%",
        "COMPLETED:yes",
    ):
        body = event(START + line + "\n")
        assert differing(body, body) == ()
        assert differing(body, event(START)) != ()
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:{}\nEND:VALARM\n"
    assert differing(event(START + alarm.format("soon")), event(START + alarm.format("late"))) == (
        "reminders",
    )


def outcome(body: bytes, digest: Callable[[BinaryIO, datetime], bytes]) -> str:
    try:
        return f"{len(digest(io.BytesIO(body), NOT_AFTER))} bytes"
    except Rejected as refused:
        return refused.code


PIECES = st.sampled_from(
    [*SERIES.splitlines(), *BERLIN.splitlines(), *CARD.splitlines(), "BEGIN:VEVENT", "END:VEVENT"]
)


@given(st.lists(PIECES | st.text(max_size=30), max_size=30), st.sampled_from(["VCALENDAR", "VCARD"]))
def test_anything_gives_an_answer_or_is_rejected(lines: list[str], name: str) -> None:
    text = "\n".join([f"BEGIN:{name}", *lines, f"END:{name}", ""])
    body = text.encode("utf-8", "surrogatepass")
    code, digest = (
        ("malformed-card", card_digest) if name == "VCARD" else ("malformed-calendar", calendar_digest)
    )
    assert outcome(body, digest) in {"32 bytes", code}


@given(st.data())
def test_a_damaged_event_gives_an_answer_or_is_rejected(data: st.DataObject) -> None:
    body = bytearray(event(SERIES, "RECURRENCE-ID:20261208T090000Z\n" + EVENT))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert outcome(bytes(body), calendar_digest) in {"32 bytes", "malformed-calendar"}
