"""Objects as a mapping writes them, for the tests of mappings.compare.semantic_digest."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from mappings.compare.semantic_digest import (
    Meaning,
    calendar_differing,
    calendar_digest,
    calendar_meaning,
    card_differing,
    card_digest,
)

NOT_AFTER = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)

BERLIN = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""

EVENT = """DTSTART;TZID=Europe/Berlin:20261201T100000
DTEND;TZID=Europe/Berlin:20261201T113000
SUMMARY:Besprechung\\, groß
DESCRIPTION:Erste Zeile\\nZweite Zeile
X-ALT-DESC;FMTTYPE=text/html:<p>Erste Zeile</p>
LOCATION:Raum 7
GEO:54.323300;10.122800
URL:https://example.org/x?a=1,2
CONFERENCE;VALUE=URI;FEATURE=VIDEO;LABEL=Online:https://meet.example.org/1
CLASS:PRIVATE
PRIORITY:1
TRANSP:OPAQUE
X-MICROSOFT-CDO-BUSYSTATUS:OOF
STATUS:CONFIRMED
CATEGORIES:Dienst,Wichtig
COLOR:#ff0000
ORGANIZER;CN=Anna:mailto:anna@example.org
ATTENDEE;CN=Bert;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:bert@example.org
ATTENDEE;CN=Saal;CUTYPE=ROOM;ROLE=NON-PARTICIPANT;PARTSTAT=NEEDS-ACTION:mailto:saal@example.org
ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=text/plain;FILENAME=a.txt:aGVsbG8=
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Besprechung
TRIGGER;RELATED=START:-PT15M
END:VALARM
"""

SERIES = EVENT.replace("SUMMARY", "RRULE:FREQ=WEEKLY;BYDAY=TU\nSUMMARY", 1)

TASK = """DTSTART;VALUE=DATE:20261201
DUE;VALUE=DATE:20261203
SUMMARY:Aufgabe
STATUS:IN-PROCESS
PERCENT-COMPLETE:40
PRIORITY:5
"""

CARD = """FN:Anna Müller
N:Müller;Anna;;Dr.;
NICKNAME:Anni
X-PHONETIC-LAST-NAME:Mueller
X-EVOLUTION-FILE-AS:Müller\\, Anna
EMAIL;TYPE=INTERNET,PREF:anna@example.org
TEL;TYPE=WORK,VOICE:+49 431 1
TEL;TYPE=CELL:+49 170 2
IMPP:im:anna@example.org
ADR;TYPE=WORK:;;Straße 1;Kiel;SH;24103;Deutschland
ORG:Land;Referat 1
TITLE:Referentin
X-MANAGER:Bert
BDAY:1980-01-01
X-ANNIVERSARY:2001-05-06
URL;TYPE=WORK:https://example.org/
NOTE:Eins\\nZwei
CATEGORIES:Dienst,Privat
CLASS:PRIVATE
PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=
X-HOBBY:Segeln
"""

GROUP = """FN:Segler
N:Segler;;;;
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:kogge-00ff
X-ADDRESSBOOKSERVER-MEMBER;X-CN=Bert:mailto:bert@example.org
"""


def component(properties: str, name: str = "VEVENT", uid: str = "one@example.org") -> str:
    return f"BEGIN:{name}\nUID:{uid}\nDTSTAMP:20261101T000000Z\n{properties}END:{name}\n"


def calendar(*components: str, zone: str = BERLIN) -> bytes:
    text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Kogge//Kogge//EN\n" + zone + "".join(components)
    return crlf(text + "END:VCALENDAR\n")


def event(properties: str = EVENT, *others: str, zone: str = BERLIN) -> bytes:
    """A VCALENDAR with a master of these properties, and exceptions."""
    return calendar(component(properties), *(component(other) for other in others), zone=zone)


def task(properties: str = TASK) -> bytes:
    return calendar(component(properties, "VTODO"), zone="")


def card(properties: str = CARD, version: str = "3.0") -> bytes:
    head = f"BEGIN:VCARD\nVERSION:{version}\nPRODID:-//Kogge//Kogge//EN\nUID:kogge-01\n"
    return crlf(head + properties + "REV:2026-11-01T00:00:00Z\nEND:VCARD\n")


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def without(text: str, name: str) -> str:
    """The lines of a text but those of one property."""
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith((f"{name}:", f"{name};"))]
    assert len(kept) < len(text.splitlines())
    return "".join(kept)


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def meaning(body: bytes) -> Meaning:
    return calendar_meaning(io.BytesIO(body), NOT_AFTER)


def differing(one: bytes, other: bytes) -> tuple[str, ...]:
    """Of two calendar objects or two cards; and the digests say the same."""
    is_card = one.startswith(b"BEGIN:VCARD")
    compare, digest = (card_differing, card_digest) if is_card else (calendar_differing, calendar_digest)
    found = compare(io.BytesIO(one), io.BytesIO(other), NOT_AFTER)
    digests = {digest(io.BytesIO(body), NOT_AFTER) for body in (one, other)}
    assert len(digests) == (2 if found else 1)
    assert found == compare(io.BytesIO(other), io.BytesIO(one), NOT_AFTER)
    return found
