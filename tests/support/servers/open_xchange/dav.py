"""The methods of CalDAV and CardDAV: what each path is, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote, unquote

import httpx
from lxml import etree

from practice.dav.proxy import Reply, Request
from servers.open_xchange import dav_properties as properties
from servers.open_xchange.content_lines import Line, Part, Unreadable, parse
from servers.open_xchange.context import READ, READ_WRITE, USERS_BOOK, Folder, Kind, User, decoded
from servers.open_xchange.dav_properties import APPLE, CAL, CS, DAV
from servers.open_xchange.dav_reports import ICS, VCF, Entry, Listings, asked
from servers.open_xchange.event_rules import Refused
from servers.open_xchange.people import address
from servers.open_xchange.scheduling import is_silent
from servers.open_xchange.suite import Suite

NOTHING: Final = "There is nothing here, sorry."
XML: Final = {"Content-Type": "text/xml; charset=UTF-8"}
OPTIONS: Final = {
    "Allow": "GET,PUT,DELETE,HEAD,OPTIONS,TRACE,PROPPATCH,PROPFIND,MOVE,COPY,LOCK,UNLOCK,REPORT,ACL,"
    "MKCALENDAR",
    "DAV": "1,2,3,access-control,calendar-access,addressbook,extended-mkcol,calendar-auto-schedule,"
    "calendar-schedule,calendarserver-sharing,calendarserver-principal-search,"
    "calendarserver-principal-property-search,resource-sharing,calendar-managed-attachments,"
    "calendarserver-private-events,calendarserver-recurrence-split",
    "Accept-Ranges": "bytes",
    "MS-Author-Via": "DAV",
}
KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "caldav": ("calendar", "birthdays", "tasks"),
    "carddav": ("contacts",),
}


def answer(status: int, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Reply:
    """Every 207 has the reason CUSTOM."""
    content = body.encode() if isinstance(body, str) else body
    return Reply(status, httpx.Headers(headers or {}), content, reason="CUSTOM" if status == 207 else "")


def nothing() -> Reply:
    return answer(404, NOTHING)


def page(status: int, title: str) -> Reply:
    """A page of HTML, as of the errors that are not of DAV."""
    head = f"<head><title>{status} {title}</title></head>"
    body = f"<!DOCTYPE html><html>{head}<body><h1>{title}</h1></body></html>"
    return answer(status, body, {"Content-Type": "text/html;charset=ISO-8859-1"})


def refused(error: Refused) -> Reply:
    if error.status == 500:
        return page(500, "Internal Error")
    if not error.condition:
        return answer(error.status)
    condition = properties.element(f"{{{error.namespace}}}{error.condition}")
    made = properties.element(f"{DAV}error", condition)
    return answer(error.status, etree.tostring(made, xml_declaration=True, encoding="UTF-8"), XML)


@dataclass(frozen=True, slots=True)
class Place:
    """A path: area is its first segment, then that of a collection, and a name in it."""

    area: str
    segment: str
    name: str


def place(path: str) -> Place:
    area, _, rest = path.strip("/").partition("/")
    segment, _, name = rest.partition("/")
    return Place(area, segment, name)


class Dav:
    """Answers for one user; made anew for each request."""

    def __init__(self, suite: Suite, user: User, request: Request) -> None:
        self.suite = suite
        self.user = user
        self.request = request
        self.headers = request.headers
        self.base = f"http://{request.headers.get('Host', 'localhost').partition(':')[0]}"
        self.at = place(request.path)

    def __call__(self) -> Reply:
        methods: Mapping[str, Callable[[], Reply]] = {
            "OPTIONS": lambda: answer(200, headers=OPTIONS),
            "PROPFIND": self._propfind,
            "PROPPATCH": self._proppatch,
            "REPORT": self._report,
            "GET": self._get,
            "HEAD": self._get,
            "PUT": self._put,
            "DELETE": self._delete,
            "POST": self._post,
            "MKCALENDAR": self._make,
            "MKCOL": self._make,
        }
        if "/" in self.at.name:
            return nothing()  # a slash in a name, however it is written (read from the source)
        method = methods.get(self.request.method)
        if method is None:
            return answer(501)  # LOCK, ACL, MOVE and COPY were not recorded
        try:
            return method()
        except Refused as error:
            return refused(error)
        except (Unreadable, UnicodeDecodeError):
            return refused(Refused(403, "valid-calendar-data"))  # not measured

    def _folder(self) -> Folder | None:
        """By its own segment; and the path that it was made at goes on answering."""
        for folder in self.suite.context.visible(self.user, *KINDS.get(self.at.area, ())):
            alias = folder.resource if folder.owner == self.user.number else ""
            if self.at.segment and self.at.segment in (folder.segment, alias):
                return folder
        return None

    def _inside(self, otherwise: int) -> Folder:
        """The collection of an object. Raises Refused: 403 for one that is no more, `otherwise` for a segment
        that never was one."""
        folder = self._folder()
        if folder is None:
            raise Refused(403 if decoded(self.at.segment) else otherwise)
        return folder

    def _listings(self, folder: Folder) -> Listings:
        return Listings(self.suite, self.user, folder, self.base)

    def _propfind(self) -> Reply:
        wanted = asked(self.request.body).wanted
        deep = self.headers.get("Depth", "1") != "0"
        found = self._known(self.request.path.rstrip("/") or "/")
        if found is not None:
            href, known = found
            responses = [properties.response(href, known, wanted)]
            if deep and self.at.area in KINDS and not self.at.segment:
                responses += self._homes(wanted)
            return answer(207, properties.multistatus(*responses), XML)
        folder = self._folder()
        if folder is None:
            return nothing()
        listings = self._listings(folder)
        if self.at.name:
            entry = listings.find(self.at.name)
            if entry is None:
                return nothing()
            return answer(207, properties.multistatus(listings.response(entry, wanted)), XML)
        known = properties.collection(self.suite, folder, self.user)
        responses = [properties.response(listings.path, known, wanted)]
        if deep:
            responses += [listings.response(one, wanted) for one in listings.bounded()]
        return answer(207, properties.multistatus(*responses), XML)

    def _known(self, path: str) -> tuple[str, properties.Properties] | None:
        """What is neither a collection of objects nor an object."""
        if path == "/":
            return path, properties.root(self.user)
        if path.strip("/") in KINDS:
            return f"{path}/", properties.home(self.user, path.strip("/"))
        if path == properties.principal_path(self.user):
            return path, properties.principal(self.user)
        if path == "/caldav/schedule-inbox":
            return f"{path}/", properties.inbox(self.suite, self.user)
        if path == "/caldav/schedule-outbox":
            return f"{path}/", properties.outbox()
        return None

    def _homes(self, wanted: Sequence[str] | None) -> list[etree._Element]:
        area = self.at.area
        found = [
            properties.response(
                f"/{area}/{folder.segment}/", properties.collection(self.suite, folder, self.user), wanted
            )
            for folder in self.suite.context.visible(self.user, *KINDS[area])
        ]
        if area == "caldav":
            inbox = properties.inbox(self.suite, self.user)
            found.append(properties.response("/caldav/schedule-outbox/", properties.outbox(), wanted))
            found.append(properties.response("/caldav/schedule-inbox/", inbox, wanted))
        return found

    def _report(self) -> Reply:
        folder = self._folder()
        if folder is None or self.at.name:
            return nothing()
        return answer(207, self._listings(folder).report(self.request.body), XML)

    def _get(self) -> Reply:
        if self.at.area == "attachments":
            return self._attachment()
        if not self.at.name:
            return nothing()
        folder = self._inside(404)
        entry = self._listings(folder).find(self.at.name)
        if entry is None:
            return nothing()
        headers = {"ETag": f'"{entry.etag}"', "Content-Disposition": "attachment"}
        if folder.kind == "contacts":
            card = self.suite.cards.find(folder, self.at.name)
            changed = card.changed.strftime("%a, %d %b %Y %H:%M:%S GMT") if card is not None else ""
            headers |= {"Content-Type": VCF, "Accept-Ranges": "bytes", "Last-Modified": changed}
        else:
            headers["Content-Type"] = ICS
        if folder.kind == "calendar":
            headers["Schedule-Tag"] = f'"{_schedule_tag(entry)}"'
        return answer(200, entry.text(), headers)

    def _attachment(self) -> Reply:
        found = self.suite.attachments.at(self.at.segment)
        if found is None:
            return nothing()
        headers = {
            "Content-Type": found.media_type,
            "Content-Disposition": "attachment",
            "ETag": f'"53-{found.number}-{found.at}"',
            "Accept-Ranges": "bytes",
            "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT",
        }
        return answer(200, found.content, headers)

    def _put(self) -> Reply:
        """201 for what is new and for what is overwritten, and never an ETag: what is stored is not what
        came."""
        folder = self._inside(409)
        existing = self._listings(folder).find(self.at.name)
        self._refuse_stale(existing)
        if not folder.may(self.user.number, "write") or folder.number == USERS_BOOK:
            raise Refused(403)
        body = parse(self.request.body.decode())
        if folder.kind == "contacts":
            self.suite.cards.put(folder, self.at.name, body, len(self.request.body))
        elif folder.kind == "tasks":
            self._put_task(folder, body)
        else:
            owner = self.suite.context.by_number(folder.owner)
            change = self.suite.changes.put(owner, folder, self.at.name, body)
            self.suite.mailer.tell(change, silent=is_silent(self.headers))
        return answer(201)

    def _put_task(self, folder: Folder, body: Part) -> None:
        """A task with attendees is mailed of, as notifications alone, also with "Scheduling: none"."""
        lost = self.suite.tasks.put(folder, self.at.name, body)
        if lost is not None:
            self.suite.mailer.notify(self.user, lost.recipients, f"New task: {lost.summary}")

    def _refuse_stale(self, existing: Entry | None) -> None:
        """If-None-Match: * counts against <UID>.ics too."""
        if self.headers.get("If-None-Match", "").strip() == "*" and existing is not None:
            raise Refused(412)
        match = self.headers.get("If-Match", "").strip()
        if match and (existing is None or match not in ("*", f'"{existing.etag}"')):
            raise Refused(412)

    def _delete(self) -> Reply:
        if not self.at.name:
            return self._delete_collection()
        folder = self._inside(404)
        entry = self._listings(folder).find(self.at.name)
        if entry is None:
            return nothing()
        self._refuse_stale(entry)
        if not folder.may(self.user.number, "delete"):
            raise Refused(403)
        if folder.kind == "calendar":
            resource = self.suite.events.find(folder, self.at.name)
            if resource is not None:
                owner = self.suite.context.by_number(folder.owner)
                change = self.suite.changes.delete(owner, resource)
                self.suite.mailer.tell(change, silent=is_silent(self.headers))
        elif folder.kind == "tasks":
            task = self.suite.tasks.find(folder, self.at.name)
            if task is not None:
                self.suite.tasks.delete(folder, task)
        else:
            card = self.suite.cards.find(folder, self.at.name)
            if card is not None:
                self.suite.cards.delete(folder, card)
        return answer(204)

    def _delete_collection(self) -> Reply:
        """Any untagged If: is 412, also with its own sync-token. A tagged one, If: <URL> (<token>), is not
        looked at, however wrong. If-Match with anything but * is 500, If-None-Match: * is 412."""
        folder = self._folder()
        if folder is None:
            return nothing()
        if self.headers.get("If", "").lstrip().startswith("("):
            return answer(412)
        if self.headers.get("If-None-Match", "").strip() == "*":
            return answer(412)
        if self.headers.get("If-Match", "*").strip() != "*":
            return page(500, "Internal Error")
        if folder.default and folder.kind == "calendar":
            raise Refused(403, "default-calendar-needed")
        if folder.default or folder.owner != self.user.number or folder.kind == "birthdays":
            raise Refused(403)
        self.suite.remove(folder)
        return answer(204)

    def _make(self) -> Reply:
        """MKCALENDAR and MKCOL. The name of a sibling, also of a default that is stored in another language
        than it is shown in: 403 with an empty body."""
        card = self.at.area == "carddav"
        headers = {"Cache-Control": "no-cache"} if self.request.method == "MKCOL" else {}
        if self.at.area not in KINDS or not self.at.segment or self.at.name:
            return answer(403, headers=headers)
        if self._folder() is not None:
            return answer(405, headers=headers)  # not measured
        tree = asked(self.request.body).tree
        title = tree.findtext(f".//{DAV}displayname") or self.at.segment
        comps = [one.get("name") for one in tree.iterfind(f".//{CAL}comp")]
        kind: Kind = "contacts" if card else "tasks" if comps == ["VTODO"] else "calendar"
        if self.suite.context.has_sibling(kind, self.user, title):
            return answer(403, headers=headers)
        color = tree.findtext(f".//{APPLE}calendar-color") or ""
        self.suite.context.make(kind, self.user, title, self.at.segment, color)
        return answer(201, headers=headers)

    def _proppatch(self) -> Reply:
        folder = self._folder()
        if folder is None:
            return nothing()
        tree = asked(self.request.body).tree
        given = [one for prop in tree.iterfind(f".//{DAV}prop") for one in prop if isinstance(one.tag, str)]
        wrong = frozenset(one.tag for one in given if not self._set(folder, one))
        path = self._listings(folder).path
        done = properties.changed([one.tag for one in given], path, wrong)
        return answer(207, properties.multistatus(done), XML)

    def _set(self, folder: Folder, given: etree._Element) -> bool:
        """Whether it was set. The name of a sibling is refused here too, and so is a new one for a default
        (both not measured)."""
        text = given.text or ""
        if given.tag == f"{APPLE}calendar-color":
            folder.color = text
        if given.tag == f"{DAV}displayname" and text != folder.title:
            if folder.default or self.suite.context.has_sibling(folder.kind, self.user, text):
                return False
            folder.title = text
        return True

    def _post(self) -> Reply:
        action = parse_qs(self.request.query).get("action", [""])[0]
        if action in ("attachment-add", "attachment-remove"):
            return self._attach(action == "attachment-add")
        folder = self._folder()
        return self._share(folder) if folder is not None else nothing()

    def _attach(self, adds: bool) -> Reply:
        """RFC 8607, for attachments of any size. The ETag of the answer is that of before, and
        Content-Location lacks /caldav. An If-Match with another ETag than the event's is 412 (for the removal
        not measured)."""
        folder = self._inside(404)
        known = self.suite.events.find(folder, self.at.name)
        if known is None or folder.kind != "calendar":
            return nothing()
        old, row = known.etag, known.rows[0]
        if self.headers.get("If-Match", "").strip() not in ("", "*", f'"{old}"'):
            raise Refused(412)
        if not adds:
            number = parse_qs(self.request.query).get("managed-id", [""])[0]
            row.part = row.part.mapped(lambda line: None if line.param("MANAGED-ID") == number else line)
            self.suite.events.changed(row)
            return answer(204)
        media_type = self.headers.get("Content-Type", "application/octet-stream")
        at = self.suite.context.clock.tick()
        added = self.suite.attachments.store(self._filename(), media_type, self.request.body, at)
        row.part = row.part.plus(added.line())
        self.suite.events.changed(row)
        location = f"/{folder.segment}/{quote(self.at.name)}"
        headers = {"Content-Type": ICS, "Content-Location": location, "ETag": f'"{old}"'}
        return answer(201, headers=headers | {"Cal-Managed-ID": str(added.number)})

    def _filename(self) -> str:
        """filename* of RFC 8187 too (not measured)."""
        disposition = Line("", "")
        for one in self.headers.get("Content-Disposition", "").split(";")[1:]:
            key, _, value = one.strip().partition("=")
            disposition = disposition.with_param(key.upper(), value.strip('"'))
        extended = disposition.param("FILENAME*").rpartition("'")[2]
        return unquote(extended) or disposition.param("FILENAME") or "attachment"

    def _share(self, folder: Folder) -> Reply:
        """CS:share. The Content-Type is exactly text/xml, anything more is 415; and every second one is 400,
        whoever it names; sent again it is 200. Nobody is mailed."""
        if self.headers.get("Content-Type") != "text/xml":
            return answer(415)
        self.suite.shares += 1
        if self.suite.shares % 2 == 0:
            return answer(400)
        for one in asked(self.request.body).tree.iterfind(f"{CS}set"):
            who = address(Line("", one.findtext(f"{DAV}href") or ""))
            user = self.suite.context.by_address(who)
            if user is not None:
                folder.rights[user.number] = READ if one.find(f"{CS}read") is not None else READ_WRITE
        return answer(200)


def _schedule_tag(entry: Entry) -> str:
    """Changes with everything but the answers of attendees."""
    lines = [
        one for one in entry.text().splitlines() if one.startswith(("UID", "SEQUENCE", "DTSTART", "CREATED"))
    ]
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=5).hexdigest().upper()[:7]
