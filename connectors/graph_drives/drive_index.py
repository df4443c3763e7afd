"""Keep what a drive's delta listed on disk.

A drive may hold more than memory does, and Graph lists it as a whole, in any order, while folders are read
one by one. The file has no name: it disappears with the process, and no other process can open it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

from model.errors import Blocked
from model.private_files import make_directory

_TABLE = """
create table entry (
    id text primary key, parent text, kind integer, name text, version text, size integer, modified real,
    shared integer
) without rowid
"""
_INDEX = "create index of_parent on entry (parent, kind, id)"
_SETTINGS = (
    "pragma journal_mode = off",  # after a failure it is built again
    "pragma synchronous = off",
    "pragma locking_mode = exclusive",
    "pragma temp_store = memory",
    "pragma cache_size = -16000",
)


class Sort(IntEnum):
    """Tell entries apart; ITEM is anything but a folder: files, and packages that look like folders."""

    FOLDER = 0
    ITEM = 1
    GONE = 2


@dataclass(frozen=True, slots=True)
class DriveEntry:
    """Hold the latest state of one item.

    Attributes:
        id: its id.
        parent: the folder's id; "" for a root, and where it is unknown.
        sort: folder, item or gone.
        name: its name.
        version: its version; "" for a folder.
        size: bytes.
        modified: the date of the last change, or None.
        shared: True if it is shared by itself.
    """

    id: str
    parent: str
    sort: Sort
    name: str = ""
    version: str = ""
    size: int = 0
    modified: datetime | None = None
    shared: bool = False


class Round:
    """Hold one run of a drive's delta. One thread at a time.

    Every method may raise Blocked: "spool-full", "spool-unusable".
    """

    def __init__(self, folder: Path, drive: str) -> None:
        """Create an empty round. Its attribute `cursor` is the one after the run; `root` is the root's id.

        Args:
            folder: the spool folder.
            drive: the drive's id.
        """
        self.drive = drive
        self.cursor = ""
        self.root = ""
        self._settled = False
        with _spooling():
            make_directory(folder)
            handle, name = tempfile.mkstemp(dir=folder)
            os.close(handle)
            try:
                self._base = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
                for setting in _SETTINGS:
                    self._base.execute(setting)
                self._base.execute(_TABLE)
            finally:
                Path(name).unlink()

    def put(self, entries: Iterable[DriveEntry]) -> None:
        """Store entries; the latest state of an item counts."""
        rows = (
            (
                entry.id,
                entry.parent,
                int(entry.sort),
                entry.name,
                entry.version,
                entry.size,
                None if entry.modified is None else entry.modified.timestamp(),
                int(entry.shared),
            )
            for entry in entries
        )
        with _spooling():
            self._base.execute("begin")
            self._base.executemany("insert or replace into entry values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._base.execute("commit")

    def settle(self) -> None:
        """Build the index: after everything was put, and before folders are read. Idempotent."""
        if not self._settled:
            with _spooling():
                self._base.execute(_INDEX)
            self._settled = True

    def get(self, id_: str) -> DriveEntry | None:
        """Return an entry, or None."""
        with _spooling():
            row = self._base.execute("select * from entry where id = ?", (id_,)).fetchone()
        return None if row is None else _entry(row)

    def is_folder(self, id_: str) -> bool:
        """Return True if the id is a folder's."""
        entry = self.get(id_)
        return entry is not None and entry.sort is Sort.FOLDER

    def folders(self, parent: str) -> list[DriveEntry]:
        """Return the folders in a folder, by name."""
        query = "select * from entry where parent = ? and kind = ? order by name, id"
        with _spooling():
            rows = self._base.execute(query, (parent, int(Sort.FOLDER))).fetchall()
        return [_entry(row) for row in rows]

    def page(self, parent: str, after: str, most: int, *, gone: bool) -> list[DriveEntry]:
        """Return the next items in a folder, by id.

        Args:
            parent: the folder's id.
            after: the last id of the page before; "" for the first page.
            most: the most items.
            gone: True to include items that are no longer in it.
        """
        kinds = (int(Sort.ITEM), int(Sort.GONE if gone else Sort.ITEM))
        query = "select * from entry where parent = ? and kind in (?, ?) and id > ? order by id limit ?"
        with _spooling():
            rows = self._base.execute(query, (parent, *kinds, after, most)).fetchall()
        return [_entry(row) for row in rows]

    def shared(self, parent: str) -> list[str]:
        """Return the ids of the shared items in a folder."""
        query = "select id from entry where parent = ? and kind = ? and shared order by id"
        with _spooling():
            return [id_ for (id_,) in self._base.execute(query, (parent, int(Sort.ITEM))).fetchall()]

    def totals(self, parent: str) -> tuple[int, int]:
        """Return the number of items in a folder, and their bytes."""
        query = "select count(*), coalesce(sum(size), 0) from entry where parent = ? and kind = ?"
        with _spooling():
            count, size = self._base.execute(query, (parent, int(Sort.ITEM))).fetchone()
        return count, size

    def orphans(self) -> list[str]:
        """Return the ids of folders that have content and were never listed."""
        query = (
            "select distinct parent from entry where kind != ? and id != ?"
            " and parent not in (select id from entry)"
        )
        with _spooling():
            rows = self._base.execute(query, (int(Sort.GONE), self.root)).fetchall()
        return [id_ for (id_,) in rows]

    def adopt(self, parent: str) -> None:
        """Move the content of an unknown folder to the root."""
        with _spooling():
            self._base.execute(
                "update entry set parent = ? where parent = ? and id != ?", (self.root, parent, self.root)
            )

    def astray(self) -> list[DriveEntry]:
        """Return folders that cannot be reached from the root, because they lie in themselves.

        Call it after settle().
        """
        query = (
            "with recursive reached (id) as (select ? union"
            " select entry.id from reached join entry on entry.parent = reached.id and entry.kind = ?)"
            " select * from entry where kind = ? and id not in (select id from reached) order by name, id"
        )
        folder = int(Sort.FOLDER)
        with _spooling():
            rows = self._base.execute(query, (self.root, folder, folder)).fetchall()
        return [_entry(row) for row in rows]

    def above(self, id_: str) -> Iterator[DriveEntry]:
        """Yield the folders above an item, the nearest first, each once."""
        seen = {id_}
        current = self.get(id_)
        while current is not None and current.parent not in seen:
            seen.add(current.parent)
            current = self.get(current.parent)
            if current is not None:
                yield current

    def file_away(self, whole: Round) -> None:
        """Assign the entries of a round of changes to folders that are served.

        An item that is gone, and was in no folder that still exists, is reported in the root; likewise an
        item that moved into a package. Content of a folder that `whole` does not know yet waits: that folder
        will be listed as a whole.

        Args:
            whole: the complete listing of the drive.
        """
        query = "select distinct parent from entry where kind != ?"
        with _spooling():
            parents = [id_ for (id_,) in self._base.execute(query, (int(Sort.FOLDER),)).fetchall()]
        for parent in parents:
            folder = whole.get(parent)
            if folder is not None and folder.sort is Sort.FOLDER:
                continue
            sorts = (Sort.GONE, Sort.ITEM if folder is not None and folder.sort is Sort.ITEM else Sort.GONE)
            with _spooling():
                self._base.execute(
                    "update entry set parent = ?, kind = ? where parent = ? and kind in (?, ?)",
                    (whole.root, int(Sort.GONE), parent, *map(int, sorts)),
                )


def walk(round_: Round) -> Iterator[tuple[DriveEntry, tuple[str, ...]]]:
    """Yield every folder with the names from the root's down; the root's name is "".

    Parents come before children, each folder once.
    """
    root = round_.get(round_.root)
    if root is None:
        return
    seen = {root.id}
    todo: list[tuple[DriveEntry, tuple[str, ...]]] = [(root, ("",))]
    while todo:
        entry, path = todo.pop()
        yield entry, path
        below = [child for child in round_.folders(entry.id) if child.id not in seen]
        seen.update(child.id for child in below)
        todo += [(child, (*path, child.name)) for child in reversed(below)]


def _entry(row: tuple[str, str, int, str, str, int, float | None, int]) -> DriveEntry:
    id_, parent, kind, name, version, size, modified, shared = row
    date = None if modified is None else datetime.fromtimestamp(modified, UTC)
    return DriveEntry(id_, parent, Sort(kind), name, version, size, date, bool(shared))


@contextmanager
def _spooling() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise Blocked("spool-full", "make room in the spool directory") from None
        raise _unusable(error) from None
    except OSError as error:
        raise _unusable(error) from None


def _unusable(error: Exception) -> Blocked:
    return Blocked("spool-unusable", f"the spool directory cannot be used ({type(error).__name__})")
