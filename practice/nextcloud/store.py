"""Store the files of a practice Nextcloud, as 32.0.1 was measured, in a folder that goes with it.

Modification dates, sizes and inodes are those of the disk, and so is the ETag made of them: it says nothing
of the bytes, and a folder's date changes when a child comes. Names become NFC. A checksum sent with a PUT is
stored as it came and never checked; overwriting makes a version unless the date stays the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import BinaryIO

from practice.nextcloud.versions import NAME_BYTES, History

EARLIEST = 86_400
FORBIDDEN = frozenset({".htaccess"})
ENDINGS = (".part", ".filepart")
WINDOWS_STEMS = frozenset(
    {"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(10))}
)
WINDOWS_CHARACTERS = '<>:"|?*'
BLOCK = 1 << 20

Names = tuple[str, ...]
_IDS = count(1)


class Refusal(Exception):
    """End a request with a status."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Shelf:
    """Store one user's files and unfinished uploads.

    Attributes:
        quota: bytes; None for no limit.
        windows: True if names are those that Windows takes.
        history: what files were before.
        movers: are called at each move.
        mounted: names in the root that are group folders.
        lent: names in the root that somebody shares.
        ids: of what was asked for, for its life.
    """

    folder: Path
    quota: int | None = None
    windows: bool = False
    checksums: dict[Names, str] = field(default_factory=dict)
    used: int = 0
    mounted: set[str] = field(default_factory=set)
    lent: set[str] = field(default_factory=set)
    movers: list[Callable[[Names, Names], None]] = field(default_factory=list)
    ids: dict[Names, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("files", "uploads"):
            (self.folder / name).mkdir(parents=True)
        self.history = History(self.folder / "versions", self.id)

    def real(self, names: Names) -> Path:
        """Return where a file lies on this disk."""
        return (self.folder / "files").joinpath(*names)

    def upload(self, name: str) -> Path:
        """Return where the chunks of an upload lie on this disk."""
        return self.folder / "uploads" / name

    def check(self, names: Names) -> None:
        """Refuse names that are not allowed.

        Raises:
            Refusal: 400.
        """
        for name in names:
            if not self._allows(name):
                raise Refusal(400, "name not allowed")

    def must_have_parent(self, names: Names, status: int) -> None:
        """Refuse a path whose parent is missing.

        Raises:
            Refusal: with this status.
        """
        if not self.real(names[:-1]).is_dir():
            raise Refusal(status, "parent missing")

    def must_have_room(self, size: int) -> None:
        """Refuse so many bytes more than the quota allows.

        Raises:
            Refusal: 507.
        """
        if self.quota is not None and self.used + size > self.quota:
            raise Refusal(507, f"{size} B required, {max(0, self.quota - self.used)} B available")

    def put(self, names: Names, data: bytes, mtime: str | None, checksum: str | None = None) -> bool:
        """Write a file, and return whether it is new.

        Raises:
            Refusal: 500 for a date that is not allowed; the file is written.
        """
        before = self._keep_version(names, mtime)
        path = self.real(names)
        partial = path.with_name(
            f"{hashlib.md5(path.name.encode(), usedforsecurity=False).hexdigest()}.ocTransfer.part"
        )
        partial.write_bytes(data)
        partial.replace(path)
        self._arrived(names, len(data), before, checksum)
        self.touch(names, mtime)
        return before is None

    def put_together(self, names: Names, parts: list[Path], mtime: str | None) -> bool:
        """Write a file from the chunks of an upload, and return whether it is new."""
        before = self._keep_version(names, mtime)
        path = self.real(names)
        with parts[0].open("r+b") as whole:
            whole.seek(0, os.SEEK_END)
            for part in parts[1:]:
                _append(whole, part)
            whole.truncate()
        parts[0].replace(path)
        self._arrived(names, path.stat().st_size, before, None)
        self.touch(names, mtime)
        return before is None

    def touch(self, names: Names, mtime: str | None) -> None:
        """Set a file's date."""
        if mtime is None:
            return
        if not mtime.lstrip("-").isdigit() or int(mtime) <= EARLIEST:
            raise Refusal(500, "invalid mtime")
        os.utime(self.real(names), (int(mtime), int(mtime)))

    def id(self, names: Names) -> int:
        """Return an id, which stays when its file or folder is moved. What is made again gets another."""
        return self.ids.setdefault(names, next(_IDS))

    def remove(self, names: Names) -> None:
        """Remove a file or folder."""
        path = self.real(names)
        self.ids = {one: id_ for one, id_ in self.ids.items() if one[: len(names)] != names}
        if path.is_dir():
            self.used -= sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
            shutil.rmtree(path)
            return
        self.used -= path.stat().st_size
        path.unlink()
        self.checksums.pop(names, None)

    def move(self, names: Names, to: Names) -> bool:
        """Move a file or folder, and return whether there was nothing of the name before."""
        new = not self.real(to).exists()
        if not new:
            self.remove(to)
        self.real(names).rename(self.real(to))
        length = len(names)
        self.ids = {
            (*to, *one[length:]) if one[:length] == names else one: id_ for one, id_ in self.ids.items()
        }
        self.history.moved(to)
        if names in self.checksums:
            self.checksums[to] = self.checksums.pop(names)
        for mover in self.movers:
            mover(names, to)
        return new

    def etag(self, path: Path) -> str:
        """Return the ETag: made of date, size and inode."""
        known = path.stat()
        text = f"{known.st_mtime_ns}{known.st_ino}{known.st_dev}{known.st_size}"
        return f'"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"'

    # -- internals

    def _allows(self, name: str) -> bool:
        low = name.lower()
        plain = (
            name.strip() not in {"", ".", ".."}
            and len(name.encode()) <= NAME_BYTES
            and low not in FORBIDDEN
            and not low.endswith(ENDINGS)
            and not any(char in "\\/" or ord(char) < 32 or ord(char) == 127 for char in name)
        )
        if not self.windows:
            return plain
        stem = low[:at] if (at := low.find(".", 1)) > 0 else low
        return (
            plain
            and stem not in WINDOWS_STEMS
            and not set(name) & set(WINDOWS_CHARACTERS)
            and not low.endswith((" ", "."))
        )

    def _keep_version(self, names: Names, mtime: str | None) -> int | None:
        """Return the size of what is overwritten, after it became a version."""
        path = self.real(names)
        if path.is_dir():
            raise Refusal(409, "a folder has the name")
        if not path.exists():
            return None
        self.history.keep(names, path, mtime)
        return path.stat().st_size

    def _arrived(self, names: Names, size: int, before: int | None, checksum: str | None) -> None:
        self.used += size - (before or 0)
        self.checksums.pop(names, None)
        if checksum is not None:
            self.checksums[names] = checksum
        os.utime(self.real(names), (time.time(), time.time()))


def write_sparse(path: Path, data: bytes) -> None:
    """Write bytes; zeros take no room on the disk if there is nothing else."""
    with path.open("wb") as stream:
        if data.count(0) == len(data):
            stream.truncate(len(data))
        else:
            stream.write(data)


def _append(whole: BinaryIO, part: Path) -> None:
    known = part.stat()
    if known.st_blocks:
        with part.open("rb") as one:
            shutil.copyfileobj(one, whole, BLOCK)
    else:
        whole.seek(known.st_size, os.SEEK_CUR)


def composed(path: str) -> Names:
    """Return the names of a path, as the server stores them."""
    return tuple(unicodedata.normalize("NFC", name) for name in path.split("/") if name)


def hashed(path: Path, how: str) -> str:
    """Return the hash of what is stored, read now."""
    digest = hashlib.new(how)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
