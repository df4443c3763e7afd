"""Every field: a change of what it compares is seen, and named by that field alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from meaning_written import (
    CARD,
    EVENT,
    GROUP,
    SERIES,
    TASK,
    calendar,
    card,
    component,
    crlf,
    differing,
    event,
    task,
    without,
)

from mappings.compare.semantic_digest import CALENDAR_FIELDS, CARD_FIELDS

Case = tuple[bytes, bytes, tuple[str, ...]]
MOVED = SERIES.replace("20261201T10", "20261208T12").replace("20261201T11", "20261208T13")
EXCEPTION = "RECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\n" + without(MOVED, "RRULE")
SAME = EXCEPTION.replace("20261208T12", "20261208T10").replace("20261208T13", "20261208T11")


def edited(body: bytes, old: str, new: str, *names: str) -> Case:
    text = body.decode().replace("\r\n", "\n")
    assert old in text
    return body, crlf(text.replace(old, new, 1)), names


def names_of(text: str) -> set[str]:
    return {line.partition(":")[0].partition(";")[0] for line in text.splitlines()}


def in_event(old: str, new: str, *names: str) -> Case:
    return edited(event(), old, new, *names)


def in_card(old: str, new: str, *names: str) -> Case:
    return edited(card(), old, new, *names)


CALENDAR: Mapping[str, list[Case]] = {
    "component": [
        (
            event("DTSTART:20261201T090000Z\nDURATION:PT1H\nSTATUS:CONFIRMED\n"),
            calendar(component("DTSTART:20261201T090000Z\nDURATION:PT1H\nSTATUS:CONFIRMED\n", "VTODO")),
            ("component",),
        )
    ],
    "uid": [in_event("UID:one", "UID:two", "uid")],
    "start": [
        in_event("T100000", "T101500", "start", "duration", "occurrences"),
        edited(
            event(EVENT),
            "DTSTART;TZID=Europe/Berlin:",
            "DTSTART;TZID=Europe/London:",
            "start",
            "duration",
            "occurrences",
        ),
        edited(event("DTSTART:20261201T090000Z\n"), "00Z\nEND:V", "00\nEND:V", "start", "occurrences"),
        edited(
            event("DTSTART:20261201T000000\n"),
            ":20261201T000000\n",
            ";VALUE=DATE:20261201\n",
            "start",
            "duration",
            "occurrences",
        ),
    ],
    "duration": [
        in_event("T113000", "T114500", "duration"),
        edited(
            event("DTSTART;VALUE=DATE:20261201\n"),
            "20261201\nEND:V",
            "20261201\nDTEND;VALUE=DATE:20261203\nEND:V",
            "duration",
        ),
    ],
    "due": [edited(task(), "20261203", "20261204", "duration", "due")],
    "occurrences": [
        edited(event(SERIES), "BYDAY=TU", "BYDAY=TU,WE", "occurrences"),
        edited(event(SERIES), "BYDAY=TU", "BYDAY=TU;UNTIL=20291231T000000Z", "occurrences"),
        edited(event(SERIES), "RRULE:FREQ=W", "EXDATE:20280104T090000Z\nRRULE:FREQ=W", "occurrences"),
        edited(event(SERIES), "RRULE:FREQ=W", "RDATE:20280103T090000Z\nRRULE:FREQ=W", "occurrences"),
        edited(
            event(SERIES),
            "RRULE:FREQ=W",
            "RDATE;VALUE=PERIOD:20280103T090000Z/PT5H\nRRULE:FREQ=W",
            "occurrences",
        ),
        # the same but in summer, in which only one of the two zones has another time
        edited(
            event(SERIES.replace("Europe/Berlin", "Africa/Lagos")),
            "Africa/Lagos:20261201T10",
            "Europe/Berlin:20261201T10",
            "occurrences",
        ),
    ],
    "exceptions": [
        (event(SERIES, SAME), event(SERIES, EXCEPTION), ("occurrences", "exceptions")),
        edited(
            event(SERIES, EXCEPTION),
            "RECURRENCE-ID;TZID=Europe/Berlin:20261208",
            "RECURRENCE-ID;TZID=Europe/Berlin:20261215",
            "occurrences",
            "exceptions",
        ),
        (event(SERIES), event(SERIES, SAME.replace("20261208", "20261209")), ("occurrences", "exceptions")),
    ],
    "range": [
        edited(event(SERIES, EXCEPTION), "RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;", "range")
    ],
    "title": [
        in_event("groß", "gross", "title"),
        edited(event(SERIES, SAME), "SUMMARY:Besprechung\\, groß\nDESCR", "SUMMARY:Anders\nDESCR", "title"),
        (event(SERIES), event(SERIES, SAME.replace("SUMMARY:Be", "SUMMARY:be")), ("title",)),
        (event(SERIES), event(SERIES, without(SAME, "SUMMARY")), ("title",)),
    ],
    "text": [
        in_event("Zweite", "zweite", "text"),
        in_event("Erste Zeile\\nZweite", "Erste Zeile Zweite", "text"),
        in_event("DESCRIPTION:Erste", "DESCRIPTION: Erste", "text"),
        (
            event(SERIES),
            event(SERIES, without(SAME, "DESCRIPTION").replace("BEGIN:VALARM", "DESCRIPTION:\nBEGIN:VALARM")),
            ("text",),
        ),
    ],
    "formatted-text": [in_event("<p>", "<p><b>", "formatted-text")],
    "place": [in_event("Raum 7", "Raum 8", "place"), in_event("54.323300", "54.323400", "place")],
    "links": [
        in_event("x?a=1,2", "x?a=1,3", "links"),
        in_event("meet.example.org/1", "meet.example.org/2", "links"),
    ],
    "state": [
        in_event("STATUS:CONFIRMED", "STATUS:CANCELLED", "state"),
        edited(task(), "IN-PROCESS", "NEEDS-ACTION", "state"),
    ],
    "progress": [
        edited(task(), "COMPLETE:40", "COMPLETE:50", "progress"),
        edited(task(), "PRIORITY", "COMPLETED:20261202T100000Z\nPRIORITY", "progress"),
    ],
    "busy": [
        in_event("STATUS:OOF", "STATUS:BUSY", "busy"),
        in_event("TRANSP:OPAQUE", "TRANSP:TRANSPARENT", "busy"),
    ],
    "privacy": [
        in_event("CLASS:PRIVATE\n", "", "privacy"),
        in_event("CLASS:PRIVATE", "CLASS:CONFIDENTIAL", "privacy"),
    ],
    "priority": [in_event("PRIORITY:1", "PRIORITY:9", "priority")],
    "categories": [
        in_event("Dienst,Wichtig", "Dienst", "categories"),
        in_event("Dienst,Wichtig", "Dienst\\,Wichtig", "categories"),
    ],
    "colour": [in_event("#ff0000", "#ff0001", "colour")],
    "organizer": [in_event("mailto:anna@", "mailto:eva@", "organizer")],
    "attendees": [
        in_event("ROLE=REQ-PARTICIPANT", "ROLE=OPT-PARTICIPANT", "attendees"),
        in_event("CUTYPE=ROOM", "CUTYPE=RESOURCE", "attendees"),
        in_event("mailto:bert@", "mailto:eva@", "attendees", "answers"),
        (event(), event(without(EVENT, "ATTENDEE")), ("attendees", "answers")),
        # an organizer who does not come is told
        (
            event(),
            event(EVENT + "ATTENDEE;PARTSTAT=DECLINED:mailto:anna@example.org\n"),
            ("attendees", "answers"),
        ),
    ],
    "answers": [in_event("PARTSTAT=ACCEPTED", "PARTSTAT=TENTATIVE", "answers")],
    "reminders": [
        in_event("-PT15M", "-PT16M", "reminders"),
        in_event("RELATED=START", "RELATED=END", "reminders"),
        in_event("ACTION:DISPLAY", "ACTION:EMAIL", "reminders"),
        in_event("ACTION:DISPLAY", "ACKNOWLEDGED:20261125T000000Z\nACTION:DISPLAY", "reminders"),
        in_event("ACTION:DISPLAY", "REPEAT:2\nDURATION:PT5M\nACTION:DISPLAY", "reminders"),
        (event(SERIES), event(SERIES, SAME.replace("PT15M", "PT5M")), ("reminders",)),
    ],
    "attachments": [
        in_event("aGVsbG8=", "aGVsbG9v", "attachments"),
        in_event("FILENAME=a.txt", "FILENAME=b.txt", "attachments"),
        (
            event(),
            event(EVENT + "ATTACH;MANAGED-ID=7;FILENAME=b:https://example.org/a/7\n"),
            ("attachments",),
        ),
        (event("ATTACH:https://x/1\n" + EVENT), event("ATTACH:https://x/2\n" + EVENT), ("attachments",)),
    ],
    "other": [
        (event(), event("X-KOGGE-A:1\n" + EVENT), ("other",)),
        (event(), event("COMMENT:a\n" + EVENT), ("other",)),
    ],
}

CARDS: Mapping[str, list[Case]] = {
    "uid": [in_card("kogge-01", "kogge-02", "uid")],
    "kind": [(card(GROUP), card(without(GROUP, "X-ADDRESSBOOKSERVER-KIND")), ("kind",))],
    "name": [in_card("FN:Anna", "FN:Anne", "name"), in_card("Anna;;Dr.", "Anna;Dr.;", "name")],
    "nickname": [in_card("Anni", "Anne", "nickname")],
    "spoken": [in_card("Mueller", "Muller", "spoken")],
    "filed-as": [in_card("AS:Müller\\, Anna", "AS:Anna Müller", "filed-as")],
    "emails": [
        in_card("anna@example.org", "anne@example.org", "emails"),
        in_card("INTERNET,PREF", "INTERNET,WORK", "emails"),
    ],
    "phones": [
        in_card("+49 170 2", "+49 170 3", "phones"),
        in_card("TYPE=CELL", "TYPE=PAGER", "phones"),
        (card(), card(CARD + "TEL:+49 431 1\n"), ("phones",)),
        edited(card("FN:A\nitem1.TEL:1\nitem1.X-ABLABEL:Boot\n"), "Boot", "Haus", "phones"),
    ],
    "messengers": [
        in_card("im:anna", "im:anne", "messengers"),
        (card(), card(CARD + "X-JABBER:a@x\n"), ("messengers",)),
    ],
    "addresses": [
        in_card("24103", "24105", "addresses"),
        in_card("ADR;TYPE=WORK", "ADR;TYPE=HOME", "addresses"),
    ],
    "organisation": [
        in_card("Referat 1", "Referat 2", "organisation"),
        in_card("Land;Referat", "Land\\;Referat", "organisation"),
    ],
    "title": [in_card("Referentin", "Leiterin", "title"), in_card("TITLE:", "ROLE:", "title")],
    "people": [
        in_card("X-MANAGER:Bert", "X-MANAGER:Eva", "people"),
        in_card("X-MANAGER", "X-ASSISTANT", "people"),
    ],
    "birthday": [
        in_card("1980-01-01", "1980-01-02", "birthday"),
        in_card("1980-01-01", "--0101", "birthday"),
    ],
    "anniversary": [in_card("2001-05-06", "2001-06-05", "anniversary")],
    "links": [in_card("https://example.org/", "https://example.org/a", "links")],
    "notes": [in_card("Eins\\nZwei", "Eins Zwei", "notes")],
    "categories": [in_card("Dienst,Privat", "Dienst", "categories")],
    "privacy": [in_card("CLASS:PRIVATE\n", "", "privacy")],
    "members": [
        edited(card(GROUP), "kogge-00ff", "kogge-00fe", "members"),
        edited(card(GROUP), "mailto:bert", "mailto:eva", "members"),
    ],
    "photo": [
        in_card("iVBORw0KGgo=", "iVBORw0KGgs=", "photo"),
        (card(), card(without(CARD, "PHOTO")), ("photo",)),
    ],
    "other": [in_card("Segeln", "Lesen", "other"), (card(), card(CARD + "X-KOGGE-A:1\n"), ("other",))],
}


@pytest.mark.parametrize("field", CALENDAR_FIELDS)
def test_a_change_in_a_calendar_object_is_named(field: str) -> None:
    for one, other, names in CALENDAR[field]:
        assert field in names
        assert differing(one, other) == names


@pytest.mark.parametrize("field", CARD_FIELDS)
def test_a_change_in_a_card_is_named(field: str) -> None:
    for one, other, names in CARDS[field]:
        assert field in names
        assert differing(one, other) == names


DEFAULTS = {"TRANSP", "STATUS"}
PARTS = {"BEGIN", "END", "ACTION", "DTSTART"}


@pytest.mark.parametrize("name", sorted(names_of(EVENT) - DEFAULTS - PARTS))
def test_a_property_that_is_gone_is_seen(name: str) -> None:
    assert differing(event(), event(without(EVENT, name))) != ()


@pytest.mark.parametrize("name", sorted(names_of(CARD)))
def test_a_property_of_a_card_that_is_gone_is_seen(name: str) -> None:
    assert differing(card(), card(without(CARD, name))) != ()


def test_an_exception_alone_is_compared_whole() -> None:
    alone = calendar(component(EXCEPTION))
    assert differing(alone, alone) == ()
    assert differing(*edited(alone, "groß", "klein")[:2]) == ("title",)
    assert differing(*edited(alone, "20261208T12", "20261208T11")[:2]) == ("occurrences",)
    assert "start" in differing(event(SERIES, EXCEPTION), alone)


def test_fields_come_in_their_order() -> None:
    other = event("DTSTART:20270101T000000Z\nSUMMARY:x\n")
    names = differing(event(), other)
    assert list(names) == [name for name in CALENDAR_FIELDS if name in names]
    assert len(names) > 10
    assert differing(task(), task(TASK.replace("Aufgabe", "x"))) == ("title",)
