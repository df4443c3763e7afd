"""Answers of servers that break a rule: JSON, XML, records, folder names and dates."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from hostile_runs import Case

from connectors import json_answer
from connectors.caldav.discovery import _check_multistatus
from connectors.ews.response_stream import EwsReply
from connectors.http.base64_spool import BodySink
from connectors.http.errors import delay
from connectors.http.multistatus import Garbage
from connectors.imap import folders
from connectors.webdav import propfind
from mappings.exchange import graph_contact, graph_event, graph_json, graph_task
from mappings.fields import ews_xml
from model.errors import MigrationError
from model.protocols import Native, Ref

SEED, MUTANTS, AT_ONCE = 20261202, 1000, 50
REFUSALS = (MigrationError, Garbage)
Reader = Callable[[bytes], object]

TYPES = b"http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = b"http://schemas.microsoft.com/exchange/services/2006/messages"
SPACES = b'xmlns:t="' + TYPES + b'" xmlns:m="' + MESSAGES + b'"'
REPLY = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' + SPACES + b"><s:Body><m:R>"
    b"<m:GetItemResponseMessage><m:Items><t:Message><t:MimeContent>QQ==</t:MimeContent>"
    b"<t:Subject>&#x1;</t:Subject></t:Message></m:Items></m:GetItemResponseMessage></m:R></s:Body></s:Envelope>"
)
MULTISTATUS = (
    b'<d:multistatus xmlns:d="DAV:"><d:response><d:href>/a/b%ff</d:href><d:propstat><d:prop>'
    b'<d:getetag>"x"</d:getetag><d:getlastmodified>Wed, 25 Nov 2026 12:00:00 GMT</d:getlastmodified>'
    b"<d:getcontentlength>9</d:getcontentlength></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    b"</d:response></d:multistatus>"
)
ITEMS = b"<m:Items " + SPACES + b"><t:Message><t:Subject>&#xD83D;a</t:Subject></t:Message></m:Items>"
RECORD = json.dumps(
    {
        "item": {
            "id": "x",
            "subject": "\ud83d",
            "displayName": "\ud83d",
            "categories": ["\ud83d", None],
            "start": {"dateTime": "2026-06-02T07:00:00", "timeZone": "UTC"},
            "body": {"contentType": "html", "content": "<p>"},
            "attendees": [{"emailAddress": {"name": "\ud83d", "address": "a@b.example"}}],
            "recurrence": {"pattern": {"type": "daily", "interval": 0}, "range": {"type": "noEnd"}},
        }
    }
).encode()
NAMES = (
    b"&2D0-",
    b"INBOX/&AAA-",
    b"a&-b",
    b"&",
    b"&-&-",
    b"B\xfccher",
    b"&ZeVnLIqe-/&U,BTFw-",
    b"&2D3eAA-",
    b"&AP",
)
DATES = (b"Wed, 25 Nov 2026 12:00:00 GMT", b"120", b"Mon, 99 Foo 99999 99:99:99 +9999999", b"-", b"9" * 400)
PIECES = (
    b"\0", b"\xff", b"&", b"-", b"<", b">", b"&#xD83D;", b"&#x0;", b'"', b"\\ud83d", b"{", b"[", b"]", b"}",
    b",", b"null", b"1e999", b"/", b"<!DOCTYPE a [", b"<![CDATA[", b"&x;", b"\xed\xa0\xbd", b"2D0-", b"true",
    b":", b"9" * 5000,
)  # fmt: skip


def _json(data: bytes) -> object:
    """What is no JSON is a ValueError, and nothing else is."""
    with suppress(ValueError):
        return json_answer.read(data)
    return None


def _exchange(data: bytes) -> object:
    reply = EwsReply([data[:7], data[7:]], "GetItemResponseMessage", lambda: BodySink(Path("/"), 1 << 30))
    return list(reply.messages())


def _records(data: bytes) -> object:
    native = Native(Ref("x", "v"), "graph", {}, lambda: io.BytesIO(data))
    graph_json.record(native)
    for items in (graph_contact.items, graph_event.items, graph_task.items):
        with suppress(MigrationError):
            items(native)
    return None


def _folder(data: bytes) -> object:
    assert folders.encoded(folders.decoded(data)) == data
    return folders.ImapFolder(data, "/", frozenset()).name.encode()


def _date(data: bytes) -> object:
    text = data.decode("latin-1")
    return delay(text), propfind.date(text)


READERS: dict[str, tuple[Reader, Sequence[bytes]]] = {
    "json": (_json, [RECORD, b'[1, 2.5, "a\\ud83d"]']),
    "record of Graph": (_records, [RECORD]),
    "record of Exchange": (
        lambda data: ews_xml.items(Native(Ref("x", "v"), "ews", {}, lambda: io.BytesIO(data))),
        [ITEMS],
    ),
    "reply of Exchange": (_exchange, [REPLY]),
    "multistatus": (lambda data: list(propfind.entries([data], "/a/", lambda path: path)), [MULTISTATUS]),
    "multistatus of discovery": (_check_multistatus, [MULTISTATUS]),
    "folder": (_folder, NAMES),
    "date": (_date, DATES),
}


def cases(length: int) -> Iterator[Case]:
    """Each reader with what is meant for it and broken, and with runs of every piece."""
    for name, (read, some) in READERS.items():
        for piece in PIECES:
            run = [piece * (length // len(piece))]
            yield f"{name}: run of {piece[:20]!r}", lambda r=read, d=run: _all(r, d)
        chance = random.Random(SEED)
        for number in range(MUTANTS // AT_ONCE):
            mutants = [_mutant(chance, some) for _ in range(AT_ONCE)]
            yield f"{name}: mutants {number}", lambda r=read, d=mutants: _all(r, d)


def _all(read: Reader, some: Sequence[bytes]) -> None:
    for data in some:
        with suppress(*REFUSALS):
            read(data)


def _mutant(chance: random.Random, some: Sequence[bytes]) -> bytes:
    data = bytearray(chance.choice(some))
    for _ in range(chance.randint(0, 5)):
        place, piece = chance.randrange(len(data) + 1), chance.choice(PIECES)
        data[place : place + (len(piece) if chance.random() < 0.5 else 0)] = piece
    return bytes(data)
