"""Each entry of the table of what is ignored, by a rewriting that it allows."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from meaning_written import (
    BERLIN,
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
    replaced,
    task,
    without,
)

from mappings.compare.semantic_digest import CALENDAR_FIELDS, CARD_FIELDS, IGNORED

Pair = tuple[bytes, bytes]
RENAMED_BERLIN = replaced(BERLIN, "Europe/Berlin", "Amt 7")


def changed(body: bytes, *pairs: tuple[str, str]) -> Pair:
    """The body, and itself with replacements of which every one finds something."""
    other = body.decode().replace("\r\n", "\n")
    for old, new in pairs:
        other = replaced(other, old, new)
    return body, crlf(other)


def shuffled() -> Pair:
    lines = EVENT.partition("BEGIN:VALARM")[0].splitlines(keepends=True)
    alarm = "".join(EVENT.partition("BEGIN:VALARM")[1:])
    other = "".join(reversed(lines)).replace(
        "ENCODING=BASE64;VALUE=BINARY;FMTTYPE=text/plain", "FMTTYPE=text/plain;VALUE=BINARY;ENCODING=BASE64"
    )
    return event(), event(alarm + other)


def refolded() -> Pair:
    body = event()
    letters = body.decode().replace("\r\n", "\n")
    long = re.sub("(?m)^(.{11})(?=.)(?!$)", lambda line: line[1] + "\n ", letters).encode()
    assert long.count(b"\n ") > 10
    return body, long


def defaults() -> Pair:
    bare = "DTSTART:20261201T090000Z\nORGANIZER:mailto:a@x\nATTENDEE:mailto:b@x\n"
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER{}:-PT5M\nEND:VALARM\n"
    full = (
        "DTSTART:20261201T090000Z\nDURATION:PT0S\nORGANIZER:mailto:a@x\nSTATUS:CONFIRMED\nTRANSP:OPAQUE\n"
        "ATTENDEE;ROLE=REQ-PARTICIPANT;CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION;RSVP=FALSE:mailto:b@x\n"
        "CLASS:PUBLIC\nPRIORITY:0\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\n"
    )
    return event(bare + alarm.format("")), event(full + alarm.format(";RELATED=START"))


def no_op_exception() -> Pair:
    same = replaced(replaced(EVENT, "20261201T10", "20261208T10"), "20261201T11", "20261208T11")
    return event(SERIES), event(SERIES, "RECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\n" + same)


def exdates() -> Pair:
    line = "EXDATE;TZID=Europe/Berlin:20261208T100000,20261215T100000\n"
    lines = "EXDATE:20261215T090000Z\nEXDATE;TZID=Europe/Berlin:20261208T100000\n"
    return event(line + SERIES), event(lines + SERIES)


def picture() -> Pair:
    data = replaced(CARD, "PHOTO;ENCODING=b;TYPE=PNG:", "PHOTO:data:image/jpeg;base64,")
    return card(), card(data)


def group() -> Pair:
    return card(GROUP), card(GROUP.replace("X-ADDRESSBOOKSERVER-", ""), "4.0")


def modern() -> Pair:
    old = "FN:A\nX-ANNIVERSARY:2001-05-06\nX-HOBBY:Segeln\nX-SPOUSE:Bert\nX-CLASS:PRIVATE\n"
    new = "FN:A\nANNIVERSARY:20010506\nHOBBY:Segeln\nRELATED;TYPE=spouse;VALUE=text:Bert\nCLASS:PRIVATE\n"
    return card(old), card(new, "4.0")


def labelled() -> Pair:
    old = "FN:A\nitem1.TEL:1\nitem1.X-ABLabel:Boot\nitem2.EMAIL:a@x\n"
    return card(old), card("FN:A\nitem7.X-ABLABEL:Boot\nitem7.TEL:1\nitem8.EMAIL:a@x\n")


NOISE = "X-RADICALE-NAME:k.ics\nX-MOZ-GENERATION:3\nX-WR-ALARMUID:7\n"
ZONE_UTC = ("DTSTART;TZID=Europe/Berlin:20261201T100000", "DTSTART:20261201T090000Z")
RENAMED = ("TZID=Europe/Berlin", "TZID=Amt 7")

REWRITINGS: Mapping[str, list[Pair]] = {
    "order": [shuffled()],
    "folding": [
        refolded(),
        (event(), event().replace(b"\r\n", b"\n")),
        (card(), card().replace(b"\r\n", b"\n")),
    ],
    "case of names": [
        changed(event(), ("SUMMARY", "Summary"), ("PARTSTAT", "partstat")),
        changed(card(), ("FN:", "fn:")),
    ],
    "quoting of parameters": [
        changed(event(), ("CUTYPE=ROOM", 'CUTYPE="ROOM"'), ("FILENAME=a.txt", 'FILENAME="a.txt"'))
    ],
    "escaping in addresses": [changed(event(), ("a=1,2", "a=1\\,2"))],
    "blanks at line ends": [
        changed(
            event(), ("Raum 7", "Raum 7  "), ("Zeile\\n", "Zeile \\n"), ("Zweite Zeile", "Zweite Zeile\\n\\n")
        ),
        changed(card(), ("NOTE:Eins\\n", "NOTE:Eins  \\n")),
    ],
    "control characters": [changed(event(), ("Raum 7", "Ra\x07um\x01 7"))],
    "PRODID": [
        changed(event(), ("PRODID:-//Kogge", "PRODID:-//Other")),
        changed(card(), ("-//Kogge", "-//Other")),
    ],
    "X-properties of others": [(event(), event(NOISE + EVENT)), (card(), card(NOISE + CARD))],
    "METHOD": [changed(event(), ("VERSION:2.0", "VERSION:2.0\nMETHOD:PUBLISH"))],
    "CALSCALE": [changed(event(), ("VERSION:2.0", "VERSION:2.0\nCALSCALE:GREGORIAN"))],
    "DTSTAMP": [changed(event(), ("20261101T000000Z", "20261125T010203Z"))],
    "CREATED": [(event(), event("CREATED:20261125T010203Z\n" + EVENT))],
    "LAST-MODIFIED": [(event(), event("LAST-MODIFIED:20261125T010203Z\n" + EVENT))],
    "SEQUENCE": [(event("SEQUENCE:1\n" + EVENT), event("SEQUENCE:4\n" + EVENT))],
    "REQUEST-STATUS": [(event(), event("REQUEST-STATUS:2.0;Success\n" + EVENT))],
    "VTIMEZONE": [
        (event(SERIES), event(SERIES, zone="")),
        (event(SERIES), event(SERIES, zone=BERLIN.replace("19701025T03", "19961027T03"))),
    ],
    "TZID": [
        (event(SERIES), event(SERIES.replace(*RENAMED), zone=RENAMED_BERLIN)),
        (event(SERIES), event(SERIES.replace(*RENAMED).replace("Amt 7", "/x.org/1/Europe/Berlin"), zone="")),
        (event(SERIES), event(SERIES.replace("Europe/Berlin", "Europe/Vienna"))),
        (event(), event(EVENT.replace(*ZONE_UTC))),
    ],
    "RRULE and RDATE": [
        (
            event(SERIES),
            event(
                SERIES.replace("RRULE:FREQ=WEEKLY;BYDAY=TU", "RRULE:BYDAY=TU;INTERVAL=1;WKST=SU;FREQ=WEEKLY")
            ),
        ),
        (event(SERIES), event(SERIES.replace("FREQ=WEEKLY;BYDAY=TU", "FREQ=DAILY;INTERVAL=7"))),
        (
            event(SERIES.replace("BYDAY=TU", "COUNT=3")),
            event(SERIES.replace("BYDAY=TU", "UNTIL=20261215T090000Z")),
        ),
        (
            event(SERIES.replace("BYDAY=TU", "COUNT=3")),
            event("RDATE:20261208T090000Z,20261215T090000Z\n" + EVENT),
        ),
        (
            event("RRULE:FREQ=MONTHLY;BYDAY=2MO,-1FR\n" + EVENT),
            event("RRULE:FREQ=MONTHLY;BYDAY=-1FR,2MO\n" + EVENT),
        ),
        (
            event("RRULE:FREQ=YEARLY\n" + EVENT),
            event("RRULE:FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=1\n" + EVENT),
        ),
    ],
    "EXDATE": [exdates(), (exdates()[0], event("EXDATE;VALUE=DATE:20261208,20261215\n" + SERIES))],
    "DTEND or DURATION": [changed(event(), ("DTEND;TZID=Europe/Berlin:20261201T113000", "DURATION:PT1H30M"))],
    "exceptions that change nothing": [no_op_exception()],
    "default values": [
        defaults(),
        (task("SUMMARY:x\n"), task("SUMMARY:x\nSTATUS:NEEDS-ACTION\nPERCENT-COMPLETE:0\n")),
        (task("STATUS:COMPLETED\n"), task("STATUS:COMPLETED\nPERCENT-COMPLETE:100\n")),
    ],
    "CN": [changed(event(), ("CN=Bert", 'CN="Bert, Amt 7"'), ("CN=Anna", "CN=A."))],
    "RSVP": [changed(event(), ("CN=Bert", "RSVP=TRUE;CN=Bert"))],
    "SCHEDULE-AGENT": [changed(event(), ("CN=Bert", "SCHEDULE-AGENT=CLIENT;SCHEDULE-STATUS=1.1;CN=Bert"))],
    "other parameters of people": [
        changed(event(), ("CN=Anna", 'SENT-BY="mailto:c@x";X-NC=1'), ("mailto:bert@", "MAILTO:Bert@"))
    ],
    "the organizer among the attendees": [
        (event(), event(EVENT + "ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:Anna@example.org\n"))
    ],
    "UID of an alarm": [changed(event(), ("ACTION:DISPLAY", "UID:7\nX-WR-ALARMUID:7\nACTION:DISPLAY"))],
    "text of an alarm": [changed(event(), ("DESCRIPTION:Besprechung\n", "DESCRIPTION:Reminder\n"))],
    "trigger spelling": [
        changed(event(), ("TRIGGER;RELATED=START:-PT15M", trigger))
        for trigger in (
            "TRIGGER:-PT900S",
            "TRIGGER;RELATED=END:-PT1H45M",
            "TRIGGER;VALUE=DATE-TIME:20261201T084500Z",
        )
    ],
    "media type of an attachment": [
        changed(event(), ("FMTTYPE=text/plain", "FMTTYPE=application/octet-stream"))
    ],
    "X-APPLE-STRUCTURED-LOCATION": [
        (event(), event(EVENT + "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=Raum 7:geo:54.3233,10.1228\n"))
    ],
    "label of a conference": [changed(event(), ("FEATURE=VIDEO;LABEL=Online", "LABEL=En ligne"))],
    "VERSION": [changed(card(), ("VERSION:3.0", "VERSION:4.0"))],
    "REV": [changed(card(), ("REV:2026-11-01T00:00:00Z", "REV:20261125T010203Z"))],
    "types without meaning": [
        changed(card(), ("TYPE=WORK,VOICE", "TYPE=WORK"), ("TYPE=INTERNET,PREF", "TYPE=PREF"))
    ],
    "spelling of types": [
        changed(card(), ("TYPE=WORK,VOICE", "TYPE=voice;TYPE=work"), ("TYPE=INTERNET,PREF", "PREF=1")),
        changed(card(), ("TEL;TYPE=WORK,VOICE", 'TEL;TYPE="work,voice"'), ("TEL;TYPE=CELL", "TEL;CELL")),
    ],
    "spelling of dates": [
        changed(card(), ("BDAY:1980-01-01", "BDAY:19800101")),
        changed(card(), ("BDAY:1980-01-01", "BDAY;VALUE=date:1980-01-01T00:00:00Z")),
        (card("FN:A\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-03-09\n"), card("FN:A\nBDAY:--0309\n", "4.0")),
    ],
    "spelling of URIs": [
        changed(
            card(), ("VOICE:+49 431 1", "VOICE;VALUE=uri:tel:+49 431 1"), ("UID:kogge", "UID:urn:uuid:kogge")
        )
    ],
    "spelling of pictures": [picture(), changed(picture()[1], ("jpeg;base64,", "jpeg\\;base64\\,"))],
    "spelling of groups": [group()],
    "X- before what 4.0 has": [modern()],
    "group names": [labelled()],
    "empty components": [changed(card(), ("Anna;;Dr.;", "Anna;;Dr."), ("Referat 1", "Referat 1;;"))],
    "order of numbers": [
        changed(card(), ("TYPE=WORK,VOICE", "TYPE=WORK,VOICE,x-2nd"), ("TYPE=CELL", "TYPE=CELL,pref")),
    ],
    "SORT-AS": [changed(card(), ("N:Müller", "N;SORT-AS=Mueller:Müller"))],
}


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_ignored_makes_no_difference(name: str) -> None:
    for one, other in REWRITINGS[name]:
        assert one != other
        assert differing(one, other) == ()


def test_the_table_is_whole_and_reads_as_sentences() -> None:
    assert set(REWRITINGS) == set(IGNORED)
    for sentence in (*IGNORED.values(), *CALENDAR_FIELDS.values(), *CARD_FIELDS.values()):
        assert sentence.endswith(".")


def test_components_in_another_order() -> None:
    parts = (
        component(SERIES),
        component("RECURRENCE-ID:20261208T090000Z\nSUMMARY:x\n" + without(EVENT, "SUMMARY")),
    )
    assert differing(calendar(*parts), calendar(*reversed(parts))) == ()
    assert differing(calendar(*parts), calendar(parts[0])) != ()
    assert differing(task(), task(TASK)) == ()
