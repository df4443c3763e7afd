"""What Open-Xchange does to a CalDAV and CardDAV client, read from its source and documentation: layers for
practice.dav.proxy, each one habit."""

from __future__ import annotations

import base64
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import quote, unquote

import httpx
import recurring_ical_events
from icalendar import Calendar
from lxml import etree

from practice.dav.proxy import Forward, Reply, Request, dav_error, reply, upstream
from practice.dav.radicale import RadicaleServer
from practice.dav.scheduling import address_of
from practice.dav.scheduling_itip import answers, kinds, organizer, uids
from practice.dav.scheduling_post import DAV, LocalCalendars

NO_UID_CONFLICT = '<c:no-uid-conflict xmlns:c="urn:ietf:params:xml:ns:caldav"/>'
FIRST_NUMBER = 31
YEAR = timedelta(days=365)


def puts_event(request: Request) -> bool:
    return request.method == "PUT" and b"BEGIN:VCALENDAR" in request.body


def stored(request: Request, rest: Forward) -> bytes | None:
    """What the user's object is now; None when there is none."""
    known = httpx.Headers({"Authorization": request.headers.get("Authorization", "")})
    found = rest(Request("GET", request.path, known))
    return found.body if found.status == 200 else None


def no_slashes(request: Request, rest: Forward) -> Reply:
    """A name with "/" in it is not found, however it is written."""
    return reply(404) if "%2f" in request.target.lower() else rest(request)


def overwrites_need_a_tag(request: Request, rest: Forward) -> Reply:
    """A PUT onto an object, without If-Match: 409, which therefore does not mean that it exists."""
    bare = request.method == "PUT" and not {"if-match", "if-none-match"} & set(request.headers)
    return reply(409) if bare and stored(request, rest) is not None else rest(request)


def no_recurring_tasks(request: Request, rest: Forward) -> Reply:
    if puts_event(request) and b"BEGIN:VTODO" in request.body and b"\nRRULE" in request.body:
        return reply(400)
    return rest(request)


def one_series(request: Request, rest: Forward) -> Reply:
    """403 for two UIDs, two masters, and for an exception without a master."""
    if puts_event(request):
        found = kinds(request.body)
        if len(uids(request.body)) != 1 or found.count("") != 1:
            return dav_error(
                403, '<c:valid-calendar-object-resource xmlns:c="urn:ietf:params:xml:ns:caldav"/>'
            )
    return rest(request)


def answers_stay(request: Request, rest: Forward) -> Reply:
    """An attendee does not change the own answer by PUT: 403. A new object may come with one."""
    user = address_of(request.user or "")
    if puts_event(request) and organizer(request.body) not in ("", user):
        before = stored(request, rest)
        if before is not None and answers(before, user) != answers(request.body, user):
            return reply(403)
    return rest(request)


def drops_groups(request: Request, rest: Forward) -> Reply:
    """A distribution list is taken and never seen again: CardDAV leaves them out."""
    group = re.search(rb"^(X-ADDRESSBOOKSERVER-)?KIND:group", request.body, re.MULTILINE | re.IGNORECASE)
    return reply(201) if request.method == "PUT" and group else rest(request)


def rewrites(request: Request, rest: Forward) -> Reply:
    """What is kept of an event is not what came, so that no ETag comes with the reply."""
    if not puts_event(request):
        return rest(request)
    calendar = Calendar.from_ical(request.body)
    calendar["PRODID"] = "-//Open-Xchange//7.10.6//EN"
    for one in calendar.subcomponents:
        if one.name in ("VEVENT", "VTODO"):
            one.pop("DTSTAMP", None)
            one.add("DTSTAMP", datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
            one.add("X-OX-SERVER", "practice")
    answer = rest(replace(request, body=calendar.to_ical(sorted=True)))
    headers = answer.headers.copy()
    headers.pop("ETag", None)
    return replace(answer, headers=headers)


@dataclass
class Rate:
    """429 for more than most requests in so many seconds, from whomever (servlet.maxRate)."""

    clock: Callable[[], datetime]
    most: int = 1500
    seconds: float = 300.0
    after: int = 0
    _seen: deque[datetime] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        with self._lock:
            now = self.clock()
            while self._seen and (now - self._seen[0]).total_seconds() >= self.seconds:
                self._seen.popleft()
            if len(self._seen) >= self.most:
                return reply(429, after=self.after)
            self._seen.append(now)
        return rest(request)


@dataclass
class AccountUids:
    """A new object whose UID another of the user's has, in whichever calendar: 403, CAL-4090. everybody:
    another of anybody's, as where all users of a context share their events."""

    radicale: RadicaleServer
    everybody: bool = False

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if not puts_event(request) or stored(request, rest) is not None:
            return rest(request)
        user = request.user or ""
        known = LocalCalendars(upstream(self.radicale), {})
        component = "VTODO" if b"BEGIN:VTODO" in request.body else "VEVENT"
        whose = self.radicale.users if self.everybody else self.radicale.users & {user}
        if any(known.find(one, uid, component) for one in whose for uid in uids(request.body)):
            return dav_error(403, NO_UID_CONFLICT, "CAL-4090")
        return rest(request)


@dataclass
class NarrowReports:
    """A calendar-query without a time range sees about a year to either side of today, and nothing tells."""

    clock: Callable[[], datetime]

    def __call__(self, request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        unbounded = b"calendar-query" in request.body and b"time-range" not in request.body
        if request.method != "REPORT" or not unbounded or answer.status != 207:
            return answer
        found = etree.fromstring(answer.body)
        for one in list(found.iter(f"{DAV}response")):
            path = unquote(one.findtext(f"{DAV}href") or "")
            body = stored(replace(request, path=path), rest)
            if body is not None and not self._near(body):
                found.remove(one)
        return replace(answer, body=etree.tostring(found, xml_declaration=True, encoding="utf-8"))

    def _near(self, body: bytes) -> bool:
        now = self.clock()
        known = recurring_ical_events.of(Calendar.from_ical(body), components=["VEVENT", "VTODO"])
        return bool(known.between(now - YEAR, now + YEAR))


@dataclass
class OpaqueUrls:
    """Every calendar has another URL than the one it was made at: an opaque one, which every answer uses. The
    first still leads there."""

    _names: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        asked = replace(request, path=self._real(request.path), body=self._real_hrefs(request))
        answer = rest(asked)
        if answer.status != 207:
            return answer
        found = etree.fromstring(answer.body)
        for one in found.iter(f"{DAV}href"):
            one.text = quote(self._opaque(unquote(one.text or "")))
        return replace(answer, body=etree.tostring(found, xml_declaration=True, encoding="utf-8"))

    def _real(self, path: str) -> str:
        with self._lock:
            real = {alias: name for name, alias in self._names.items()}
        head, segment, tail = _second(path)
        return f"{head}{real.get(segment, segment)}{tail}"

    def _opaque(self, path: str) -> str:
        head, segment, tail = _second(path)
        return f"{head}{self._alias(segment)}{tail}" if segment else path

    def _alias(self, segment: str) -> str:
        if segment.startswith(("schedule-", "contacts")):
            return segment
        with self._lock:
            number = FIRST_NUMBER + len(self._names)
            made = base64.urlsafe_b64encode(f"cal://0/{number}".encode()).decode().rstrip("=")
            return self._names.setdefault(segment, made)

    def _real_hrefs(self, request: Request) -> bytes:
        """A multiget names its objects as it was told of them."""
        if request.method != "REPORT" or b"multiget" not in request.body:
            return request.body
        asked = etree.fromstring(request.body)
        for one in asked.iter(f"{DAV}href"):
            one.text = quote(self._real(unquote(one.text or "")))
        return etree.tostring(asked, xml_declaration=True, encoding="utf-8")


def _second(path: str) -> tuple[str, str, str]:
    """ "/user/", "calendar", "/rest" of a path; the second is "" where there is none."""
    before, _, rest = path.partition("/")
    user, *below = rest.split("/", 2)
    if before or not below or not below[0]:  # a mail address is an href too
        return path, "", ""
    return f"/{user}/", below[0], "/" + below[1] if len(below) > 1 else ""
