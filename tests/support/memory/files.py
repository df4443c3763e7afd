"""A target of files in memory: model.protocols.Target over a MemoryCabinet.

Its steps are target.write (one PUT), target.move (one MOVE of a file), target.look (what is there, after a
refusal), target.hash, target.remove, target.stamp, target.clear, and the same names as those of
memory.target for the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice

from connectors.webdav.names import check
from memory.cabinet import Drawer, MemoryCabinet, Paper, Request, Status, Verb
from memory.conditional import BATCH, ROUNDS, MemoryConditional
from memory.line import Step, body_of, no_step
from model.errors import Blocked, Rejected
from model.kinds import Kind
from model.protocols import (
    Capabilities,
    Container,
    Failed,
    Guard,
    Item,
    Listed,
    Loss,
    Native,
    Ref,
    Role,
    Stored,
    key_of,
)

NOT_DATED = Loss("folder-date", "not-kept")
UNDATED = Loss("modified", "not-kept")


class MemoryFiles(MemoryConditional[Request, tuple[Status, str]]):
    """Implements model.protocols.Target and optional_protocols.SupportsDigests,
    SupportsContainerDates, SupportsFileNames, RemovesContainers, SupportsItemDates."""

    def __init__(
        self, cabinet: MemoryCabinet, guard: Guard, step: Step = no_step, *, live: bool = False
    ) -> None:
        super().__init__(cabinet, guard, step, live=live)
        self._cabinet = cabinet

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset({Kind.FILES}),
            batch=BATCH,
            max_bytes=self._cabinet.max_bytes,
            keywords=False,
            name_bytes=self._cabinet.rules.bytes,
            replaces=True,
            files=self._cabinet.rules,
        )

    def containers(self) -> Iterator[Container]:
        self._line.before("target.containers")
        drawers = sorted(self._cabinet.drawers.values(), key=lambda one: (one.href.count("/"), one.href))
        found = [
            Container(
                Kind.FILES,
                drawer.href,
                tuple(drawer.href.split("/")),
                None if drawer.href else Role.FILES,
                modified=drawer.date,
            )
            for drawer in drawers
        ]
        self._line.after("target.containers")
        yield from found

    def ensure(self, container: Container) -> str:
        self._guard()
        self._line.before("target.ensure")
        names = container.path[1:] if container.path[:1] == ("",) else container.path
        href = ""
        for name in names:
            check(name, self._cabinet.rules)
            href += f"/{name}"
            self._made(href)
        self._line.after("target.ensure")
        return href

    def rename(self, href: str, container: Container) -> str:
        self._not_when_live()
        self._guard()
        self._line.before("target.rename")
        names = container.path[1:] if container.path[:1] == ("",) else container.path
        for name in names:
            check(name, self._cabinet.rules)
        new = "".join(f"/{name}" for name in names)
        if new != href:
            for depth in range(1, len(names)):
                self._made("".join(f"/{name}" for name in names[:depth]))
            self._renamed(href, new)
        self._line.after("target.rename")
        return new

    def place(self, key: bytes) -> str | None:
        """None: a file's name is not made of its key."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        waiting = iter(items)
        while batch := list(islice(waiting, BATCH)):
            yield from [self._written(href, item) for item in self._line.shuffled(batch)]

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        del since
        self._line.before("target.listing")
        papers = self._found(href).papers.values()
        found = [Listed(one.name, len(one.raw), date=one.date) for one in papers]
        self._line.after("target.listing")
        yield from self._line.shuffled(found)

    def names(self, href: str) -> Iterator[str]:
        self._line.before("target.names")
        found = [one.name for one in self._found(href).papers.values()]
        found += [one.href.rpartition("/")[2] for one in self._cabinet.below(href)]
        self._line.after("target.names")
        yield from found

    def digests(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
        for name in hrefs:
            self._line.before("target.hash")
            found = self._cabinet.paper(href, name)
            self._line.after("target.hash")
            yield name, _sha(found) if found is not None else Failed(key_of(name), Rejected("vanished"))

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        self._not_when_live()
        for gone in stored:
            yield self._removed(href, gone)

    def clear(self, href: str) -> bool:
        self._not_when_live()
        self._guard()
        self._line.before("target.clear")
        drawer = self._cabinet.drawer(href)
        empty = drawer is None or not (drawer.papers or self._cabinet.below(href))
        if empty and drawer is not None:
            self._cabinet.drop(href)
        self._line.after("target.clear")
        return empty

    def redate(self, href: str, name: str, modified: datetime) -> bool:
        self._not_when_live()
        self._guard()
        self._line.before("target.redate")
        found = self._cabinet.paper(href, name)
        if found is not None and self._cabinet.dates:
            found.date = modified
        self._line.after("target.redate")
        return found is not None and self._cabinet.dates

    def stamp(self, href: str, modified: datetime) -> tuple[Loss, ...]:
        self._not_when_live()
        self._guard()
        self._line.before("target.stamp")
        if self._cabinet.dates:
            self._found(href).date = modified
        self._line.after("target.stamp")
        return () if self._cabinet.dates else (NOT_DATED,)

    def _made(self, href: str) -> None:
        status = self._cabinet.make(href)
        if status is Status.REFUSED:
            raise Rejected("name-not-allowed")
        if status is Status.NOT_SO and self._cabinet.drawer(href) is None:
            raise Rejected("name-taken")

    def _renamed(self, old: str, new: str) -> None:
        status = self._cabinet.rename(old, new)
        if status is Status.NOT_SO:
            raise Rejected("name-taken")
        if status is Status.REFUSED:
            raise Rejected("name-not-allowed")
        if status is not Status.DONE and self._cabinet.drawer(new) is None:
            raise Blocked("container-missing", "a folder is no longer there")

    def _found(self, href: str) -> Drawer:
        found = self._cabinet.drawer(href)
        if found is None:
            raise Blocked("container-missing", "a folder we wrote to is gone")
        return found

    def _holds(self, href: str, name: str) -> bool:
        return self._cabinet.paper(href, name) is not None

    def _native(self, href: str, name: str) -> Native | Failed:
        found = self._cabinet.paper(href, name)
        if found is None:
            return Failed(key_of(name), Rejected("vanished"))
        properties = {
            "Name": found.name,
            "Modified": found.date,
            "Size": len(found.raw),
            "Sha256": _sha(found).hex(),
        }
        return Native(Ref(name, found.etag, size=len(found.raw)), "file", properties, body_of(found.raw))

    def _first(self, href: str, item: Item) -> Request | Stored:
        check(item.name or "", self._cabinet.rules)
        with item.body() as stream:
            raw = stream.read()
        if self._cabinet.max_bytes is not None and len(raw) > self._cabinet.max_bytes:
            raise Rejected("too-large")
        put = Request(Verb.PUT, href, str(item.name), raw, item.date)
        if item.replaces is None:
            return put
        if not item.replaces.via and not self._live and item.replaces.href != item.name:
            self._moved(href, item.replaces.href, str(item.name))
        return self._look(put, item)

    def _moved(self, href: str, old: str, new: str) -> None:
        status, _ = self._sent("target.move", Request(Verb.MOVE, href, old, to=new))
        if status is Status.NOT_SO:
            raise Rejected("name-taken")
        if status is Status.NO_FOLDER:
            raise Blocked("container-missing", "a folder we wrote to is gone")

    def _round(self, aim: Request, item: Item) -> Request | Stored:
        status, etag = self._sent("target.write", aim)
        if status is Status.DONE:
            return self._stored(item, etag)
        if status is Status.NO_FOLDER:
            raise Blocked("container-missing", "a folder we wrote to is gone")
        return self._look(aim, item)

    def _stored(self, item: Item, etag: str) -> Stored:
        undated = item.date is not None and not self._cabinet.dates
        return Stored(item.key, str(item.name), etag, losses=(UNDATED,) if undated else ())

    def _look(self, aim: Request, item: Item) -> Request | Stored:
        """By what is there now."""
        self._line.before("target.look")
        there = self._cabinet.holder(aim.href, aim.name)
        self._line.after("target.look")
        ours = item.replaces is not None and not item.replaces.via
        if there is None:
            if self._live and item.replaces is not None:
                raise Rejected("changed-at-target")
            return replace(aim, match=None)
        if isinstance(there, Paper) and _sha(there) == item.digest:
            if item.date is not None and self._cabinet.dates and not self._live:
                there.date = item.date
            return self._stored(item, there.etag)
        if isinstance(there, Drawer) or not ours:
            raise Rejected("name-taken")
        if self._live:
            raise Rejected("changed-at-target")
        return replace(aim, match=there.etag)

    def _removed(self, href: str, gone: Stored) -> Stored | Failed:
        if gone.via:
            return Failed(gone.key, Rejected("cannot-remove"))
        match = gone.version
        for _ in range(ROUNDS):
            if not match and gone.digest:
                there = self._cabinet.paper(href, gone.href)
                if there is None:
                    return gone
                if _sha(there) != gone.digest:
                    break
                match = there.etag
            status, _ = self._sent("target.remove", Request(Verb.DELETE, href, gone.href, match=match))
            if status is Status.DONE:
                return gone
            if not gone.digest:
                break
            match = ""
        return Failed(gone.key, Rejected("changed-at-target"))


def _sha(paper: Paper) -> bytes:
    return hashlib.sha256(paper.raw).digest()
