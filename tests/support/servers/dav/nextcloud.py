"""What Nextcloud does to a CalDAV and CardDAV client, as measured on 32.0.1: layers for practice.dav.proxy,
each one habit."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import quote
from xml.sax.saxutils import escape

from practice.dav.proxy import Forward, Reply, Request, dav_error, reply
from practice.dav.radicale import RadicaleServer
from servers.dav.dav_proxy import puts_event, stored, upstream
from servers.dav.scheduling_itip import uids
from servers.dav.scheduling_post import INBOX, LocalCalendars

TRASH = "trashbin/objects/"
LISTED = """<d:response><d:href>{path}</d:href><d:propstat><d:prop><d:resourcetype>{kind}</d:resourcetype>
<d:getcontentlength>{length}</d:getcontentlength><d:getetag>"{length}"</d:getetag>
<c:calendar-data>{data}</c:calendar-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>
</d:response>"""
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
FEATURES = ("nc-calendar-trashbin", "nc-calendar-webcal-cache", "nextcloud-checksum-update")
STATUS = {
    "installed": True,
    "maintenance": False,
    "version": "32.0.1.2",
    "versionstring": "32.0.1",
    "productname": "Nextcloud",
}
HOUR = timedelta(hours=1)


def shows_itself(request: Request, rest: Forward) -> Reply:
    """By words of its DAV header, and the version at a path that needs no login."""
    if request.method == "GET" and request.path == "/status.php":
        return reply(200, json.dumps(STATUS), kind="application/json")
    answer = rest(request)
    if "DAV" not in answer.headers:
        return answer
    headers = answer.headers.copy()
    headers["DAV"] = f"{headers['DAV']}, {', '.join(FEATURES)}"
    return replace(answer, headers=headers)


def refuses_media(request: Request, rest: Forward) -> Reply:
    """415: a METHOD, two UIDs, an event without DTSTART, vCard 2.1. 500: a UID or a name above 255."""
    if request.method != "PUT":
        return rest(request)
    body = request.body
    if puts_event(request):
        known = uids(body)
        bare = b"BEGIN:VEVENT" in body and b"\nDTSTART" not in body
        if b"\nMETHOD:" in body or len(known) > 1 or bare:
            return dav_error(415, "<s:exception>UnsupportedMediaType</s:exception>")
        if any(len(uid) > 255 for uid in known):
            return reply(500)
    if re.search(rb"^VERSION:2\.1", body, re.MULTILINE):
        return dav_error(415, "<s:exception>UnsupportedMediaType</s:exception>")
    return reply(500) if len(request.path.rsplit("/", 1)[1]) > 255 else rest(request)


def one_uid(request: Request, rest: Forward) -> Reply:
    """A UID another object of the same collection has: 400, with words that depend on the language."""
    answer = rest(request)
    if request.method == "PUT" and answer.status == 409 and b"no-uid-conflict" in answer.body:
        said = "Calendar object with uid already exists in this calendar collection."
        return dav_error(400, "<s:exception>BadRequest</s:exception>", said)
    return answer


def adds_what_is_missing(request: Request, rest: Forward) -> Reply:
    """Without DTSTAMP, or with control characters: kept otherwise than it came, and no ETag in the reply."""
    if not puts_event(request):
        return rest(request)
    body = CONTROLS.sub(b"", request.body)
    if b"\nDTSTAMP" not in body:
        body = re.sub(rb"(\nUID[:;])", rb"\nDTSTAMP:20260101T000000Z\r\1", body)
    answer = rest(replace(request, body=body))
    if body == request.body:
        return answer
    headers = answer.headers.copy()
    headers.pop("ETag", None)
    return replace(answer, headers=headers)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What lies in the bin: where it was, its UID, and itself."""

    collection: str
    uid: str
    body: bytes


@dataclass
class Trash:
    """What is deleted goes to the bin, at TRASH below the user's home; until it is purged there, one by one,
    a PUT of its UID into the same calendar is 500. The bin cannot be listed, but it can be read; a query
    gives everything in it."""

    _bins: dict[str, dict[str, Deleted]] = field(default_factory=dict)
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        home, _, below = request.path[1:].partition("/")
        if below.startswith(TRASH.rstrip("/")):
            return self._of_the_bin(request, home, rest)
        collection = request.path.rsplit("/", 1)[0]
        if puts_event(request) and self._holds(home, collection, uids(request.body)):
            return reply(500)
        if request.method != "DELETE" or request.path.endswith(("/", ".vcf")) or f"/{INBOX}/" in request.path:
            return rest(request)
        before = stored(request, rest)
        answer = rest(request)
        if answer.took_effect and before is not None:
            with self._lock:
                for uid in uids(before):
                    self._count += 1
                    kept = Deleted(collection, uid, before)
                    self._bins.setdefault(home, {})[f"{self._count}-deleted.ics"] = kept
        return answer

    def _holds(self, home: str, collection: str, wanted: frozenset[str]) -> bool:
        with self._lock:
            known = self._bins.get(home, {}).values()
            return any(one.collection == collection and one.uid in wanted for one in known)

    def _of_the_bin(self, request: Request, home: str, rest: Forward) -> Reply:
        known = rest(replace(request, method="PROPFIND", path=f"/{home}/", body=b""))
        if known.status != 207:
            return known
        name = request.path.rsplit("/", 1)[1]
        with self._lock:
            found = dict(self._bins.get(home, {}))
            if request.method == "DELETE":
                self._bins.get(home, {}).pop(name, None)
        if request.method == "PROPFIND" and not name:
            shallow = request.headers.get("Depth") == "0"
            return (
                _multistatus(home, {"": None})
                if shallow
                else dav_error(501, "<s:exception>NotImplemented</s:exception>")
            )
        if request.method == "REPORT" and not name:
            multiget = b"multiget" in request.body
            wanted = {
                one: kept for one, kept in found.items() if not multiget or one.encode() in request.body
            }
            return _multistatus(home, wanted)
        if name not in found:
            return reply(404)
        if request.method in ("GET", "HEAD"):
            return reply(200, found[name].body.decode(), kind="text/calendar; charset=utf-8")
        return reply(204 if request.method == "DELETE" else 405)


def _multistatus(home: str, found: Mapping[str, Deleted | None]) -> Reply:
    """None stands for the bin itself."""
    rows = [
        LISTED.format(
            path=quote(f"/{home}/{TRASH}{name}"),
            kind="" if kept else "<d:collection/><n:trash-bin xmlns:n='http://nextcloud.com/ns'/>",
            length=len(kept.body) if kept else 0,
            data=escape(kept.body.decode()) if kept else "",
        )
        for name, kept in found.items()
    ]
    head = '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">'
    body = f'<?xml version="1.0"?>\n{head}{"".join(rows)}</d:multistatus>'
    return reply(207, body, kind="application/xml; charset=utf-8")


@dataclass
class Fullness:
    """429 for the eleventh new calendar of a user within an hour, and 403 from the thirty-first on; for
    address books ten an hour, and ten in all."""

    radicale: RadicaleServer
    clock: Callable[[], datetime]
    an_hour: int = 10
    calendars: int = 30
    books: int = 10
    _made: dict[tuple[str, bool], list[datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if request.method not in ("MKCALENDAR", "MKCOL"):
            return rest(request)
        book = request.method == "MKCOL" and b"addressbook" in request.body
        user = request.user or ""
        if user in self.radicale.users:
            with self._lock:
                now = self.clock()
                made = [when for when in self._made.get((user, book), []) if now - when < HOUR]
                self._made[user, book] = made
                if len(made) >= self.an_hour:
                    return dav_error(429, "<s:exception>TooManyRequests</s:exception>")
                if self._there(user, book) >= (self.books if book else self.calendars):
                    return dav_error(403, "<s:exception>Forbidden</s:exception>", "Limit reached")
                made.append(now)
        return rest(request)

    def _there(self, user: str, book: bool) -> int:
        known = LocalCalendars(upstream(self.radicale), {})
        return len(known.books(user) if book else known.calendars(user))


@dataclass
class Collides:
    """PUTs of new objects at the same time: a 500 for the later one, so many times."""

    budget: int = 3
    _busy: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if request.method != "PUT" or "If-Match" in request.headers:
            return rest(request)
        with self._lock:
            if self._busy and self.budget:
                self.budget -= 1
                return reply(500)
            self._busy += 1
        try:
            return rest(request)
        finally:
            with self._lock:
                self._busy -= 1
