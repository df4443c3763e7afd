"""An account of a file server held in memory: folders of files, conditional requests, names as its rules say.

The state outlives every connector over it. answer() is what its server does with a request; the other methods
are what users, administrators and the weather do behind a migration's back.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from mappings.fields.file_names import identity
from model.file_names import FileNames

NOW = datetime(2026, 2, 1, tzinfo=UTC)
"""The date of what got none, and of a folder that something came into or left."""

Snapshot = Counter[tuple[str, str, bytes, datetime]]


class Verb(Enum):
    """What a request does to a file, or with an empty name to the folder."""

    PUT = "put"
    MOVE = "move"
    DELETE = "delete"


class Status(Enum):
    """How the server answers."""

    DONE = "done"
    NOT_SO = "precondition-failed"
    NOT_THERE = "not-there"
    NO_FOLDER = "no-folder"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Request:
    """match: the ETag to be replaced or removed, "" for any; None creates. to: the new name, or the new href
    of a folder; what has it already is never overwritten."""

    verb: Verb
    href: str
    name: str = ""
    raw: bytes = b""
    date: datetime | None = None
    match: str | None = None
    to: str = ""


@dataclass(slots=True)
class Paper:
    name: str
    raw: bytes
    etag: str
    date: datetime


@dataclass(slots=True)
class Drawer:
    """One folder; papers by the identity of their names."""

    href: str
    date: datetime = NOW
    papers: dict[str, Paper] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryCabinet:
    """rules      which names it says it takes
    refuses    whole names of folders that it does not take, though its rules do not say so
    dates      it keeps the dates it is given
    tells      it says the ETag of what it just stored
    late       requests do not land: they wait in flight, the reply is lost, and land() carries them out
    counted    changes so far
    """

    rules: FileNames = field(default_factory=FileNames)
    refuses: frozenset[str] = frozenset()
    id: str = "target-1"
    addresses: frozenset[str] = frozenset()
    dates: bool = True
    tells: bool = True
    late: bool = False
    max_bytes: int | None = None
    drawers: dict[str, Drawer] = field(default_factory=lambda: {"": Drawer("")})
    in_flight: list[Request] = field(default_factory=list)
    counted: int = 0

    def answer(self, request: Request) -> tuple[Status, str]:
        """And the ETag of what is there then, where it tells."""
        act = {Verb.PUT: self._put, Verb.MOVE: self._move, Verb.DELETE: self._delete}[request.verb]
        return act(request)

    def land(self) -> int:
        """What was in flight arrives after all, its condition judged only now. Returns how many did."""
        waiting, self.in_flight = self.in_flight, []
        for request in waiting:
            self.answer(request)
        return len(waiting)

    def make(self, href: str) -> Status:
        """MKCOL. NOT_SO: something has the name."""
        parent, _, name = href.rpartition("/")
        if name in self.refuses:
            return Status.REFUSED
        if self.drawer(parent) is None:
            return Status.NO_FOLDER
        if self.holder(parent, name) is not None:
            return Status.NOT_SO
        self.drawers[self._key(href)] = Drawer(href)
        self._touched(parent)
        return Status.DONE

    def rename(self, href: str, to: str) -> Status:
        """MOVE of a folder and everything below it."""
        parent, _, name = to.rpartition("/")
        old, new = self._key(href), self._key(to)
        if old not in self.drawers:
            return Status.NOT_THERE
        if name in self.refuses or new.startswith(f"{old}/"):
            return Status.REFUSED
        if self.drawer(parent) is None:
            return Status.NO_FOLDER
        if old != new and self.holder(parent, name) is not None:
            return Status.NOT_SO
        for key in [key for key in self.drawers if key == old or key.startswith(f"{old}/")]:
            drawer = self.drawers.pop(key)
            drawer.href = to + drawer.href[len(href) :]
            self.drawers[self._key(drawer.href)] = drawer
        self._touched(href.rpartition("/")[0])
        self._touched(parent)
        return Status.DONE

    def drop(self, href: str) -> Status:
        """DELETE of a folder: all of it goes."""
        old = self._key(href)
        for key in [key for key in self.drawers if key == old or key.startswith(f"{old}/")]:
            del self.drawers[key]
        self._touched(href.rpartition("/")[0])
        return Status.DONE

    def drawer(self, href: str) -> Drawer | None:
        return self.drawers.get(self._key(href))

    def below(self, href: str) -> list[Drawer]:
        """The folders directly in one."""
        start = self._key(href) + "/"
        found = [one for key, one in self.drawers.items() if key.startswith(start)]
        return [one for one in found if "/" not in self._key(one.href)[len(start) :]]

    def paper(self, href: str, name: str) -> Paper | None:
        drawer = self.drawer(href)
        return None if drawer is None else drawer.papers.get(identity(name, self.rules))

    def holder(self, href: str, name: str) -> Paper | Drawer | None:
        """What has a name in a folder."""
        return self.paper(href, name) or self.drawer(f"{href}/{name}")

    def place(self, href: str, name: str, raw: bytes, date: datetime | None = None) -> str:
        """Stores a file whatever was there, as another client of the user does; returns its ETag."""
        self.counted += 1
        kept = date if date is not None and self.dates else NOW
        drawer = self.drawers[self._key(href)]
        known = drawer.papers.get(identity(name, self.rules))
        paper = Paper(known.name if known else name, raw, f'"{self.counted}"', kept)
        drawer.papers[identity(name, self.rules)] = paper
        if known is None:
            drawer.date = NOW
        return paper.etag

    def papers(self) -> Iterator[tuple[str, Paper]]:
        """(folder, file) of all there are."""
        for drawer in self.drawers.values():
            for paper in drawer.papers.values():
                yield drawer.href, paper

    def snapshot(self) -> Snapshot:
        """What "the same target" means: folder, name, bytes and date of every file, and the folders."""
        files = [
            (href, paper.name, hashlib.sha256(paper.raw).digest(), paper.date)
            for href, paper in self.papers()
        ]
        return Counter([*files, *((one.href, "", b"", one.date) for one in self.drawers.values())])

    def _put(self, request: Request) -> tuple[Status, str]:
        if self.drawer(request.href) is None:
            return Status.NO_FOLDER, ""
        there = self.holder(request.href, request.name)
        if not _holds(there, request.match):
            return Status.NOT_SO, ""
        etag = self.place(request.href, request.name, request.raw, request.date)
        return Status.DONE, etag if self.tells else ""

    def _move(self, request: Request) -> tuple[Status, str]:
        drawer = self.drawer(request.href)
        if drawer is None:
            return Status.NO_FOLDER, ""
        old, new = identity(request.name, self.rules), identity(request.to, self.rules)
        paper = drawer.papers.get(old)
        if paper is None:
            return Status.NOT_THERE, ""
        if old != new and self.holder(request.href, request.to) is not None:
            return Status.NOT_SO, ""
        del drawer.papers[old]
        paper.name = request.to
        drawer.papers[new] = paper
        drawer.date = NOW
        return Status.DONE, paper.etag

    def _delete(self, request: Request) -> tuple[Status, str]:
        """What is gone was removed."""
        there = self.paper(request.href, request.name)
        if there is None:
            return Status.DONE, ""
        if request.match and there.etag != request.match:
            return Status.NOT_SO, ""
        del self.drawers[self._key(request.href)].papers[identity(request.name, self.rules)]
        self._touched(request.href)
        return Status.DONE, ""

    def _touched(self, href: str) -> None:
        if (drawer := self.drawer(href)) is not None:
            drawer.date = NOW

    def _key(self, href: str) -> str:
        return "/".join(identity(name, self.rules) for name in href.split("/"))


def _holds(there: Paper | Drawer | None, match: str | None) -> bool:
    if match is None or there is None:
        return there is None
    return isinstance(there, Paper) and match in ("", there.etag)
