"""What the recording's notes say was done between the pairs, and the bodies that were too long to be kept."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Mapping

import httpx
from ox_recordings import Pair
from servers.dav.dav_proxy import login
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer

from practice.dav.proxy import Request

WORK = "/caldav/Y2FsOi8vMC82NA"
ALICE = "/caldav/Y2FsOi8vMC8zMQ"
OPEN, CLOSE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//T//EN\r\nBEGIN:VEVENT\r\n",
    "END:VEVENT\r\nEND:VCALENDAR\r\n",
)
MAKE = """<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
<D:displayname>{name}</D:displayname></D:prop></D:set></C:mkcalendar>"""


def event(uid: str, begin: str, *lines: str, summary: str = "") -> str:
    """An hour from begin, which is 20261210T100000 or so, in UTC."""
    end = f"{begin[:9]}{int(begin[9:11]) + 1:02}{begin[11:]}"
    own = (f"UID:{uid}", "DTSTAMP:20261128T120000Z", f"DTSTART:{begin}Z", f"DTEND:{end}Z")
    named = f"SUMMARY:{summary or f'Event {uid}'}"
    return OPEN + "".join(f"{line}\r\n" for line in (*own, named, *lines)) + CLOSE


class Preparing:
    """Asks the server without the network, by another User-Agent."""

    def __init__(self, server: OpenXchangeServer) -> None:
        self.server = server

    def ask(self, user: str, method: str, path: str, body: str = "", agent: str = "prepares") -> int:
        headers = login(f"{user}@ox.test", USER_PASSWORD)
        headers.update(httpx.Headers({"User-Agent": agent, "Scheduling": "none"}))
        return self.server.answer(Request(method, path, headers, body.encode(), path)).status

    def do(self, user: str, method: str, path: str, body: str = "") -> None:
        status = self.ask(user, method, path, body)
        assert status in (201, 204), (method, path, status)

    def outside(self) -> None:
        self.do("alice", "PUT", f"{WORK}/old-2m.ics", event("rec-old-2m", "20260920T100000"))
        self.do("alice", "PUT", f"{WORK}/new-2028.ics", event("rec-new-2028", "20280610T100000"))
        series = event("rec-series-2019", "20190107T100000", "RRULE:FREQ=WEEKLY")
        self.do("alice", "PUT", f"{WORK}/series-2019.ics", series)

    def changes(self) -> None:
        self.do("alice", "PUT", f"{WORK}/in-3.ics", event("rec-in-3", "20261210T100000"))
        third = event("rec-in-1", "20261210T100000", "SEQUENCE:2", summary="Third text")
        self.do("alice", "PUT", f"{WORK}/in-1.ics", third)
        self.do("alice", "DELETE", f"{WORK}/in-2.ics")
        self.do("alice", "PUT", f"{WORK}/old-2020.ics", event("rec-old-2020", "20200610T100000"))
        self.do("alice", "DELETE", f"{WORK}/old-2m.ics")

    def bare_event(self) -> None:
        self.do("alice", "PUT", f"{WORK}/at-managed.ics", event("rec-at-managed", "20261210T100000"))

    def no_meetings(self) -> None:
        for name in ("mt-past", "mt-run", "mt-ended", "mt-agent"):
            self.do("alice", "DELETE", f"{ALICE}/{name}.ics")

    def more_calendars(self) -> None:
        for number in (1, 2):
            self.do(
                "alice", "MKCALENDAR", f"/caldav/rec-del-{number}/", MAKE.format(name=f"Rec Del {number}")
            )
        self.do("alice", "PUT", "/caldav/rec-del-2/o.ics", event("rec-del-o", "20180610T100000"))

    def many(self) -> None:
        """1,009 events, one an hour."""
        self.do("carol", "MKCALENDAR", "/caldav/rec-many/", MAKE.format(name="Rec Many"))
        for number in range(1, 1010):
            day, hour = divmod(number - 1, 24)
            month, day = (12, day + 1) if day < 31 else (1, day - 30)
            begin = f"{2026 if month == 12 else 2027}{month:02}{day:02}T{hour:02}0000Z"
            lines = (f"UID:rec-many-{number:04}", f"DTSTART:{begin}", f"DTEND:{begin[:11]}3000Z", "SUMMARY:m")
            body = OPEN + "".join(f"{line}\r\n" for line in lines) + CLOSE
            self.do("carol", "PUT", f"/caldav/rec-many/many-{number:04}.ics", body)

    def requests(self) -> None:
        for _number in range(1500):
            self.ask("carol", "OPTIONS", "/caldav/", agent="bulk-writer-22218")


BEFORE: Mapping[int, Callable[[Preparing], None]] = {
    42: Preparing.outside,
    50: Preparing.changes,
    81: Preparing.no_meetings,
    133: Preparing.bare_event,
    220: Preparing.more_calendars,
    262: Preparing.many,
    268: Preparing.requests,
}
"""Before which pair."""


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _filled(pair: Pair, size: int) -> bytes:
    """The recorded body up to its base64, other bytes of the same number, and the end."""
    head = pair.request.body.partition("\n[… ".encode())[0]
    start = re.match(rb".*?\n(?:ATTACH|PHOTO)(?:[^:]|\r\n )*:", head, re.DOTALL)
    assert start is not None
    end = b"END:VEVENT\r\nEND:VCALENDAR\r\n" if b"VCALENDAR" in head else b"END:VCARD\r\n"
    return start[0] + base64.b64encode(noise(size)) + b"\r\n" + end


def _texts(pair: Pair, name: str, letter: str, count: int) -> bytes:
    """With a text of so many letters."""
    head = pair.request.body.decode().partition(f"{name}:{letter}")[0]
    end = "END:VEVENT\r\nEND:VCALENDAR\r\n" if "VCALENDAR" in head else "END:VCARD\r\n"
    return f"{head}{name}:{letter * count}\r\n{end}".encode()


REBUILT: Mapping[int, Callable[[Pair], bytes]] = {
    127: lambda pair: _filled(pair, 400_000),
    130: lambda pair: _filled(pair, 600_000),
    133: lambda _pair: noise(2_000_000),
    137: lambda pair: _texts(pair, "DESCRIPTION", "D", 70_000),
    182: lambda pair: _filled(pair, 3_000_000),
    184: lambda pair: _filled(pair, 5_000_000),
    189: lambda pair: _texts(pair, "NOTE", "x", 66_000),
    193: lambda pair: _texts(pair, "NOTE", "ä", 66_000),
}
"""Bodies that were left out of the recording, by the words of its index."""
