"""What is read from a file is kept, and read again when the file is another one: a wave asks the directory
export for each of its mailboxes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Stamp = tuple[int, ...]


class FileCache(Generic[T]):
    """read, remembered for the newest content of each path. Errors are not kept. Thread-safe: while one
    thread reads, the others wait."""

    def __init__(self, read: Callable[[Path], T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[Stamp, T]] = {}

    def __call__(self, path: Path) -> T:
        with self._lock:
            before = stamp(path)
            known = self._known.get(path)
            if known is not None and before is not None and known[0] == before:
                return known[1]
            found = self._read(path)
            if before is not None and stamp(path) == before:
                self._known[path] = (before, found)
            return found


def stamp(path: Path) -> Stamp | None:
    """What tells two contents of a path apart; None when there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
