"""What a real server gives back means what was put."""

from __future__ import annotations

import httpx
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
    differing,
    event,
    task,
    without,
)
from server_fixtures import radicale_fixture

from practice.dav.radicale import RadicaleServer

ALLDAY = "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:Fest\n"
EXCEPTION = (
    "RECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\nDTSTART;TZID=Europe/Berlin:20261209T140000\n"
    "DTEND;TZID=Europe/Berlin:20261209T150000\nSUMMARY:Verschoben\n"
)
LONG = "DESCRIPTION:" + "Grüße aus Kiel \\, 🌊 und \\\\ mehr\\; " * 40 + "\\n\\n ein\\n\n"

OBJECTS = {
    "event": event(),
    "series": event(SERIES),
    "exceptions": event("EXDATE;TZID=Europe/Berlin:20261215T100000\n" + SERIES, EXCEPTION),
    "own zone": event(
        SERIES.replace("=Europe/Berlin", "=Amt 7"), zone=BERLIN.replace("Europe/Berlin", "Amt 7")
    ),
    "no zone": event("DTSTART:20261224T180000\nDURATION:PT2H\nSUMMARY:Fest\n"),
    "days": event(ALLDAY + "RRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20271224\n"),
    "clamped": event("DTSTART;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1\n"),
    "exceptions alone": calendar(component(EXCEPTION)),
    "long text": event(ALLDAY + LONG),
    "task": task(),
    "recurring task": task(TASK + "RRULE:FREQ=WEEKLY\n"),
    "done task": task("SUMMARY:x\nSTATUS:COMPLETED\nCOMPLETED:20261101T090000Z\n"),
}
CARDS = {
    "card": card(),
    "modern card": card(without(CARD, "PHOTO"), "4.0"),
    "group": card(GROUP),
    "modern group": card(GROUP.replace("X-ADDRESSBOOKSERVER-", ""), "4.0"),
    "labels": card("FN:A\nN:A;;;;\nitem1.TEL:1\nitem1.X-ABLABEL:Boot\n"),
    "no year": card("FN:A\nN:A;;;;\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-03-09\n"),
    "names": card("FN:山田 太郎\nN:山田;太郎;;;\nX-PHONETIC-FIRST-NAME:たろう\nORG:A\\, B\\; C;D\n"),
}


server = radicale_fixture(["anna"], provisioned=True)


def and_back(server: RadicaleServer, path: str, body: bytes) -> bytes:
    login = ("anna", server.user_password)
    url = f"{server.url}/anna/{path}"
    kind = "text/vcard" if path.endswith("vcf") else "text/calendar"
    headers = {"Content-Type": f"{kind}; charset=utf-8", "If-None-Match": "*"}
    httpx.put(url, auth=login, content=body, headers=headers).raise_for_status()
    found = httpx.get(url, auth=login).raise_for_status().content
    httpx.delete(url, auth=login).raise_for_status()
    return found


@pytest.mark.parametrize("name", OBJECTS)
def test_calendar_objects_come_back(server: RadicaleServer, name: str) -> None:
    back = and_back(server, "calendar/k-00.ics", OBJECTS[name])
    assert differing(OBJECTS[name], back) == ()


@pytest.mark.parametrize("name", CARDS)
def test_cards_come_back(server: RadicaleServer, name: str) -> None:
    back = and_back(server, "contacts/k-00.vcf", CARDS[name])
    assert differing(CARDS[name], back) == ()


def test_a_picture_that_is_cut_off_is_seen(server: RadicaleServer) -> None:
    """vobject 0.9.9 ends the value at the comma of a data: URI."""
    data = card(CARD.replace("PHOTO;ENCODING=b;TYPE=PNG:", "PHOTO:data:image/png;base64,"), "4.0")
    assert differing(data, and_back(server, "contacts/k-00.vcf", data)) == ("photo",)


def test_it_is_not_the_bytes_that_come_back(server: RadicaleServer) -> None:
    assert and_back(server, "calendar/k-00.ics", event()) != event()
    assert EVENT in SERIES.replace("RRULE:FREQ=WEEKLY;BYDAY=TU\n", "")
