"""A source mailbox held in memory: what people do to it, and what its server forgets.

The state outlives every connector: a "crash" throws MemorySource away and opens a new one over the same
MemoryMailbox. Ids and change numbers are counted, so a run is the same every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from model.errors import MigrationError
from model.protocols import Role

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands outside of a message's bytes, in EWS's words; of a file also its name."""

    read: bool = False
    draft: bool = False
    flag: str = "NotFlagged"
    categories: tuple[str, ...] = ()
    importance: str = "Normal"
    last_verb: int | None = None
    receipt: bool = False
    received: datetime | None = datetime(2020, 1, 1, tzinfo=UTC)
    item_class: str = "IPM.Note"
    associated: bool = False
    rebuilt: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message at one version; change is the number of the change that made it so."""

    id: str
    change: int
    raw: bytes
    marks: Marks


@dataclass(slots=True)
class Folder:
    """deleted: id -> the change that removed it. modified: of a folder of files."""

    id: str
    path: Path
    role: Role | None = None
    omit: str | None = None
    modified: datetime | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryMailbox:
    """incremental   False: every listing enumerates anew, as over plain IMAP
    rebuilds      bodies come with other MIME boundaries at every read
    restless      ids whose bytes are rendered anew at every read, with a number in them: %d in these
    stamps        the numbers of the next readings; without one it is the count of them
    poison        ids whose fetch fails, and how
    page          refs a page of changes carries
    generation    cursors of an older generation are lost
    counted       changes so far: the number of the newest
    states        whether its mail folders state what changed in them (Container.state)
    """

    id: str = "source-1"
    addresses: frozenset[str] = frozenset()
    incremental: bool = True
    rebuilds: bool = False
    page: int = 7
    restless: dict[str, bytes] = field(default_factory=dict)
    stamps: list[int] = field(default_factory=list)
    poison: dict[str, MigrationError] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    generation: int = 0
    reads: int = 0
    counted: int = 0
    states: bool = True

    def create_folder(self, path: Path, role: Role | None = None, omit: str | None = None) -> str:
        folder = Folder(f"folder-{self._count()}", path, role, omit)
        self.folders[folder.id] = folder
        return folder.id

    def rename_folder(self, folder_id: str, path: Path) -> None:
        """Renames or moves a folder and everything below it; ids stay."""
        old = self.folders[folder_id].path
        for folder in self.folders.values():
            if folder.path[: len(old)] == old:
                folder.path = path + folder.path[len(old) :]

    def delete_folder(self, folder_id: str) -> None:
        """The folder, everything below it, and every message in them."""
        old = self.folders[folder_id].path
        for folder in list(self.folders.values()):
            if folder.path[: len(old)] == old:
                del self.folders[folder.id]

    def recreate_folder(self, folder_id: str) -> str:
        """A restore from backup: the same folder and messages under new ids."""
        old = self.folders.pop(folder_id)
        new = self.create_folder(old.path, old.role, old.omit)
        self.folders[new].modified = old.modified
        for message in old.messages.values():
            self.deliver(new, message.raw, message.marks)
        return new

    def deliver(self, folder_id: str, raw: bytes, marks: Marks | None = None) -> str:
        change = self._count()
        message = Message(f"item-{change}", change, raw, marks or Marks())
        self.folders[folder_id].messages[message.id] = message
        return message.id

    def mark(self, item_id: str, marks: Marks) -> None:
        """Everything about the message but its text: read, flagged, categorised."""
        folder, message = self.find(item_id)
        folder.messages[item_id] = replace(message, change=self._count(), marks=marks)

    def edit(self, item_id: str, raw: bytes) -> None:
        """A draft's text."""
        folder, message = self.find(item_id)
        folder.messages[item_id] = replace(message, change=self._count(), raw=raw)

    def touch(self, item_id: str) -> None:
        """A new version without any difference: Exchange does that."""
        folder, message = self.find(item_id)
        folder.messages[item_id] = replace(message, change=self._count())

    def move(self, item_id: str, folder_id: str) -> str:
        """Returns the new id: Exchange gives one to every moved message."""
        _, message = self.find(item_id)
        self.delete(item_id)
        return self.deliver(folder_id, message.raw, message.marks)

    def carry(self, item_id: str, folder_id: str) -> None:
        """Moves a file, which keeps its id: the folder where it was does not tell that it left."""
        folder, message = self.find(item_id)
        del folder.messages[item_id]
        there = self.folders[folder_id]
        there.deleted.pop(item_id, None)
        there.messages[item_id] = replace(message, change=self._count())

    def delete(self, item_id: str) -> None:
        folder, _ = self.find(item_id)
        del folder.messages[item_id]
        folder.deleted[item_id] = self._count()

    def shrink(self, folder_id: str, keep: int) -> None:
        """All but the first messages are gone: a retention policy, or a restored, emptied store."""
        for item_id in list(self.folders[folder_id].messages)[keep:]:
            self.delete(item_id)

    def rekey(self, folder_id: str) -> None:
        """Every message gets a new id; the folder stays."""
        for item_id in list(self.folders[folder_id].messages):
            self.move(item_id, folder_id)

    def lose_cursors(self) -> None:
        """The server forgets every sync state it gave out, and what was deleted until now."""
        self.generation += 1
        for folder in self.folders.values():
            folder.deleted.clear()

    def find(self, item_id: str) -> tuple[Folder, Message]:
        """Raises KeyError."""
        for folder in self.folders.values():
            if item_id in folder.messages:
                return folder, folder.messages[item_id]
        raise KeyError(item_id)

    def messages(self) -> Iterator[tuple[Folder, Message]]:
        """Every message in a folder that moves."""
        for folder in self.folders.values():
            if folder.omit is None:
                for message in folder.messages.values():
                    yield folder, message

    def _count(self) -> int:
        self.counted += 1
        return self.counted
