"""A mail target in memory: model.protocols.Target over a MemoryStore."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from ledger.inventory.lines import message_mark
from mappings.fields.message_id import message_id
from mappings.mail.digest import canonical
from memory.line import Line, Step, body_of, no_step, not_when_live
from memory.store import MemoryStore, Path, StoredFolder, StoredMessage, normal
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.kinds import Kind
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
    Listed,
    Native,
    Ref,
    Stored,
)

_KEYWORD = re.compile(r"[^\](){%*\"\\\x00-\x20\x7f-\U0010ffff]{1,200}")
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class MemoryTarget:
    """model.protocols.Target over a MemoryStore. Implements optional_protocols.RemovesContainers,
    SupportsHeaders and SupportsMark."""

    def __init__(self, store: MemoryStore, guard: Guard, step: Step = no_step, *, live: bool = False) -> None:
        self._store = store
        self._guard = guard
        self._line = Line(step)
        self._live = live

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset({Kind.MAIL}),
            batch=self._store.batch,
            max_bytes=self._store.max_bytes,
            keywords=self._store.keywords,
            separator=self._store.separator,
            states=self._store.states,
        )

    def identity(self) -> Identity:
        self._line.before("target.identity")
        self._line.after("target.identity")
        return Identity("memory", self._store.id, self._store.addresses)

    def containers(self) -> Iterator[Container]:
        self._line.before("target.containers")
        found = [
            Container(
                Kind.MAIL,
                self._href(path),
                path,
                folder.role,
                len(folder.messages),
                state=folder.state(deaf=self._store.deaf) if self._store.states else None,
            )
            for path, folder in sorted(self._store.folders.items(), key=lambda pair: (len(pair[0]), pair[0]))
        ]
        self._line.after("target.containers")
        yield from found

    def ensure(self, container: Container) -> str:
        self._guard()
        self._line.before("target.ensure")
        if any(self._store.separator in name or not name for name in container.path):
            raise Rejected("name-not-allowed")
        self._store.create(container.path)
        self._line.after("target.ensure")
        return self._href(container.path)

    def rename(self, href: str, container: Container) -> str:
        not_when_live(self._live)
        self._guard()
        self._line.before("target.rename")
        old, new = self._path(href), container.path
        if new in self._store.folders or old not in self._store.folders or old == ("INBOX",):
            raise Rejected("refused-by-server")
        for path in [path for path in self._store.folders if path[: len(old)] == old]:
            self._store.folders[new + path[len(old) :]] = self._store.folders.pop(path)
        self._line.after("target.rename")
        return self._href(new)

    def position(self, href: str) -> str:
        self._line.before("target.position")
        folder = self._folder(href)
        mark = f"{folder.uidvalidity}:{folder.uidnext}"
        self._line.after("target.position")
        return mark

    def place(self, key: bytes) -> str | None:
        """None: the server numbers what it takes."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        waiting = iter(items)
        while batch := list(islice(waiting, self._store.batch)):
            self._guard()
            self._line.before("target.write")
            results = self._appended(href, batch)
            self._line.after("target.write")
            yield from self._line.shuffled(results)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        not_when_live(self._live)
        for change in changes:
            self._guard()
            self._line.before("target.amend")
            message = self._message(href, change.stored.href)
            if message is not None and not _is_still(message, change.stored):
                yield Failed(change.stored.key, Rejected("changed-at-target"))
                continue
            if message is not None:
                message.flags = self._store.kept(self._folder(href), change.flags)
            self._line.after("target.amend")
            gone = Failed(change.stored.key, Rejected("vanished"))
            yield gone if message is None else change.stored

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        self._line.before("target.listing")
        folder = self._folder(href)
        first = _uid_since(folder, since)
        found = [_listed(folder, uid) for uid in folder.messages if uid >= first]
        self._line.after("target.listing")
        yield from self._line.shuffled(found)

    def headers(self, href: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The whole header, whatever the names."""
        del names
        self._line.before("target.headers")
        folder = self._folder(href)
        found = [
            (f"{folder.uidvalidity}:{uid}", message.raw.partition(b"\r\n\r\n")[0] + b"\r\n")
            for uid, message in sorted(folder.messages.items())
        ]
        self._line.after("target.headers")
        yield from found

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        wanted = iter(hrefs)
        while batch := list(islice(wanted, self._store.batch)):
            self._line.before("target.read")
            results = [(item, self._native(href, item)) for item in batch]
            self._line.after("target.read")
            yield from self._line.shuffled(results)

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        not_when_live(self._live)
        for gone in stored:
            self._guard()
            self._line.before("target.remove")
            era, _, uid = gone.href.partition(":")
            folder = self._store.folders.get(self._path(href))
            known = folder is None or era == str(folder.uidvalidity)
            there = None if folder is None or not known else folder.messages.get(int(uid))
            if there is not None and not _is_still(there, gone):
                yield Failed(gone.key, Rejected("changed-at-target"))
                continue
            if folder is not None and known:
                folder.messages.pop(int(uid), None)
            self._line.after("target.remove")
            # Under another UIDVALIDITY the UID may be somebody else's message.
            yield gone if known else Failed(gone.key, Transient("container-renumbered"))

    def clear(self, href: str) -> bool:
        not_when_live(self._live)
        self._guard()
        self._line.before("target.clear")
        path = self._path(href)
        folder = self._store.folders.get(path)
        below = any(other[: len(path)] == path and other != path for other in self._store.folders)
        empty = folder is None or not (folder.messages or below or path == ("INBOX",))
        if empty:
            self._store.folders.pop(path, None)
        self._line.after("target.clear")
        return empty

    def label(self, labels: Mapping[str, str]) -> bool:
        if not self._store.has_labels:
            return False
        self._guard()
        self._line.before("target.label")
        self._store.labels = dict(labels)
        self._line.after("target.label")
        return True

    def mark(self) -> str | None:
        self._line.before("target.mark")
        found = self._store.mark if self._store.has_labels else None
        self._line.after("target.mark")
        return found

    def keep_mark(self, text: str) -> bool:
        if not self._store.has_labels:
            return False
        self._guard()
        self._line.before("target.keep-mark")
        self._store.mark = text
        self._line.after("target.keep-mark")
        return True

    def close(self) -> None:
        self._line.closed = True

    def _href(self, path: Path) -> str:
        return self._store.separator.join(path)

    def _path(self, href: str) -> Path:
        return tuple(href.split(self._store.separator))

    def _folder(self, href: str) -> StoredFolder:
        folder = self._store.folders.get(self._path(href))
        if folder is None:
            raise Blocked("container-missing", "a folder we wrote to is gone")
        return folder

    def _message(self, href: str, item: str) -> StoredMessage | None:
        folder = self._folder(href)
        era, _, uid = item.partition(":")
        return folder.messages.get(int(uid)) if era == str(folder.uidvalidity) else None

    def _native(self, href: str, item: str) -> Native | Failed:
        message = self._message(href, item)
        if message is None:
            return Failed(b"", Rejected("vanished"))
        properties = {"FLAGS": message.flags, "INTERNALDATE": message.date, "RFC822.SIZE": len(message.raw)}
        return Native(Ref(item, ""), "rfc822", properties, body_of(message.raw))

    def _appended(self, href: str, batch: list[Item]) -> list[Stored | Failed]:
        """One batch. Atomic: nothing of it is there before all of it is. Over quota it is halved until
        what fits is stored."""
        folder = self._folder(href)
        messages = [(item, self._judged(item)) for item in batch]
        good = [(item, found) for item, found in messages if isinstance(found, StoredMessage)]
        bad = [Failed(item.key, found) for item, found in messages if isinstance(found, MigrationError)]
        if not self._store.atomic:
            return [*bad, *(self._stored_alone(href, item, message) for item, message in good)]
        size = sum(len(message.raw) for _, message in good)
        if len(good) > 1 and not self._fits(size):
            half = len(good) // 2
            halves = ([item for item, _ in good[:half]], [item for item, _ in good[half:]])
            return [*bad, *(result for part in halves for result in self._appended(href, part))]
        if good and not self._fits(size):
            return [*bad, *(Failed(item.key, _over_quota()) for item, _ in good)]
        self._lose(href, [message for _, message in good])
        return [*bad, *(self._store_one(href, folder, item, message) for item, message in good)]

    def _stored_alone(self, href: str, item: Item, message: StoredMessage) -> Stored | Failed:
        self._guard()
        self._line.before("target.append")
        if not self._fits(len(message.raw)):
            return Failed(item.key, _over_quota())
        self._lose(href, [message])
        stored = self._store_one(href, self._folder(href), item, message)
        self._line.after("target.append")
        return stored

    def _lose(self, href: str, messages: list[StoredMessage]) -> None:
        """When late: the bytes are on their way, and no reply will come."""
        if self._store.late and messages:
            self._store.in_flight += [(self._path(href), message) for message in messages]
            raise Transient("connection-lost")

    def _store_one(self, href: str, folder: StoredFolder, item: Item, message: StoredMessage) -> Stored:
        uid = self._store.append(self._path(href), message.raw, message.flags, item.date)
        return Stored(item.key, f"{folder.uidvalidity}:{uid}")

    def _judged(self, item: Item) -> StoredMessage | MigrationError:
        """The message as it would be stored, or why the server refuses it."""
        with item.body() as stream:
            raw = normal(stream.read())
        if not raw:
            return Rejected("refused-by-server")
        if self._store.max_bytes is not None and len(raw) > self._store.max_bytes:
            return Rejected("too-large")
        words = [flag for flag in item.flags if not flag.startswith("\\")]
        if not all(_KEYWORD.fullmatch(word) for word in words):
            return Rejected("refused-by-server")
        return StoredMessage(raw, item.flags, item.date or self._store.now())

    def _fits(self, size: int) -> bool:
        return self._store.quota is None or self._store.used() + size <= self._store.quota


def _is_still(message: StoredMessage, stored: Stored) -> bool:
    """By date and Message-ID, by the date alone where it was written without the other, or by the digest."""
    if not stored.digest:
        return True
    is_dated = stored.date is not None and stored.date == int(message.date.timestamp() // 1)
    if is_dated and stored.mid in (None, message_mark(message_id(message.raw))):
        return True
    return canonical(io.BytesIO(message.raw)).digest == stored.digest


def _over_quota() -> Blocked:
    return Blocked("over-quota", "raise the quota, then resume")


def _uid_since(folder: StoredFolder, since: str | None) -> int:
    """Everything, when the position belongs to another incarnation of the folder."""
    era, _, uid = (since or "").partition(":")
    return int(uid) if era == str(folder.uidvalidity) else 0


def _listed(folder: StoredFolder, uid: int) -> Listed:
    message = folder.messages[uid]
    head = message.raw.partition(b"\r\n\r\n")[0]
    found = _MESSAGE_ID.search(head)
    name = found[1].decode("ascii", "replace").strip() if found else None
    return Listed(f"{folder.uidvalidity}:{uid}", len(message.raw), message.flags, message.date, name)
