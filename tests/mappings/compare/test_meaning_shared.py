"""What an attendee's copy of a meeting and the organizer's have in common, and what is lost by that."""

from __future__ import annotations

import io

import pytest
from meaning_written import NOT_AFTER

from mappings.compare.shared_meeting import is_invitation, shared

ME = frozenset({"me@kiel.example"})
MASTER = """BEGIN:VEVENT
UID:u1
DTSTART:20261201T090000Z
DTEND:20261201T100000Z
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Runde
LOCATION:Saal
ORGANIZER:mailto:boss@kiel.example
ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@kiel.example
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bert@kiel.example
END:VEVENT
"""
ONE = """BEGIN:VEVENT
UID:u1
RECURRENCE-ID:20261203T090000Z
DTSTART:20261203T090000Z
DTEND:20261203T100000Z
SUMMARY:Runde
LOCATION:Saal
ORGANIZER:mailto:boss@kiel.example
ATTENDEE;PARTSTAT=DECLINED:mailto:me@kiel.example
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bert@kiel.example
END:VEVENT
"""
OWN, ANSWER, WHO = (
    "shared-meeting/own-part-not-kept",
    "own-answer/differs-in-shared-meeting",
    "attendee/not-in-shared-meeting",
)
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT"


def lost(own: str, found: str, owner: frozenset[str] = ME) -> list[str] | None:
    bodies = (io.BytesIO(f"BEGIN:VCALENDAR\n{one}END:VCALENDAR\n".encode()) for one in (own, found))
    losses = shared(*bodies, NOT_AFTER, owner)
    return None if losses is None else [f"{one.field}/{one.reason}" for one in losses]


def end(line: str) -> tuple[str, str]:
    return "END:VEVENT", f"{line}\nEND:VEVENT"


@pytest.mark.parametrize(
    "change",
    [
        ("NEEDS-ACTION", "DECLINED"),
        end("ATTENDEE:mailto:carla@kiel.example"),
        end("ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:boss@kiel.example"),
        ("SUMMARY", "SEQUENCE:4\nSUMMARY"),
    ],
    ids=["others-answer", "invited-since", "organizer-comes", "revision"],
)
def test_what_the_organizer_s_has_more_is_no_loss(change: tuple[str, str]) -> None:
    assert lost(MASTER, MASTER.replace(*change)) == []


@pytest.mark.parametrize(
    ("change", "losses"),
    [
        (("END:VEVENT", ALARM), [OWN]),
        (end("CATEGORIES:Rot"), [OWN]),
        (end("CLASS:PRIVATE"), [OWN]),
        (end("TRANSP:TRANSPARENT"), [OWN]),
        (end("DESCRIPTION:Meine Notiz"), [OWN]),
        (end("PRIORITY:1"), [OWN]),
        (("ACCEPTED:mailto:me", "DECLINED:mailto:me"), [ANSWER]),
        (end("ATTENDEE:mailto:carla@kiel.example"), [WHO]),
        (end("ATTENDEE;ROLE=NON-PARTICIPANT;CUTYPE=ROOM:mailto:saal@kiel.example"), []),
    ],
)
def test_what_this_person_s_copy_has_more_is_lost(change: tuple[str, str], losses: list[str]) -> None:
    assert lost(MASTER.replace(*change), MASTER) == losses


@pytest.mark.parametrize(
    "change",
    [
        ("UID:u1", "UID:u2"),
        ("DTSTART:20261201T09", "DTSTART:20261201T08"),
        ("COUNT=5", "COUNT=6"),
        ("Runde", "Runde 2"),
        ("Saal", "Flur"),
        ("boss@", "chief@"),
        ("ORGANIZER:mailto:boss@kiel.example\n", ""),
        end("EXDATE:20261202T090000Z"),
        end("STATUS:CANCELLED"),
        ("END:VEVENT", ""),
    ],
)
def test_what_is_another_meeting_is_not_shared(change: tuple[str, str]) -> None:
    assert lost(MASTER, MASTER.replace(*change)) is None
    assert lost(MASTER.replace(*change), MASTER) is None


def test_one_s_own_answer_to_one_occurrence() -> None:
    assert lost(MASTER + ONE, MASTER) == [ANSWER]
    assert lost(MASTER, MASTER + ONE) == [ANSWER]
    assert lost(MASTER + ONE, MASTER + ONE.replace("NEEDS-ACTION", "ACCEPTED")) == []


def test_an_occurrence_that_was_cancelled_or_moved() -> None:
    assert lost(MASTER + ONE, MASTER + ONE.replace(*end("STATUS:CANCELLED"))) is None
    assert lost(MASTER + ONE, MASTER + ONE.replace("DTEND:20261203T10", "DTEND:20261203T11")) is None


def test_who_is_not_named_has_not_answered() -> None:
    unnamed = MASTER.replace("ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@kiel.example\n", "")
    assert lost(MASTER, unnamed) == [ANSWER]
    assert lost(MASTER.replace("ACCEPTED", "NEEDS-ACTION"), unnamed) == []


def test_an_organizer_s_own_copy_arrives_by_nobody_s() -> None:
    assert lost(MASTER, MASTER, frozenset({"boss@kiel.example"})) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MASTER, True),
        (MASTER + ONE, True),
        (ONE, True),
        (MASTER.replace("boss@", "ME@"), False),
        (MASTER.replace("me@", "carla@"), False),
        ("".join(line for line in MASTER.splitlines(True) if not line.startswith("ORGANIZER")), False),
        ("", False),
        (MASTER.replace("END:VEVENT", ""), False),
    ],
    ids=["series", "with-exception", "exception", "own", "not-invited", "no-organizer", "empty", "malformed"],
)
def test_an_invitation_is_somebody_elses_meeting(text: str, expected: bool) -> None:
    stream = io.BytesIO(f"BEGIN:VCALENDAR\n{text}END:VCALENDAR\n".encode())
    assert is_invitation(stream, ME) is expected
