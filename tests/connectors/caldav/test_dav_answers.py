"""The answers of an event at the server, taken into what its organizer sends."""

from __future__ import annotations

import io

from connectors.caldav.answers import LINE_MOST, with_answers_of


def calendar(*events: str) -> bytes:
    inner = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inner}END:VCALENDAR\r\n".encode()


def taken(own: bytes, stored: bytes) -> bytes:
    return with_answers_of(own, lambda: io.BytesIO(stored))


def test_each_event_gets_its_own_answers_and_an_unknown_one_the_master_s() -> None:
    first, second = "RECURRENCE-ID:20260302T090000Z", "RECURRENCE-ID:20260303T090000Z"
    own = calendar(
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@x.example",
        f"{first}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@x.example",
        f"{second}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@x.example",
    )
    stored = calendar(
        "ATTENDEE;PARTSTAT=TENTATIVE:MAILTO:Anna@x.example",
        f"{first}\r\nATTENDEE;PARTSTAT=DECLINED:mailto:anna@x.example",
    )
    answers = [line for line in taken(own, stored).split(b"\r\n") if line.startswith(b"ATTENDEE")]
    words = [b"TENTATIVE", b"DECLINED", b"TENTATIVE"]
    assert answers == [b"ATTENDEE;PARTSTAT=%s:mailto:anna@x.example" % word for word in words]


def test_who_is_new_keeps_the_answer_and_who_has_none_gets_none() -> None:
    own = calendar("ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@x\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:new@x")
    stored = calendar("ATTENDEE:mailto:a@x\r\nATTENDEE;PARTSTAT=DECLINED:mailto:gone@x")
    assert taken(own, stored) == calendar("ATTENDEE:mailto:a@x\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:new@x")


def test_quoted_parameters_are_no_answers() -> None:
    name = ';CN="Adler; PARTSTAT=X:;PARTSTAT=Y, Anna"'
    own = calendar(f"ATTENDEE{name};partstat=ACCEPTED:mailto:a@x")
    stored = calendar(f"ATTENDEE{name};PARTSTAT=DECLINED:mailto:a@x")
    made = taken(own, stored).replace(b"\r\n ", b"")
    assert made == calendar(f"ATTENDEE;PARTSTAT=DECLINED{name}:mailto:a@x")


def test_folded_lines_are_read_whole_and_folded_between_characters() -> None:
    long = "Ä" * 100
    own = calendar(f"SUMMARY:{long}\r\nATTENDEE;PARTSTAT=ACC\r\n EPTED:mailto:a@\r\n\tx")
    made = taken(own, calendar("ATTENDEE;PARTSTAT=DECLINED:mailto:a@x"))
    assert max(map(len, made.split(b"\r\n"))) <= LINE_MOST
    for line in made.split(b"\r\n"):
        line.decode()
    assert made.replace(b"\r\n ", b"") == calendar(f"SUMMARY:{long}\r\nATTENDEE;PARTSTAT=DECLINED:mailto:a@x")


def test_what_is_no_event_stays() -> None:
    for own in (b"", b"BEGIN:VEVENT\r\n", b"ATTENDEE\r\n", b"ATTENDEE;PARTSTAT=X\r\n"):
        assert taken(own, calendar("ATTENDEE;PARTSTAT=DECLINED:mailto:a@x")) == own
