"""Hold a practice mailbox: what a server answers from, and what its owner does during a migration.

Every change takes the next number of `change`. All methods are deterministic: the same calls on the same seed
give the same ids and bytes, and the same dates but of mail that is delivered now. Hold World.lock when
another thread may read.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

from practice.harness.dice import Dice, digest
from practice.mail.letters import Correspondent, Letter, Scene
from practice.mail.letters_made import from_bytes, typed
from practice.mail.letters_plain import HEADER_BYTES
from practice.mail.letters_record import dress, message_of
from practice.mail.recipes import RECIPES
from practice.world.folders import Did, Folder, FolderChange, FolderKind, Grant
from practice.world.ids import IdMaker
from practice.world.messages import UNMARKED, FlagStatus, Marks, Message
from practice.world.people import Directory, Person
from practice.world.records import Record, Series

OWNERS = frozenset({"sentitems", "drafts", "outbox"})
"""Folders whose mail the owner wrote."""
TOPS = frozenset({"root", "msgfolderroot"})
NOW = datetime(2026, 9, 7, 6, 0, tzinfo=UTC)


class Mailbox:
    """Hold a mailbox. The generator fills it; see practice.world.world.

    Attributes:
        guid: changes when the mailbox is re-created.
        root: msgfolderroot.
        store: above root; it also holds what people never see.
    """

    def __init__(self, seed: int, owner: Person, people: Directory, message_size: int | None = None) -> None:
        self.seed = seed
        self.owner = owner
        self.people = people
        self.message_size = message_size
        self.generation = 0
        self.change = 0
        self._number = 0
        self._delivered = 0
        self._last: tuple[Message, int, Letter] | None = None
        self._folder_log: list[tuple[int, Did, int, int]] = []
        self._folders: dict[int, Folder] = {}
        self.strays: dict[tuple[int, int], Message] = {}
        self._identify()
        self.store = self._new_folder("", None, role="root", folder_class="")
        self.root = self._new_folder("", self.store, role="msgfolderroot", folder_class="")

    @property
    def address(self) -> str:
        """Return the owner's primary address."""
        return self.owner.address

    def next_change(self) -> int:
        """Return the number of a new change."""
        self.change += 1
        return self.change

    def next_number(self) -> int:
        """Return the number of a new folder or item."""
        self._number += 1
        return self._number

    # What a server reads

    def folders(self) -> Iterator[Folder]:
        """Yield everything below msgfolderroot, parents before children."""
        return self.root.walk()

    def folder(self, folder_id: str) -> Folder:
        """Return a folder by id, store and root included.

        Raises:
            KeyError: there is none.
        """
        number = self.ids.read_folder(folder_id)
        if number is None or number not in self._folders:
            raise KeyError("no such folder")
        return self._folders[number]

    def distinguished(self, role: str) -> Folder:
        """Return a folder by distinguished folder id ("inbox", "root", ...), any case.

        Raises:
            KeyError: there is none.
        """
        for folder in self._folders.values():
            if folder.role == role.lower():
                return folder
        raise KeyError(role)

    def item(self, item_id: str) -> Message:
        """Return an item by its id of now: one that was moved has another.

        An occurrence's id gives an item of its own that is in no folder's list.

        Raises:
            KeyError: there is none.
        """
        occurrence = self.ids.read_occurrence(item_id)
        if occurrence is not None:
            folder_number, number, day = occurrence
            master = self.item(self.ids.item(folder_number, number))
            return self.occurrence(master, date.fromordinal(day))
        numbers = self.ids.read_item(item_id)
        return self._at(numbers)

    def item_for_ever(self, immutable_id: str) -> Message:
        """Return an item by immutable id, wherever it is now; occurrences as in `item`.

        Raises:
            KeyError: there is none.
        """
        found = self.ids.read_immutable(immutable_id)
        if found is None:
            raise KeyError("no such item")
        folder, number, day = found
        item = self.strays.get((folder, number)) or self._at((folder, number))
        return item if day is None else self.occurrence(item, date.fromordinal(day))

    def _at(self, numbers: tuple[int, int] | None) -> Message:
        folder = self._folders.get(numbers[0]) if numbers else None
        item = folder.item(numbers[1]) if folder and numbers else None
        if item is None:
            raise KeyError("no such item")
        return item

    def occurrence(self, master: Message, day: date) -> Message:
        """Return the occurrence of a series whose original start is on this day.

        Raises:
            KeyError: there is none.
        """
        if not isinstance(master.record, Series):
            raise KeyError("not a series")
        return self.placed(master, master.record.instance(day), day)

    def placed(self, master: Message, instance: Record, day: date) -> Message:
        """Return the item of an instance of a series that is known to be the one of this day."""
        item = message_of(instance, self.owner, master.seed)
        item.folder, item.number, item.day = master.folder, master.number, day
        item.origin = master.origin
        item.arrived, item.content_change = master.arrived, master.content_change
        return item

    def messages(self) -> Iterator[Message]:
        """Yield every item that people see: those of the normal folders, without associated ones."""
        for folder in self.folders():
            if folder.kind == "normal":
                yield from folder.items

    def folder_changes(self, since: int = 0) -> list[FolderChange]:
        """Return in order what a client has to learn that knows the hierarchy up to change `since`."""
        found: dict[int, FolderChange] = {}
        for number, did, whose, arrived in self._folder_log:
            folder = self._folders.get(whose)
            if number <= since or (did is not Did.DELETED and (folder is None or folder.role == "root")):
                continue
            if did is Did.DELETED:
                found.pop(whose, None)
                if arrived <= since:
                    found[whose] = FolderChange(number, did, self.ids.folder(whose), None)
            elif folder is not None:
                kind = Did.CREATED if arrived > since else Did.UPDATED
                found[whose] = FolderChange(number, kind, folder.id, folder)
        return list(found.values())

    def letter(self, item: Message) -> Letter:
        """Return the item's letter, planned again; the last one stays, as properties are read in a row."""
        last = self._last
        if last and last[0] is item and last[1] == item.revision:
            return last[2]
        letter = item.made or RECIPES[item.recipe](self._scene(item))
        self._last = (item, item.revision, letter)
        return letter

    def size(self, item: Message) -> int:
        """Return an item's size, if possible without planning the letter: folders of 100,000 are added up."""
        if item.recipe == "plain" and item.made is None:
            return HEADER_BYTES + self._budget(item, f"{self.seed}/{self.address}/{item.seed}")
        return self.letter(item).size

    # What its owner does

    def deliver(
        self,
        folder: Folder,
        *,
        recipe: str | None = None,
        mime: bytes | None = None,
        subject: str | None = None,
        text: str | None = None,
        sender: Correspondent | None = None,
        size: int | None = None,
        received: datetime | None = None,
        is_read: bool = False,
        marks: Marks | None = None,
    ) -> Message:
        """Add a new item: a recipe's; or given bytes; or a plain mail of a subject, text or sender.

        In drafts it is a draft. A recipe's headers have their own dates.

        Args:
            folder: where it arrives.
            recipe: one of practice.mail.recipes.
            mime: given bytes.
            subject: of a plain mail.
            text: of a plain mail.
            sender: of a plain mail.
            size: about how many bytes.
            received: the delivery time; None for now.
            is_read: True if it was read.
            marks: what people did to it.

        Returns:
            The item.
        """
        self._delivered += 1
        drafted = folder.role == "drafts"
        item = Message(
            recipe or ("draft" if drafted else "plain"),
            f"delivered/{self._delivered}",
            replace(marks or UNMARKED, draft=True) if drafted else marks or UNMARKED,
            is_read=is_read,
            by_owner=folder.role in OWNERS,
            budget=size,
        )
        now = received or datetime.now(UTC).replace(microsecond=0)
        scene = self._scene(item)
        if mime is not None:
            item.made = from_bytes(scene, mime, now)
        elif subject is not None or text is not None or sender is not None:
            item.made = typed(scene, subject, text or "", now, sender)
        elif not drafted:
            letter = RECIPES[item.recipe](scene)
            item.made = replace(letter, received=now) if letter.received else letter
        folder.admit(item, self.next_number(), self.next_change())
        return item

    def put(self, folder: Folder, record: Record) -> Message:
        """Add a new item that is no mail: an appointment, a contact, a task, a note."""
        self._delivered += 1
        item = message_of(record, self.owner, f"put/{self._delivered}")
        folder.admit(item, self.next_number(), self.next_change())
        return item

    def replace(self, item: Message, record: Record, *, occurrence: bool = False) -> None:
        """Put other content in the same item; id stays, change key changes.

        Args:
            item: the item.
            record: the content.
            occurrence: True if of a series only one of its occurrences changed.

        Raises:
            ValueError: it is an occurrence, which belongs to its series (practice.world.diary).
        """
        if item.day is not None:
            raise ValueError("an occurrence has no content of its own")
        dress(item, record, self.owner)
        item.revision += 1
        before = item.series_change
        item.folder.note(item, Did.UPDATED, self.next_change())
        if occurrence:
            item.series_change = before

    def mark_read(self, item: Message, read: bool = True) -> None:
        """Mark an item as read or unread."""
        if item.is_read != read:
            item.is_read = read
            item.folder.unread += -1 if read else 1
            item.folder.note(item, Did.READ, self.next_change())

    def mark(self, item: Message, marks: Marks) -> None:
        """Set all marks at once."""
        if item.marks != marks:
            item.marks = marks
            item.folder.note(item, Did.UPDATED, self.next_change())

    def flag(self, item: Message, status: FlagStatus = "Flagged") -> None:
        """Set an item's follow-up flag."""
        self.mark(item, replace(item.marks, flag=status))

    def categorize(self, item: Message, *categories: str) -> None:
        """Set an item's categories."""
        self.mark(item, replace(item.marks, categories=categories))

    def verb(self, item: Message, verb: int) -> None:
        """Mark that the owner replied (102, 103) or forwarded (104)."""
        self.mark(item, replace(item.marks, verb=verb))

    def edit_draft(self, item: Message) -> None:
        """Put other text in the same item; id stays, change key and bytes change."""
        subject = item.letter.subject
        item.revision += 1
        self._last = None
        if item.made is not None or item.recipe not in ("plain", "draft"):
            item.made = typed(self._scene(item), subject, f"Fassung {item.revision}\r\n", NOW)
        item.folder.note(item, Did.UPDATED, self.next_change())

    def move(self, item: Message, folder: Folder) -> Message:
        """Move an item: the same Message, under a new id; its old id no longer exists."""
        item.folder.release(item, self.next_change())
        folder.admit(item, self.next_number(), self.next_change())
        return item

    def delete(self, item: Message, *, hard: bool = False) -> None:
        """Move an item to deleteditems, or delete it for good."""
        if hard:
            item.folder.release(item, self.next_change())
        else:
            self.move(item, self.distinguished("deleteditems"))

    def create_folder(
        self,
        parent: Folder | None,
        name: str,
        *,
        role: str | None = None,
        folder_class: str = "IPF.Note",
        kind: FolderKind = "normal",
    ) -> Folder:
        """Make a folder."""
        return self._new_folder(name, parent, role=role, folder_class=folder_class, kind=kind)

    def share(self, folder: Folder, *grants: Grant, readonly: bool = False) -> None:
        """Set all grants at once."""
        folder.grants = grants
        folder.readonly = readonly
        self._touch(folder)

    def rename(self, folder: Folder, name: str) -> None:
        """Rename a folder."""
        folder.name = name
        self._touch(folder)

    def move_folder(self, folder: Folder, parent: Folder) -> None:
        """Move a folder.

        Raises:
            ValueError: the parent is below the folder.
        """
        if parent is folder or parent in folder.walk():
            raise ValueError("a folder cannot be below itself")
        if folder.parent is not None:
            folder.parent.children.remove(folder)
        folder.parent = parent
        parent.children.append(folder)
        self._touch(folder)

    def delete_folder(self, folder: Folder, *, hard: bool = False) -> None:
        """Move a folder to deleteditems (id and content stay), or delete it with everything below."""
        if not hard:
            self.move_folder(folder, self.distinguished("deleteditems"))
            return
        for child in list(folder.children):
            self.delete_folder(child, hard=True)
        for item in [*folder.items, *folder.associated] if folder.kind != "search" else []:
            folder.release(item, self.next_change())
        if folder.parent is not None:
            folder.parent.children.remove(folder)
        del self._folders[folder.number]
        self._folder_log.append((self.next_change(), Did.DELETED, folder.number, folder.arrived))

    def empty(self) -> None:
        """Delete every item for good; the folders stay."""
        for item in list(self.messages()):
            self.delete(item, hard=True)

    def shrink(self, fraction: float) -> int:
        """Delete about this fraction of all items for good, and return how many."""
        items = list(self.messages())
        count = round(len(items) * fraction)
        order = sorted(items, key=lambda item: digest(self.seed, self.address, "shrink", item.seed))
        for item in order[:count]:
            self.delete(item, hard=True)
        return count

    def recreate(self, *, content: bool = True) -> None:
        """Delete the mailbox and make it again: other guid, folder ids and item ids; the same items or none.

        Sync states of before are void.
        """
        if not content:
            self.empty()
        self.generation += 1
        self._identify()
        self.move_database(roots=True)

    def move_database(self, *, roots: bool = False) -> None:
        """Move the mailbox to another database or server.

        The guid and the items stay, and every folder id, item id and change key is another one; those of the
        top folders, by which a mailbox is known, only if asked. Sync states of before are void.
        """
        folders = list(self._folders.values())
        self._folders, self._folder_log, self.strays = {}, [], {}
        for folder in folders:
            if roots or folder.role not in TOPS:
                folder.renumber()
            self._folders[folder.number] = folder
            self._folder_log.append((folder.change, Did.CREATED, folder.number, folder.arrived))

    def _identify(self) -> None:
        key = (self.seed, self.address, "guid", self.generation)
        self.guid = uuid.UUID(bytes=digest(*key), version=4)
        self.ids = IdMaker(self.guid)

    def _new_folder(
        self,
        name: str,
        parent: Folder | None,
        *,
        role: str | None,
        folder_class: str,
        kind: FolderKind = "normal",
    ) -> Folder:
        folder = Folder(self, name, parent, role=role, folder_class=folder_class, kind=kind)
        if parent is not None:
            parent.children.append(folder)
        self._folders[folder.number] = folder
        self._folder_log.append((folder.change, Did.CREATED, folder.number, folder.arrived))
        return folder

    def _touch(self, folder: Folder) -> None:
        folder.change = self.next_change()
        self._folder_log.append((folder.change, Did.UPDATED, folder.number, folder.arrived))

    def _scene(self, item: Message) -> Scene:
        key = f"{self.seed}/{self.address}/{item.seed}"
        return Scene(key, self.owner, self.people, item.by_owner, self._budget(item, key), item.revision)

    def _budget(self, item: Message, key: str) -> int:
        if item.budget is None and self.message_size is not None:
            return max(self.message_size - HEADER_BYTES, 1)
        return item.budget or text_size(key)


def text_size(key: str) -> int:
    """Return a mail's size: most are small, a few are large."""
    dice = Dice(key, "size")
    return dice.pick((300, 800, 1500, 4000, 9000, 30000)) + dice.below(700)
