"""A source in memory: model.protocols.Source over a MemoryMailbox, of mail or of records (memory_records)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice

from memory.line import Line, Step, body_of, no_step
from memory.mailbox import Folder, MemoryMailbox, Message
from memory.records import attachments
from model.errors import CursorLost, Rejected, Transient
from model.kinds import Kind
from model.protocols import Capabilities, Container, Failed, Identity, Native, Page, Ref, key_of

FORMATS = {
    Kind.MAIL: "ews-message",
    Kind.CALENDAR: "ews-event",
    Kind.CONTACTS: "ews-contact",
    Kind.TASKS: "ews-task",
    Kind.FILES: "file",
}
_BOUNDARY = re.compile(rb'boundary="([^"]+)"', re.IGNORECASE)


class MemorySource:
    """model.protocols.Source over a MemoryMailbox."""

    def __init__(self, mailbox: MemoryMailbox, step: Step = no_step, kind: Kind = Kind.MAIL) -> None:
        self._mailbox = mailbox
        self._line = Line(step)
        self._kind = kind

    @property
    def capabilities(self) -> Capabilities:
        moves = self._kind is Kind.FILES
        return Capabilities(
            frozenset({self._kind}), batch=10, incremental=self._mailbox.incremental, moves=moves
        )

    def identity(self) -> Identity:
        self._line.before("source.identity")
        self._line.after("source.identity")
        return Identity("memory", self._mailbox.id, self._mailbox.addresses)

    def containers(self) -> Iterator[Container]:
        self._line.before("source.containers")
        folders = sorted(self._mailbox.folders.values(), key=lambda f: (len(f.path), f.path))
        found = [replace(_container(folder, self._kind), state=self._state(folder)) for folder in folders]
        self._line.after("source.containers")
        yield from found

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        generation, at = self._position(cursor)
        full = cursor is None or not self._mailbox.incremental
        start = max(at, self._mailbox.counted) if full else at
        while True:
            self._line.before("source.changes")
            if generation != self._mailbox.generation:
                raise CursorLost("cursor-lost")
            refs, at, more = self._page(container.id, at, start)
            self._line.after("source.changes")
            yield Page(tuple(refs), f"{generation}:{at}", full)
            if not more:
                return

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        wanted = iter(refs)
        while batch := list(islice(wanted, self.capabilities.batch)):
            self._line.before("source.fetch")
            results = [self._fetched(container, ref, bodies) for ref in batch]
            self._line.after("source.fetch")
            yield from self._line.shuffled(results)

    def close(self) -> None:
        self._line.closed = True

    def _state(self, folder: Folder) -> str | None:
        """As a server with modification sequences."""
        if not self._mailbox.states or self._kind is not Kind.MAIL:
            return None
        live = [message.change for message in folder.messages.values()]
        newest = max([0, *live, *folder.deleted.values()])
        return f"{self._mailbox.generation}:{newest}:{len(live)}"

    def _position(self, cursor: str | None) -> tuple[int, int]:
        """The cursor's generation and the number of the last change it has seen."""
        if cursor is None:
            return self._mailbox.generation, 0
        generation, _, number = cursor.partition(":")
        return int(generation), int(number) if self._mailbox.incremental else 0

    def _page(self, folder_id: str, at: int, start: int) -> tuple[list[Ref], int, bool]:
        """Refs of the next changes after a number, the number they reach, whether more follow. Of
        deletions only those after start: what was gone before, a full enumeration never names."""
        folder = self._mailbox.folders.get(folder_id)
        if folder is None:
            raise Transient("folder-vanished", "a folder was removed meanwhile: list again")
        live = [(m.change, Ref(m.id, str(m.change), size=len(m.raw))) for m in folder.messages.values()]
        dead = [(n, Ref(id_, "", deleted=True)) for id_, n in folder.deleted.items() if n > start]
        news = sorted((pair for pair in live + dead if pair[0] > at), key=lambda pair: pair[0])
        page = news[: self._mailbox.page]
        reached = page[-1][0] if page else at
        refs = [ref for _, ref in page]
        given = refs if self.capabilities.moves else self._line.shuffled(refs)
        return given, reached, len(news) > len(page)

    def _fetched(self, container: Container, ref: Ref, bodies: bool) -> Native | Failed:
        if error := self._mailbox.poison.get(ref.id):
            return Failed(key_of(ref.id), error)
        folder = self._mailbox.folders.get(container.id)
        message = folder.messages.get(ref.id) if folder else None
        if message is None:
            return Failed(key_of(ref.id), Rejected("vanished"))
        body = body_of(self._rendered(message)) if bodies else None
        read = Ref(message.id, str(message.change), size=len(message.raw))
        return Native(read, FORMATS[self._kind], self._properties(message), body)

    def _properties(self, message: Message) -> dict[str, object]:
        if self._kind is Kind.MAIL:
            return _properties(message)
        if self._kind is Kind.FILES:
            return _facts(message)
        return {"ItemClass": message.marks.item_class, "Attachments": attachments(message.raw)}

    def _rendered(self, message: Message) -> bytes:
        """The message as this read gives it: with another boundary every time, when rebuilding; or another
        stamp."""
        raw = message.raw
        if message.id in self._mailbox.restless:
            self._mailbox.reads += 1
            stamp = self._mailbox.stamps.pop(0) if self._mailbox.stamps else self._mailbox.reads
            return self._mailbox.restless[message.id] % stamp
        found = _BOUNDARY.search(raw)
        if not self._mailbox.rebuilds or not found:
            return raw
        self._mailbox.reads += 1
        return raw.replace(found[1], b"%s.%d" % (found[1], self._mailbox.reads))


def _container(folder: Folder, kind: Kind) -> Container:
    size = sum(len(message.raw) for message in folder.messages.values())
    total = len(folder.messages)
    found = Container(kind, folder.id, folder.path, folder.role, total, size, folder.omit)
    return replace(found, modified=folder.modified)


def _facts(message: Message) -> dict[str, object]:
    """See mappings.files.file."""
    return {
        "Name": message.marks.name,
        "Modified": message.marks.received,
        "Size": len(message.raw),
        "Sha256": hashlib.sha256(message.raw).hexdigest(),
    }


def _properties(message: Message) -> dict[str, object]:
    marks = message.marks
    dates: dict[str, datetime | None] = {"Received": marks.received, "Sent": None, "Created": None}
    return {
        "ItemClass": marks.item_class,
        "IsRead": marks.read,
        "IsDraft": marks.draft,
        "IsReadReceiptRequested": marks.receipt,
        "IsAssociated": marks.associated,
        "Categories": marks.categories,
        "Importance": marks.importance,
        "Flag": marks.flag,
        "LastVerb": marks.last_verb,
        "Size": len(message.raw),
        "Rebuilt": marks.rebuilt,
        **dates,
    }
