"""A drive of files to move, in memory, and every kind of change people make to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from memory.doubles import Marks, MemoryCabinet, MemoryMailbox
from memory.mailbox import Folder
from walking import SOURCE, Trial

from model.protocols import Role

DRIVE = "Drive"
DAY = datetime(2024, 5, 1, 12, tzinfo=UTC)


def dated(day: int) -> datetime:
    """A day (0 to 27) of May 2024."""
    return DAY.replace(day=1 + day)


def marks(name: str, day: int = 0) -> Marks:
    return Marks(name=name, received=dated(day))


def text(number: int) -> bytes:
    return f"file {number}\n".encode() * (number % 5)


def a_drive(items: int = 4) -> MemoryMailbox:
    """A root and folders below it; twins, an empty file, an empty folder, one name twice but for its case."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    root = make(mailbox, DRIVE, role=Role.FILES)
    work = make(mailbox, DRIVE, "Arbeit")
    plans = make(mailbox, DRIVE, "Arbeit", "Pläne")
    make(mailbox, DRIVE, "Leer")
    for number in range(items):
        where = (root, work, plans)[number % 3]
        mailbox.deliver(where, text(number), marks(f"Datei {number}.txt", number))
    for name in ("Zwilling.txt", "Zwilling 2.txt", "a.txt", "b.txt"):
        mailbox.deliver(work, b"one and the same" if name[0] == "Z" else name.encode(), marks(name))
    mailbox.deliver(plans, b"eins", marks("Notiz.txt", 3))
    mailbox.deliver(plans, b"zwei", marks("notiz.txt", 4))
    mailbox.deliver(plans, b"alt", marks("Plan", 5))
    return mailbox


def make(mailbox: MemoryMailbox, *path: str, role: Role | None = None, day: int = 9) -> str:
    made = mailbox.create_folder(path, role)
    mailbox.folders[made].modified = dated(day)
    return made


def folder(mailbox: MemoryMailbox, *path: str) -> Folder:
    return next(one for one in mailbox.folders.values() if one.path == (DRIVE, *path))


def file(mailbox: MemoryMailbox, name: str) -> str:
    """The id of the only file of a name."""
    (found,) = [one.id for _, one in mailbox.messages() if one.marks.name == name]
    return found


def rename(mailbox: MemoryMailbox, item: str, name: str) -> None:
    _, message = mailbox.find(item)
    mailbox.mark(item, replace(message.marks, name=name))


def swap(mailbox: MemoryMailbox, one: str, other: str) -> None:
    """Two files take each other's names."""
    first, second = file(mailbox, one), file(mailbox, other)
    rename(mailbox, first, other)
    rename(mailbox, second, one)


def edit_drive(mailbox: MemoryMailbox) -> None:
    """Every kind of change there is, to a mailbox as a_drive makes it."""
    work, plans, empty = (folder(mailbox, *path) for path in (("Arbeit",), ("Arbeit", "Pläne"), ("Leer",)))
    mailbox.edit(file(mailbox, "Datei 0.txt"), b"edited")
    mailbox.carry(file(mailbox, "Datei 1.txt"), plans.id)
    swap(mailbox, "a.txt", "b.txt")
    rename(mailbox, file(mailbox, "Zwilling.txt"), "ZWILLING.txt")  # only its case
    mailbox.delete(file(mailbox, "Zwilling 2.txt"))
    mailbox.deliver(work.id, b"new", marks("Zwilling 2.txt"))  # another file of that name
    mailbox.delete(file(mailbox, "Plan"))
    mailbox.deliver(make(mailbox, DRIVE, "Arbeit", "Pläne", "Plan"), b"p", marks("p.txt"))
    mailbox.delete_folder(empty.id)
    mailbox.rename_folder(plans.id, (DRIVE, "Zukunft"))
    new = make(mailbox, DRIVE, "Neu")
    mailbox.carry(file(mailbox, "Notiz.txt"), new)  # a new folder tells of all that is in it
    mailbox.folders[work.id].modified = dated(20)


def drive_trial(directory: Path, items: int = 4, **cabinet: object) -> Trial:
    return Trial(directory, a_drive(items), MemoryCabinet(**cabinet))
