"""The comparison of answers with recorded ones finds what is another, and not what always is."""

from __future__ import annotations

import httpx
import pytest
from ox_alike import differences
from ox_recordings import Message

XML = """<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a.ics</D:href><D:propstat><D:prop>
<D:getetag>53-1-1795891102513</D:getetag><D:displayname>x</D:displayname></D:prop>
<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"""
ICS = """BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTAMP:20261128T183822Z\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a
END:VEVENT\nEND:VCALENDAR\n"""
VCF = "BEGIN:VCARD\nUID:a\nREV:2026-11-28T18:40:18Z\nTEL;TYPE=CELL,pref:1\nEND:VCARD\n"
JSON = '{"data":[{"id":"18","uid":"a","test":{"id":"true"}}],"timestamp":1}'


def unlike(kind: str, recorded: str, answer: str) -> list[str]:
    head = {"Content-Type": kind, "ETag": '"1"'}
    first = Message("HTTP/1.1 200 OK", httpx.Headers(head), recorded.encode())
    return differences(first, httpx.Response(200, headers=head, content=answer.encode()))


@pytest.mark.parametrize(("kind", "text", "same", "other"), [
    ("text/xml", XML, ("1795891102513", "1795891102999"), (">x<", ">y<")),
    ("text/xml", XML, ("200 OK</D:status>", "200 OK</D:status> "), ("200 OK", "404 NOT FOUND")),
    ("text/xml", XML, ("53-1", "53-7"), ("53-1", "53-null")),
    ("text/calendar", ICS, ("DTSTAMP:2026", "DTSTAMP:2025"), ("ACCEPTED", "DECLINED")),
    ("text/calendar", ICS, ("UID:a\n", "UID:\n a\n"), ("END:VEVENT", "SUMMARY:x\nEND:VEVENT")),
    ("text/vcard", VCF, ("CELL,pref", "pref,CELL"), ("CELL,pref", "CELL")),
    ("text/vcard", VCF, ("REV:2026", "REV:2025"), ("TEL;TYPE=CELL,pref:1\n", "")),
    ("application/json", JSON, ('"18"', '"19"'), ('"uid":"a"', '"uid":"b"')),
    ("application/json", JSON, ('"timestamp":1', '"timestamp":2'), ('"true"', '"false"')),
])  # fmt: skip
def test_a_difference_is_told_from_none(
    kind: str, text: str, same: tuple[str, str], other: tuple[str, str]
) -> None:
    assert unlike(kind, text, text.replace(*same)) == []
    assert unlike(kind, text, text.replace(*other)) != []


def test_status_headers_and_empty_bodies_count() -> None:
    head = {"Allow": "GET", "ETag": '"1"'}
    recorded = Message("HTTP/1.1 200 OK", httpx.Headers(head), b"")
    assert differences(recorded, httpx.Response(200, headers=head | {"ETag": '"2"'})) == []
    assert differences(recorded, httpx.Response(201, headers=head)) != []
    assert differences(recorded, httpx.Response(200, headers=head | {"Allow": "PUT"})) != []
    assert differences(recorded, httpx.Response(200, headers={"Allow": "GET"})) != []
    assert differences(recorded, httpx.Response(200, headers=head, content=b"x")) != []
