"""How a scheduling server delivers: mail by SMTP to everybody, and into the calendars and the schedule
inboxes of those it knows itself."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from urllib.parse import unquote

import httpx
from icalendar import Calendar
from lxml import etree

from practice.dav.proxy import Forward, Request
from practice.dav.radicale import USER_PASSWORD
from servers.dav.dav_proxy import login
from servers.dav.scheduling_itip import Notice
from servers.smtp_sink import SmtpSink

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CARDDAV = "{urn:ietf:params:xml:ns:carddav}"
INBOX = "schedule-inbox"
WHAT = b'<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>'
BY_UID = """<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="{component}"><C:prop-filter name="UID">
<C:text-match collation="i;octet">{uid}</C:text-match>
</C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"""


@dataclass
class LocalCalendars:
    """The calendars of this server's users, reached as they would themselves. users: address -> login."""

    forward: Forward
    users: dict[str, str]

    def deliver(self, notice: Notice, name: str = "") -> None:
        """Into the recipient's inbox; and, but for a reply, into their calendar too, or out of it. name: the
        object's there, "": one of the server's own."""
        user = self.users.get(notice.recipient)
        if user is None:
            return
        name = name or hashlib.blake2b(notice.uid.encode(), digest_size=8).hexdigest() + ".ics"
        self._put(user, f"{_inbox(user)}{name}", notice.body)
        if notice.method == "REPLY":
            return
        known = self.find(user, notice.uid, _component(notice.body))
        if notice.method == "CANCEL":
            for path in known:
                self._ask(user, "DELETE", path)
            return
        home = self.calendars(user)
        path = known[0] if known else f"{home[0]}{name}" if home else ""
        if path:
            self._put(user, path, _without_method(notice.body))

    def calendars(self, user: str) -> list[str]:
        """The paths of a user's calendars, that named "calendar" first."""
        calendars = self._collections(user, f"{CALDAV}calendar")
        found = [path for path in calendars if not path.endswith(f"/{INBOX}/")]
        return sorted(found, key=lambda path: (not path.endswith("/calendar/"), path))

    def find(self, user: str, uid: str, component: str = "VEVENT") -> list[str]:
        """The paths of a user's objects of that UID, in any calendar."""
        query = BY_UID.format(uid=_escaped(uid), component=component).encode()
        found: list[str] = []
        for path in self.calendars(user):
            found += _hrefs(self._ask(user, "REPORT", path, query, {"Depth": "1"}))
        return found

    def books(self, user: str) -> list[str]:
        """The paths of a user's address books."""
        return self._collections(user, f"{CARDDAV}addressbook")

    def _collections(self, user: str, kind: str) -> list[str]:
        listed = etree.fromstring(self._ask(user, "PROPFIND", f"/{user}/", WHAT, {"Depth": "1"}))
        return [
            unquote(one.findtext(f"{DAV}href") or "")
            for one in listed.iter(f"{DAV}response")
            if one.find(f".//{kind}") is not None
        ]

    def make_inboxes(self) -> None:
        for user in self.users.values():
            self._ask(user, "MKCALENDAR", _inbox(user))

    def _put(self, user: str, path: str, body: bytes) -> None:
        self._ask(user, "PUT", path, body, {"Content-Type": "text/calendar; charset=utf-8"})

    def _ask(
        self, user: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> bytes:
        known = login(user, USER_PASSWORD)
        known.update(httpx.Headers(headers or {}))
        answer = self.forward(Request(method, path, known, body))
        return answer.body


def _inbox(user: str) -> str:
    return f"/{user}/{INBOX}/"


def _hrefs(multistatus: bytes) -> list[str]:
    if not multistatus.startswith(b"<?xml"):
        return []
    responses = etree.fromstring(multistatus).iter(f"{DAV}response")
    return [unquote(one.findtext(f"{DAV}href") or "") for one in responses]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _component(body: bytes) -> str:
    return "VTODO" if b"BEGIN:VTODO" in body else "VEVENT"


def _without_method(body: bytes) -> bytes:
    calendar = Calendar.from_ical(body)
    calendar.pop("METHOD", None)
    return bytes(calendar.to_ical())


@dataclass
class PostOffice:
    """Mails notices, pool after they were handed in; clock may be a practice one. deliver_due() is called
    with every request, and by whoever moves the clock."""

    sink: SmtpSink
    clock: Callable[[], datetime]
    pool: timedelta = timedelta(0)
    _waiting: list[tuple[datetime, Notice]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hand_in(self, notice: Notice) -> None:
        with self._lock:
            self._waiting.append((self.clock() + self.pool, notice))

    def deliver_due(self) -> None:
        with self._lock:
            now = self.clock()
            due = [notice for when, notice in self._waiting if when <= now]
            self._waiting = [one for one in self._waiting if one[0] > now]
            for notice in due:
                self.sink.send(notice.sender, notice.recipient, _letter(notice))

    @property
    def waiting(self) -> int:
        return len(self._waiting)


SAYS = {"REQUEST": "Invitation", "CANCEL": "Cancelled", "REPLY": "Reply"}


def _letter(notice: Notice) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = notice.sender, notice.recipient
    mail["Subject"] = f"{SAYS[notice.method]}: {' '.join(notice.summary.split())}"
    mail.set_content(f"{SAYS[notice.method]}: {notice.summary}")
    mail.add_alternative(
        notice.body.decode(), subtype="calendar", params={"method": notice.method, "charset": "utf-8"}
    )
    return mail
