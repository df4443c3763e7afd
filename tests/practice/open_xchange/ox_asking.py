"""Ask a practice Open-Xchange as one of its users, and what to ask it with."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from lxml import etree
from servers.open_xchange.content_lines import Part, parse
from servers.open_xchange.server import OpenXchangeServer

NOW = datetime(2026, 11, 28, 18, 38, tzinfo=UTC)
USERS = {"alice@ox.test": "Alice Anders", "bob@ox.test": "Bob Berger", "carol@ox.test": "Carol Clausen"}
SPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:A="urn:ietf:params:xml:ns:carddav"'
ETAGS = f"<D:propfind {SPACES}><D:prop><D:getetag/></D:prop></D:propfind>"
QUERY = f"""<C:calendar-query {SPACES}><D:prop><D:getetag/></D:prop><C:filter>
<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">%s</C:comp-filter></C:comp-filter>
</C:filter></C:calendar-query>"""
SYNC = f"""<D:sync-collection {SPACES}><D:sync-token>%s</D:sync-token><D:sync-level>1</D:sync-level>
<D:prop><D:getetag/></D:prop></D:sync-collection>"""
ALICE, BOB = "/caldav/Y2FsOi8vMC8zMQ/", "/caldav/Y2FsOi8vMC80MQ/"
TASKS, BOOK = "/caldav/MzM/", "/carddav/32/"
QUIET = {"Scheduling": "none"}
DAV = "{DAV:}"


def calendar(*lines: str) -> str:
    """A VCALENDAR with these lines, parts and all."""
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//T//EN", *lines, "END:VCALENDAR", ""))


def vevent(uid: str, *lines: str, at: str = "20261210T10") -> str:
    """An hour's half from that hour on, unless the lines have a DTSTART."""
    times = () if any(line.startswith("DTSTART") for line in lines) else (
        f"DTSTART:{at}0000Z",
        f"DTEND:{at}3000Z",
    )  # fmt: skip
    own = ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261128T120000Z", *times, *lines, "END:VEVENT")
    return "\r\n".join(own)


def event(uid: str, *lines: str, at: str = "20261210T10") -> str:
    return calendar(vevent(uid, *lines, at=at))


def meeting(*guests: str, host: str = "alice", **answers: str) -> tuple[str, ...]:
    """ORGANIZER and ATTENDEEs of ox.test, or of another domain where there is an @."""
    names = [one if "@" in one else f"{one}@ox.test" for one in guests]
    says = [answers.get(one.partition("@")[0], "NEEDS-ACTION") for one in names]
    lines = [f"ATTENDEE;PARTSTAT={said}:mailto:{one}" for one, said in zip(names, says, strict=True)]
    return (f"ORGANIZER:mailto:{host if '@' in host else f'{host}@ox.test'}", *lines)


def todo(uid: str, *lines: str) -> str:
    own = (
        "BEGIN:VTODO",
        f"UID:{uid}",
        "DTSTAMP:20261128T120000Z",
        f"SUMMARY:Task {uid}",
        *lines,
        "END:VTODO",
    )
    return calendar(*own)


def card(uid: str, *lines: str, name: str = "Muster;Max;;;") -> str:
    named = () if any(line.startswith("FN:") for line in lines) else ("FN:Max Muster",)
    own = ("BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"N:{name}", *named, *lines, "END:VCARD", "")
    return "\r\n".join(own)


@dataclass
class Asker:
    """One user of the server. url: of the server."""

    client: httpx.Client

    def ask(self, method: str, path: str, body: str | bytes = b"", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        content = body.encode() if isinstance(body, str) else body
        return self.client.request(method, path, content=content, headers=named)

    def put(self, path: str, body: str, **headers: str) -> int:
        return self.ask("PUT", path, body, **headers).status_code

    def get(self, path: str) -> Part:
        return parse(self.ask("GET", path).raise_for_status().text)

    def event(self, path: str) -> Part:
        """The only or the first event of an object."""
        return self.get(path).of("VEVENT")[0]

    def listed(self, path: str) -> list[str]:
        """The names that a PROPFIND of a collection shows."""
        return names(self.ask("PROPFIND", path, ETAGS, Depth="1"))[1:]

    def make(self, name: str, *, tasks: bool = False, path: str = "") -> int:
        comp = '<C:comp name="VTODO"/>' if tasks else ""
        inner = f"<D:displayname>{name}</D:displayname>"
        if tasks:
            inner += f"<C:supported-calendar-component-set>{comp}</C:supported-calendar-component-set>"
        body = f"<C:mkcalendar {SPACES}><D:set><D:prop>{inner}</D:prop></D:set></C:mkcalendar>"
        return self.ask("MKCALENDAR", path or f"/caldav/{name.lower()}/", body).status_code

    def make_book(self, name: str) -> int:
        inner = "<D:resourcetype><D:collection/><A:addressbook/></D:resourcetype>"
        inner += f"<D:displayname>{name}</D:displayname>"
        body = f"<D:mkcol {SPACES}><D:set><D:prop>{inner}</D:prop></D:set></D:mkcol>"
        return self.ask("MKCOL", f"/carddav/{name.lower()}/", body).status_code


@contextmanager
def asking(server: OpenXchangeServer, user: str, **headers: str) -> Iterator[Asker]:
    auth = (user, server.user_password)
    with httpx.Client(base_url=server.url, auth=auth, headers=headers, timeout=30) as client:
        yield Asker(client)


def tree(answer: httpx.Response) -> etree._Element:
    assert answer.status_code == 207, answer.status_code
    return etree.fromstring(answer.content)


def names(answer: httpx.Response) -> list[str]:
    """The last segments of the hrefs of what is there."""
    found = [one for one in tree(answer).iterfind(f"{DAV}response") if one.find(f"{DAV}status") is None]
    return [(one.findtext(f"{DAV}href") or "").rstrip("/").rpartition("/")[2] for one in found]


def gone(answer: httpx.Response) -> list[str]:
    """The last segments of the hrefs that have a status of their own."""
    found = [one for one in tree(answer).iterfind(f"{DAV}response") if one.find(f"{DAV}status") is not None]
    return [(one.findtext(f"{DAV}href") or "").rstrip("/").rpartition("/")[2] for one in found]


def token(answer: httpx.Response) -> str:
    return tree(answer).findtext(f"{DAV}sync-token") or ""


def segment(identity: str) -> str:
    """Of the URL of a folder."""
    return base64.urlsafe_b64encode(identity.encode()).decode().rstrip("=")
