"""A CalDAV or CardDAV account held in memory: collections of objects, conditional requests, unique UIDs.

The state outlives every connector over it. answer() is what its server does with a request; the other
methods are what users, administrators and the weather do behind a migration's back.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Role

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_UID = re.compile(rb"^UID[^:\r\n]*:([^\r\n]*)", re.MULTILINE)

Snapshot = Counter[tuple[str, bytes]]


class Status(Enum):
    """How a server answers a conditional request."""

    DONE = "done"
    NOT_SO = "precondition-failed"
    UID_TAKEN = "uid-taken"
    NO_COLLECTION = "no-collection"


@dataclass(frozen=True, slots=True)
class Request:
    """match: the ETag to be replaced or removed, "" for any; None creates. raw None removes."""

    href: str
    name: str
    raw: bytes | None = None
    match: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """holder: (collection, name) of what has the UID."""

    status: Status
    etag: str = ""
    holder: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Shelved:
    raw: bytes
    etag: str


@dataclass(slots=True)
class Collection:
    name: str
    role: Role | None = None
    objects: dict[str, Shelved] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryShelf:
    """scope      where a UID is unique: "collection", "account", or "" for nowhere
    rewrites   the server notes something of its own in whatever it stores
    tells      it says the ETag of what it just stored
    listed     the names that a listing may show, as a pattern; "": all, and the listing is whole
    late       requests do not land: they wait in flight, the reply is lost, and land() carries them out
    counted    changes so far
    """

    kind: Kind = Kind.CALENDAR
    id: str = "target-1"
    addresses: frozenset[str] = frozenset()
    scope: str = "collection"
    rewrites: bool = False
    tells: bool = True
    listed: str = ""
    late: bool = False
    max_bytes: int | None = None
    collections: dict[str, Collection] = field(default_factory=dict)
    in_flight: list[Request] = field(default_factory=list)
    counted: int = 0

    def create(self, href: str, name: str, role: Role | None = None) -> None:
        """Nothing happens when there is one of this href."""
        self.collections.setdefault(href, Collection(name, role))

    def answer(self, request: Request) -> Answer:
        return self._delete(request) if request.raw is None else self._put(request)

    def _put(self, request: Request) -> Answer:
        """The condition is judged before the UID, as servers do."""
        collection = self.collections.get(request.href)
        if collection is None or request.raw is None:
            return Answer(Status.NO_COLLECTION)
        if not _holds(collection.objects.get(request.name), request.match):
            return Answer(Status.NOT_SO)
        holder = self._holder(request)
        if holder is not None:
            return Answer(Status.UID_TAKEN, holder=holder)
        etag = self.place(request.href, request.name, request.raw)
        return Answer(Status.DONE, etag if self.tells else "")

    def _delete(self, request: Request) -> Answer:
        """What is gone was removed."""
        collection = self.collections.get(request.href)
        there = collection.objects.get(request.name) if collection is not None else None
        if collection is None or there is None:
            return Answer(Status.DONE)
        if request.match and there.etag != request.match:
            return Answer(Status.NOT_SO)
        del collection.objects[request.name]
        return Answer(Status.DONE)

    def land(self) -> int:
        """What was in flight arrives after all, its condition judged only now. Returns how many did."""
        waiting, self.in_flight = self.in_flight, []
        for request in waiting:
            self.answer(request)
        return len(waiting)

    def place(self, href: str, name: str, raw: bytes) -> str:
        """Stores an object whatever was there, as another client of the user does; returns its ETag."""
        self.counted += 1
        self.collections[href].objects[name] = Shelved(self._kept(raw), f'"{self.counted}"')
        return self.collections[href].objects[name].etag

    def alter(self, href: str, name: str, old: bytes, new: bytes) -> None:
        """Somebody changes words of an object; lines are not folded any more. Raises ValueError when it does
        not have them."""
        raw = self.collections[href].objects[name].raw.replace(b"\r\n ", b"")
        raw.index(old)
        self.place(href, name, raw.replace(old, new))

    def objects(self) -> Iterator[tuple[str, str, Shelved]]:
        """(collection, name, object) of all there are."""
        for href, collection in self.collections.items():
            for name, one in collection.objects.items():
                yield href, name, one

    def meaning(self, raw: bytes) -> bytes:
        return ITEM_FORMS[self.kind].digest(io.BytesIO(raw), MOMENT)

    def snapshot(self) -> Snapshot:
        """What "the same target" means: collection and meaning of every object."""
        return Counter((href, self.meaning(one.raw)) for href, _, one in self.objects())

    def _kept(self, raw: bytes) -> bytes:
        if not self.rewrites:
            return raw
        head, begin, tail = raw.partition(b"\r\nUID:")
        return head + b"\r\nX-SHELF-REVISION:%d" % self.counted + begin + tail

    def _holder(self, request: Request) -> tuple[str, str] | None:
        """Who else has the UID of what is to be stored."""
        uid = uid_of(request.raw or b"")
        for href, name, one in self.objects():
            near = href == request.href if self.scope == "collection" else self.scope == "account"
            if near and uid_of(one.raw) == uid and (href, name) != (request.href, request.name):
                return href, name
        return None


def uid_of(raw: bytes) -> bytes:
    found = _UID.search(raw.replace(b"\r\n ", b""))
    return found[1] if found else b""


def _holds(there: Shelved | None, match: str | None) -> bool:
    if match is None:
        return there is None
    return there is not None and match in ("", there.etag)
