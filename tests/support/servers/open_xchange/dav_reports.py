"""Listings and REPORTs. What lists events sees a window; GET and multiget see everything.

The window counts for PROPFIND, calendar-query and sync-collection alike, whatever time-range is asked for.
Task lists and address books have none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from lxml import etree

from servers.open_xchange import dav_properties as properties
from servers.open_xchange.cards import Card
from servers.open_xchange.content_lines import Line, Part, escaped, text_of
from servers.open_xchange.context import NUMBER, Folder, User
from servers.open_xchange.dav_properties import CAL, CARD, DAV, element
from servers.open_xchange.event_rules import Refused
from servers.open_xchange.events import PRODID
from servers.open_xchange.suite import Suite
from servers.open_xchange.times import STAMP, Range, instant

ICS, VCF = "text/calendar; charset=UTF-8", "text/vcard;charset=utf-8"
TOKEN = re.compile(r"(\d+)(?:\.\d+){0,2}")
TRUNCATED = "HTTP/1.1 507 Insufficient Storage"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a listing shows of one object. text: reads it whole."""

    name: str
    etag: str
    modified: int
    text: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a REPORT or PROPFIND asks for. wanted: None for allprop."""

    root: str
    wanted: Sequence[str] | None
    tree: etree._Element


def asked(body: bytes) -> Asked:
    """Reads a body; none is an allprop. Raises Refused (400) for what is no XML."""
    if not body.strip():
        return Asked("", None, etree.Element("none"))
    try:
        tree = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise Refused(400) from None
    prop = tree.find(f"{DAV}prop")
    names = None if prop is None else [one.tag for one in prop if isinstance(one.tag, str)]
    return Asked(str(tree.tag), names, tree)


class Listings:
    """base: the server's own address, for the URLs of attachments."""

    def __init__(self, suite: Suite, user: User, folder: Folder, base: str) -> None:
        self.suite = suite
        self.user = user
        self.folder = folder
        self.base = base
        area = "carddav" if folder.kind == "contacts" else "caldav"
        self.path = f"/{area}/{folder.segment}/"
        self.media_type = VCF if folder.kind == "contacts" else ICS
        self.data = f"{CARD}address-data" if folder.kind == "contacts" else f"{CAL}calendar-data"

    def find(self, name: str) -> Entry | None:
        """Whatever its age, by its own name or by <UID>."""
        if self.folder.kind == "calendar":
            known = self.suite.events.find(self.folder, name)
            if known is None:
                return None
            text = lambda: known.text(self.user, self.base)  # noqa: E731
            return Entry(known.name, known.etag, known.modified, text)
        return next((one for one in self._others(name)), None)

    def _others(self, name: str) -> list[Entry]:
        if self.folder.kind == "birthdays":
            return [one for one in self._birthdays() if one.name == name]
        store = self.suite.tasks if self.folder.kind == "tasks" else self.suite.cards
        found = store.find(self.folder, name)
        return [Entry(found.name, found.etag, found.modified, found.text)] if found is not None else []

    def entries(self, between: Range | None = None) -> list[Entry]:
        """What a listing shows; between: a time-range narrows the window, and widens nothing."""
        if self.folder.kind == "calendar":
            return self._in_window(between)
        if self.folder.kind == "birthdays":
            return self._birthdays()
        known = (self.suite.tasks if self.folder.kind == "tasks" else self.suite.cards).all(self.folder)
        return [Entry(one.name, one.etag, one.modified, one.text) for one in known]

    def _in_window(self, between: Range | None) -> list[Entry]:
        sees = self.suite.window()
        if between is not None:
            sees = Range(max(sees.start, between.start), min(sees.end, between.end))
        if sees.start >= sees.end:
            return []
        found = [one for one in self.suite.events.all(self.folder) if one.meets(sees)]
        return [
            Entry(one.name, one.etag, one.modified, lambda one=one: one.text(self.user, self.base))  # type: ignore[misc]
            for one in found
        ]

    def _birthdays(self) -> list[Entry]:
        """The calendar of birthdays fills itself from the BDAY of the user's contacts."""
        found = []
        for book in self.suite.context.own("contacts", self.user):
            for card in self.suite.cards.all(book):
                if card.contact.has_birthday:
                    name = f"{book.number}-{card.id}"
                    etag = f"{NUMBER}-{name}-{card.modified}"
                    text = lambda card=card, name=name: _birthday(card, name)  # noqa: E731
                    found.append(Entry(f"{name}.ics", etag, card.modified, text))
        return found

    def bounded(self, between: Range | None = None) -> list[Entry]:
        """More events than one answer may have: 400 with an empty body."""
        found = self.entries(between)
        if self.folder.kind == "calendar" and len(found) > self.suite.max_results:
            raise Refused(400)
        return found

    def response(self, entry: Entry, wanted: Sequence[str] | None, href: str = "") -> etree._Element:
        data = None
        if wanted is not None and self.data in wanted:
            data = element(self.data, entry.text().replace("\r\n", "\n"))
        known = properties.item(entry.etag, self.media_type, data)
        return properties.response(href or self.path + quote(entry.name, safe="@"), known, wanted)

    def report(self, body: bytes) -> bytes:
        """Raises Refused."""
        question = asked(body)
        if question.root in (f"{CAL}calendar-query", f"{CARD}addressbook-query"):
            found = self.bounded(_time_range(question))
            return properties.multistatus(*(self.response(one, question.wanted) for one in found))
        if question.root in (f"{CAL}calendar-multiget", f"{CARD}addressbook-multiget"):
            return properties.multistatus(*(self._one(path, question) for path in _hrefs(question)))
        if question.root == f"{DAV}sync-collection":
            return self._sync(question)
        raise Refused(400)  # others, such as free-busy-query, were not recorded

    def _one(self, href: str, question: Asked) -> etree._Element:
        entry = self.find(unquote(urlsplit(href).path).rpartition("/")[2])
        return self.response(entry, question.wanted, href) if entry else properties.missing(href)

    def _sync(self, question: Asked) -> bytes:
        """Without a token, or with 0, it is the window; a number of the future gives nothing. It tells no
        deletion outside of the window. Above the limit it gives a page and, for the collection itself, 507;
        the token goes on from there."""
        token = (question.tree.findtext(f"{DAV}sync-token") or "").strip()
        known = TOKEN.fullmatch(token or "0")
        if known is None:
            raise Refused(403, "valid-sync-token", "DAV:")
        since = int(known[1])
        new = sorted((one for one in self.entries() if one.modified > since), key=lambda one: one.modified)
        gone = self._gone(since) if token else []
        page = new[: self.suite.max_results] if self.folder.kind == "calendar" else new
        found = [self.response(one, question.wanted) for one in page]
        found += [properties.missing(self.path + quote(name, safe="@")) for name, _at in gone]
        if len(page) < len(new):
            found.append(_truncated(self.path))
            found.append(element(f"{DAV}sync-token", self.suite.token(self.folder, page[-1].modified, 1)))
            return properties.multistatus(*found)
        latest = max([since, *(one.modified for one in page), *(at for _name, at in gone)])
        return properties.multistatus(
            *found, element(f"{DAV}sync-token", self.suite.token(self.folder, latest))
        )

    def _gone(self, since: int) -> list[tuple[str, int]]:
        return [
            (one.name, one.at)
            for one in self.folder.gone
            if one.at > since and one.listed and self.find(one.name) is None
        ]


def _birthday(card: Card, name: str) -> str:
    """A day every year. What exactly such an event holds was not recorded."""
    day = card.contact.part.value("BDAY").replace("-", "")[:8]
    lines = (
        Line("UID", name),
        Line("DTSTART", day, (("VALUE", "DATE"),)),
        Line("RRULE", "FREQ=YEARLY"),
        Line("SUMMARY", escaped(card.contact.display_name)),
    )
    head = (Line("VERSION", "2.0"), Line("PRODID", PRODID))
    return text_of(Part("VCALENDAR", head, (Part("VEVENT", lines),)))


def _truncated(path: str) -> etree._Element:
    status = element(f"{DAV}status", TRUNCATED)
    error = element(f"{DAV}error", element(f"{DAV}number-of-matches-within-limits"))
    return element(f"{DAV}response", element(f"{DAV}href", path), status, error)


def _hrefs(question: Asked) -> list[str]:
    return [one.text or "" for one in question.tree.iterfind(f"{DAV}href")]


def _time_range(question: Asked) -> Range | None:
    """Every other filter is ignored: a query for a UID gives the whole window. Its times were taken as of
    Europe/Berlin, though they end in Z: an event at 03:00Z was not in a range that ended at 04:00Z."""
    found = question.tree.find(f".//{CAL}time-range")
    if found is None:
        return None
    return Range(_bound(found, "start"), _bound(found, "end"))


def _bound(found: etree._Element, name: Literal["start", "end"]) -> datetime:
    text = found.get(name)
    if text is None:
        return datetime.min.replace(tzinfo=UTC) if name == "start" else datetime.max.replace(tzinfo=UTC)
    try:
        return instant(datetime.strptime(text, STAMP))
    except ValueError:
        raise Refused(400) from None
