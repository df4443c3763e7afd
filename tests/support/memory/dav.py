"""A target in memory that replaces items in place: model.protocols.Target over a MemoryShelf.

Its steps are target.write (one PUT), target.look (one GET after a refusal), target.remove, and the same names
as those of memory.target for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import BinaryIO

from connectors.caldav.put import place
from connectors.http.hrefs import OURS
from memory.conditional import BATCH, ROUNDS, MemoryConditional
from memory.line import Step, body_of, no_step
from memory.shelf import Answer, Collection, MemoryShelf, Request, Shelved, Status
from model.errors import Blocked, Rejected
from model.kinds import Kind
from model.protocols import (
    Capabilities,
    Container,
    Failed,
    Guard,
    Item,
    Listed,
    Native,
    Ref,
    Role,
    Stored,
    key_of,
)

DEFAULTS = {Kind.CALENDAR: Role.CALENDAR, Kind.CONTACTS: Role.CONTACTS, Kind.TASKS: Role.TASKS}
HOME = "/dav/"


class MemoryDav(MemoryConditional[Request, Answer]):
    """digest says what a body means, as that of connectors.caldav.target does."""

    def __init__(
        self,
        shelf: MemoryShelf,
        guard: Guard,
        digest: Callable[[BinaryIO], bytes],
        step: Step = no_step,
        *,
        live: bool = False,
    ) -> None:
        super().__init__(shelf, guard, step, live=live)
        self._shelf = shelf
        self._digest = digest

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset({self._shelf.kind}),
            batch=BATCH,
            max_bytes=self._shelf.max_bytes,
            keywords=False,
            separator="",
            lists_partly=bool(self._shelf.listed),
            replaces=True,
        )

    def containers(self) -> Iterator[Container]:
        self._line.before("target.containers")
        found = [
            Container(self._shelf.kind, href, (one.name,), one.role, len(one.objects))
            for href, one in sorted(self._shelf.collections.items())
        ]
        self._line.after("target.containers")
        yield from found

    def ensure(self, container: Container) -> str:
        self._guard()
        self._line.before("target.ensure")
        default = container.role is DEFAULTS[self._shelf.kind]
        href = HOME + ("default" if default else f"k-{key_of(container.id).hex()[:16]}") + "/"
        self._shelf.create(href, " / ".join(container.path), container.role if default else None)
        self._line.after("target.ensure")
        return href

    def rename(self, href: str, container: Container) -> str:
        self._not_when_live()
        self._guard()
        self._line.before("target.rename")
        self._found(href).name = " / ".join(container.path)
        self._line.after("target.rename")
        return href

    def place(self, key: bytes) -> str | None:
        return place(self._shelf.kind, key)

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        waiting = iter(items)
        while batch := list(islice(waiting, BATCH)):
            yield from self._line.shuffled([self._written(href, item) for item in batch])

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        del since
        self._line.before("target.listing")
        shown = re.compile(self._shelf.listed)
        found = [
            Listed(name, len(one.raw)) for name, one in self._found(href).objects.items() if shown.match(name)
        ]
        self._line.after("target.listing")
        yield from self._line.shuffled(found)

    def look_up(self, href: str, names: Iterable[str]) -> Iterator[Listed]:
        """In windows, as a server is asked: the names are drawn as they are needed."""
        waiting = iter(names)
        while window := list(islice(waiting, BATCH)):
            self._line.before("target.look_up")
            there = self._found(href).objects
            found = [Listed(name, len(there[name].raw)) for name in window if name in there]
            self._line.after("target.look_up")
            yield from self._line.shuffled(found)

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        self._not_when_live()
        for gone in stored:
            if gone.via or OURS.fullmatch(gone.href) is None:
                yield Failed(gone.key, Rejected("cannot-remove"))
                continue
            yield self._removed(href, gone)

    def clear(self, href: str) -> bool:
        self._not_when_live()
        self._guard()
        self._line.before("target.clear")
        found = self._shelf.collections.get(href)
        empty = not self._shelf.listed and (found is None or not found.objects)
        if empty:
            self._shelf.collections.pop(href, None)
        self._line.after("target.clear")
        return empty

    def _removed(self, href: str, gone: Stored) -> Stored | Failed:
        match = gone.version
        there = self._object(href, gone.href)
        if not match and gone.digest and there is not None and self._means(there) != gone.digest:
            return Failed(gone.key, Rejected("changed-at-target"))
        for _ in range(ROUNDS):
            answer = self._sent("target.remove", Request(href, gone.href, match=match))
            if answer.status is not Status.NOT_SO:
                return gone
            there = self._object(href, gone.href)
            if there is not None and self._means(there) != gone.digest:
                break
            match = there.etag if there is not None else ""
        return Failed(gone.key, Rejected("changed-at-target"))

    def _found(self, href: str) -> Collection:
        found = self._shelf.collections.get(href)
        if found is None:
            raise Blocked("container-missing", "a collection we wrote to is gone")
        return found

    def _object(self, href: str, name: str) -> Shelved | None:
        """By its last segment, or by its whole path when it lies in another collection."""
        container, _, last = name.rpartition("/")
        collection = self._shelf.collections.get(f"{container}/" if container else href)
        return collection.objects.get(last) if collection is not None else None

    def _holds(self, href: str, name: str) -> bool:
        return self._object(href, name) is not None

    def _native(self, href: str, name: str) -> Native | Failed:
        found = self._object(href, name)
        if found is None:
            return Failed(key_of(name), Rejected("vanished"))
        form = "vcard" if self._shelf.kind is Kind.CONTACTS else "icalendar"
        return Native(Ref(name, found.etag, size=len(found.raw)), form, {}, body_of(found.raw))

    def _first(self, href: str, item: Item) -> Request | Stored:
        with item.body() as stream:
            raw = stream.read()
        if not raw:
            raise Rejected("empty-message")
        if self._shelf.max_bytes is not None and len(raw) > self._shelf.max_bytes:
            raise Rejected("too-large")
        if item.replaces is None:
            return Request(href, place(item.kind, item.key), raw)
        aim = Request(href, item.replaces.href, raw, item.replaces.version)
        return self._look(aim, item) if self._live or not aim.match else aim

    def _round(self, aim: Request, item: Item) -> Request | Stored:
        answer = self._sent("target.write", aim)
        if answer.status is Status.DONE:
            return Stored(item.key, aim.name, answer.etag)
        if answer.status is Status.NO_COLLECTION:
            raise Blocked("container-missing", "a collection we wrote to is gone")
        if answer.status is Status.NOT_SO:
            return self._look(aim, item)
        return self._conflict(aim, item, answer)

    def _look(self, aim: Request, item: Item) -> Request | Stored:
        """By what is there now."""
        self._line.before("target.look")
        there = self._object(aim.href, aim.name)
        self._line.after("target.look")
        if there is None:
            if self._live and item.replaces is not None:
                raise Rejected("changed-at-target")
            return replace(aim, match=None)
        if self._means(there) == item.digest:
            return Stored(item.key, aim.name, there.etag)
        if self._live:
            raise Rejected("changed-at-target")
        return replace(aim, match=there.etag)

    def _conflict(self, aim: Request, item: Item, answer: Answer) -> Stored:
        href, name = answer.holder
        there = self._object(href, name)
        if there is None or self._means(there) != item.digest:
            raise Rejected("uid-conflict")
        if OURS.fullmatch(name):
            raise Rejected("duplicate-uid")
        return Stored(item.key, name if href == aim.href else href + name, there.etag, via=True)

    def _means(self, there: Shelved) -> bytes:
        try:
            return self._digest(body_of(there.raw)())
        except Rejected:
            return b""
