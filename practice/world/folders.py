"""Hold a practice mailbox's folders: a tree with change logs, from which every sync can be answered."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from practice.world.mailbox import Mailbox
    from practice.world.messages import Message

FolderKind = Literal["normal", "search", "hidden"]


class Did(StrEnum):
    """Name what happened to an item or a folder."""

    CREATED = "created"
    UPDATED = "updated"
    READ = "read"
    DELETED = "deleted"


_CODES = tuple(Did)


@dataclass(frozen=True, slots=True)
class Change:
    """Hold one row of a sync.

    Attributes:
        item: None when it was deleted.
        id: the item's id in this folder.
    """

    number: int
    did: Did
    id: str
    item: Message | None


@dataclass(frozen=True, slots=True)
class FolderChange:
    """Hold one row of a sync of folders."""

    number: int
    did: Did
    id: str
    folder: Folder | None


@dataclass(frozen=True, slots=True)
class Grant:
    """Hold what the owner lets somebody do in a folder.

    Attributes:
        level: Exchange's, "Reviewer" or "Editor" and so on.
    """

    name: str
    address: str
    level: str


class Log:
    """Record changes in four arrays: (change number, what, whose number, when that one arrived)."""

    __slots__ = ("arrived", "did", "numbers", "whose")

    def __init__(self) -> None:
        self.numbers = array("q")
        self.did = array("b")
        self.whose = array("q")
        self.arrived = array("q")

    def add(self, number: int, did: Did, whose: int, arrived: int) -> None:
        """Add an entry."""
        self.numbers.append(number)
        self.did.append(_CODES.index(did))
        self.whose.append(whose)
        self.arrived.append(arrived)

    def newest_first(self, since: int, before: int | None) -> Iterator[tuple[int, Did, int, int]]:
        """Yield entries with since < number < before."""
        low = bisect_right(self.numbers, since)
        high = len(self.numbers) if before is None else bisect_left(self.numbers, before)
        for at in range(high - 1, low - 1, -1):
            yield self.numbers[at], _CODES[self.did[at]], self.whose[at], self.arrived[at]


class Folder:
    """Hold a folder.

    Change it only by the mailbox's methods, which log it.

    Attributes:
        id: survives renames and moves.
        kind: "search" shows other folders' items; "hidden" is not for people (PR_ATTR_HIDDEN).
        grants: who else may do what in it.
        readonly: True if it is somebody else's, and the mailbox's owner may only look.
        came: the origins of items that were moved here, by number.
    """

    __slots__ = (
        "_associated",
        "_items",
        "_log",
        "arrived",
        "came",
        "change",
        "children",
        "folder_class",
        "grants",
        "kind",
        "mailbox",
        "name",
        "number",
        "parent",
        "readonly",
        "role",
        "unread",
    )

    def __init__(
        self,
        mailbox: Mailbox,
        name: str,
        parent: Folder | None,
        *,
        role: str | None = None,
        folder_class: str = "IPF.Note",
        kind: FolderKind = "normal",
    ) -> None:
        self.mailbox = mailbox
        self.name = name
        self.parent = parent
        self.role = role
        self.folder_class = folder_class
        self.kind: FolderKind = kind
        self.grants: tuple[Grant, ...] = ()
        self.readonly = False
        self.children: list[Folder] = []
        self.number = mailbox.next_number()
        self.change = self.arrived = mailbox.next_change()
        self.unread = 0
        self.came: dict[int, tuple[int, int]] = {}
        self._items: dict[int, Message] = {}
        self._associated: dict[int, Message] = {}
        self._log = Log()

    @property
    def id(self) -> str:
        """Return the folder's id."""
        return self.mailbox.ids.folder(self.number)

    @property
    def change_key(self) -> str:
        """Return the folder's change key."""
        return self.mailbox.ids.change_key(self.change)

    @property
    def path(self) -> tuple[str, ...]:
        """Return the names from below msgfolderroot down."""
        names: list[str] = []
        here: Folder | None = self
        while here is not None and here.parent is not None and here.role != "msgfolderroot":
            names.append(here.name)
            here = here.parent
        return tuple(reversed(names))

    @property
    def items(self) -> list[Message]:
        """Return the items in order of arrival, oldest first; without associated ones.

        A search folder shows what is unread anywhere.
        """
        if self.kind == "search":
            return [
                item
                for folder in self.mailbox.folders()
                if folder.kind == "normal"
                for item in folder.items
                if not item.is_read
            ]
        return list(self._items.values())

    @property
    def associated(self) -> list[Message]:
        """Hidden items (views, settings): never mail."""
        return list(self._associated.values())

    @property
    def total(self) -> int:
        """Return the number of items."""
        return len(self.items) if self.kind == "search" else len(self._items)

    @property
    def size(self) -> int:
        """Return the bytes of all items."""
        return sum(item.size for item in self.items)

    def item(self, number: int) -> Message | None:
        """Return an item by number; None if there is none."""
        return self._items.get(number) or self._associated.get(number)

    def walk(self) -> Iterator[Folder]:
        """Yield everything below, parents first."""
        for child in self.children:
            yield child
            yield from child.walk()

    def changes(self, since: int = 0, before: int | None = None, limit: int | None = None) -> list[Change]:
        """Return what a client has to learn that knows everything up to change `since`, newest first.

        Page with a fixed upper end: high = mailbox.change at the first page, before = high + 1, then before =
        the last change's number; when a page is not full, the next round is since = high. One item may appear
        twice within a round only as created now and updated in the next round.

        Args:
            since: the change.
            before: only changes with lower numbers.
            limit: how many at most.
        """
        found: list[Change] = []
        for number, did, whose, arrived in self._log.newest_first(since, before):
            change = self._change(since, number, did, whose, arrived)
            if change is not None:
                found.append(change)
                if limit is not None and len(found) >= limit:
                    break
        return found

    def _change(self, since: int, number: int, did: Did, whose: int, arrived: int) -> Change | None:
        if did is Did.DELETED:
            gone = self.mailbox.ids.item(self.number, whose)
            return Change(number, did, gone, None) if arrived <= since else None
        item = self._items.get(whose)
        if item is None:
            return None
        if did is Did.CREATED:
            return Change(number, did, item.id, item)
        if arrived > since:
            return None
        if did is Did.READ:
            listed = item.content_change > since
            return Change(number, did, item.id, item) if number == item.read_change and not listed else None
        return Change(number, did, item.id, item) if number == item.content_change else None

    def admit(self, item: Message, number: int, change: int) -> None:
        """Put an item here under a new number. For the mailbox and generators only."""
        item.folder = self
        item.number = number
        item.arrived = item.content_change = item.read_change = item.series_change = change
        if item.origin is not None:
            self.came[number] = item.origin
            self.mailbox.strays[item.origin] = item
        if item.is_associated:
            self._associated[number] = item
            return
        self._items[number] = item
        self.unread += not item.is_read
        self._log.add(change, Did.CREATED, number, change)

    def release(self, item: Message, change: int) -> None:
        """Take an item away, and log its deletion."""
        item.origin = item.origin or (self.number, item.number)
        self.mailbox.strays.pop(item.origin, None)
        if self._associated.pop(item.number, None) is None:
            del self._items[item.number]
            self.unread -= not item.is_read
            self._log.add(change, Did.DELETED, item.number, item.arrived)

    def note(self, item: Message, did: Did, change: int) -> None:
        """Log that an item was updated, or that only its read flag changed."""
        if did is Did.READ:
            item.read_change = change
        else:
            item.content_change = item.series_change = change
        if not item.is_associated:
            self._log.add(change, did, item.number, item.arrived)

    def renumber(self) -> None:
        """Give new numbers to the folder and everything in it, and empty its log: a re-created mailbox."""
        self.number = self.mailbox.next_number()
        self.change = self.arrived = self.mailbox.next_change()
        items = [*self._items.values(), *self._associated.values()]
        self._items, self._associated, self._log, self.unread, self.came = {}, {}, Log(), 0, {}
        for item in items:
            item.origin = None
            self.admit(item, self.mailbox.next_number(), self.mailbox.next_change())
