"""What a drive's delta told, on disk: a drive may hold more than memory does, and Graph tells of it as a
whole, in any order, while folders are asked one by one.

The file has no name: it goes with the process, and nobody else can open it.
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
    "pragma journal_mode = off",  # what fails is made anew
    "pragma synchronous = off",
    "pragma locking_mode = exclusive",
    "pragma temp_store = memory",
    "pragma cache_size = -16000",
)


class Sort(IntEnum):
    """ITEM: whatever is no folder: files, and packages that look like folders."""

    FOLDER = 0
    ITEM = 1
    GONE = 2


@dataclass(frozen=True, slots=True)
class DriveEntry:
    """The last word about one item. parent: "" of a root, and where it was not told."""

    id: str
    parent: str
    sort: Sort
    name: str = ""
    version: str = ""
    size: int = 0
    modified: datetime | None = None
    shared: bool = False


class Round:
    """One run of a drive's delta. cursor: of what comes after it. One thread at a time.

    Every method may raise Blocked: "spool-full", "spool-unusable"."""

    def __init__(self, folder: Path, drive: str) -> None:
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
        """The last word about an item counts."""
        rows = (
            (
                one.id,
                one.parent,
                int(one.sort),
                one.name,
                one.version,
                one.size,
                None if one.modified is None else one.modified.timestamp(),
                int(one.shared),
            )
            for one in entries
        )
        with _spooling():
            self._base.execute("begin")
            self._base.executemany("insert or replace into entry values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._base.execute("commit")

    def settle(self) -> None:
        """After everything was put, and before anything is asked by its folder."""
        if not self._settled:
            with _spooling():
                self._base.execute(_INDEX)
            self._settled = True

    def get(self, id_: str) -> DriveEntry | None:
        with _spooling():
            row = self._base.execute("select * from entry where id = ?", (id_,)).fetchone()
        return None if row is None else _entry(row)

    def is_folder(self, id_: str) -> bool:
        found = self.get(id_)
        return found is not None and found.sort is Sort.FOLDER

    def folders(self, parent: str) -> list[DriveEntry]:
        """Those in a folder, by name."""
        query = "select * from entry where parent = ? and kind = ? order by name, id"
        with _spooling():
            rows = self._base.execute(query, (parent, int(Sort.FOLDER))).fetchall()
        return [_entry(row) for row in rows]

    def page(self, parent: str, after: str, most: int, *, gone: bool) -> list[DriveEntry]:
        """The next items in a folder, by id. gone: also what is no longer in it."""
        kinds = (int(Sort.ITEM), int(Sort.GONE if gone else Sort.ITEM))
        query = "select * from entry where parent = ? and kind in (?, ?) and id > ? order by id limit ?"
        with _spooling():
            rows = self._base.execute(query, (parent, *kinds, after, most)).fetchall()
        return [_entry(row) for row in rows]

    def shared(self, parent: str) -> list[str]:
        """The ids of the items in a folder that are shared."""
        query = "select id from entry where parent = ? and kind = ? and shared order by id"
        with _spooling():
            return [id_ for (id_,) in self._base.execute(query, (parent, int(Sort.ITEM))).fetchall()]

    def totals(self, parent: str) -> tuple[int, int]:
        """How many items are in a folder, and their bytes."""
        query = "select count(*), coalesce(sum(size), 0) from entry where parent = ? and kind = ?"
        with _spooling():
            count, size = self._base.execute(query, (parent, int(Sort.ITEM))).fetchone()
        return count, size

    def orphans(self) -> list[str]:
        """The ids of folders that something is in and that were never told."""
        query = (
            "select distinct parent from entry where kind != ? and id != ?"
            " and parent not in (select id from entry)"
        )
        with _spooling():
            rows = self._base.execute(query, (int(Sort.GONE), self.root)).fetchall()
        return [id_ for (id_,) in rows]

    def adopt(self, parent: str) -> None:
        """What was in a folder that nobody knows is in the root."""
        with _spooling():
            self._base.execute(
                "update entry set parent = ? where parent = ? and id != ?", (self.root, parent, self.root)
            )

    def astray(self) -> list[DriveEntry]:
        """Folders to which no way leads from the root: they lie in themselves. After settle()."""
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
        """The folders above an item, the nearest first, each once."""
        seen = {id_}
        here = self.get(id_)
        while here is not None and here.parent not in seen:
            seen.add(here.parent)
            here = self.get(here.parent)
            if here is not None:
                yield here

    def file_away(self, whole: Round) -> None:
        """Of a round of changes: what is gone, and was in no folder that is still there, is told in the root,
        and so is what went into a package. What is in a folder that whole does not know yet waits: that
        folder will be listed as a whole."""
        query = "select distinct parent from entry where kind != ?"
        with _spooling():
            parents = [id_ for (id_,) in self._base.execute(query, (int(Sort.FOLDER),)).fetchall()]
        for parent in parents:
            known = whole.get(parent)
            if known is not None and known.sort is Sort.FOLDER:
                continue
            taken = (Sort.GONE, Sort.ITEM if known is not None and known.sort is Sort.ITEM else Sort.GONE)
            with _spooling():
                self._base.execute(
                    "update entry set parent = ?, kind = ? where parent = ? and kind in (?, ?)",
                    (whole.root, int(Sort.GONE), parent, *map(int, taken)),
                )


def walk(round_: Round) -> Iterator[tuple[DriveEntry, tuple[str, ...]]]:
    """Every folder with the names from the root's down, which is "" itself; parents before children, each
    once."""
    root = round_.get(round_.root)
    if root is None:
        return
    seen = {root.id}
    todo: list[tuple[DriveEntry, tuple[str, ...]]] = [(root, ("",))]
    while todo:
        entry, path = todo.pop()
        yield entry, path
        below = [one for one in round_.folders(entry.id) if one.id not in seen]
        seen.update(one.id for one in below)
        todo += [(one, (*path, one.name)) for one in reversed(below)]


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
