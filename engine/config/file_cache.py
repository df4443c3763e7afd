"""Cache parsed files; read again when inode, size or time changes.

A wave asks the directory export for each of its mailboxes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Stamp = tuple[int, ...]


class FileCache(Generic[T]):
    """Call `read`, and remember its result for the newest content of each path.

    Errors are not remembered. Thread-safe: while one thread reads, the others wait.
    """

    def __init__(self, read: Callable[[Path], T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[Stamp, T]] = {}

    def __call__(self, path: Path) -> T:
        """Return the parsed content of a file.

        Args:
            path: the file.
        """
        with self._lock:
            stamp_before = stamp(path)
            cached = self._known.get(path)
            if cached is not None and stamp_before is not None and cached[0] == stamp_before:
                return cached[1]
            content = self._read(path)
            if stamp_before is not None and stamp(path) == stamp_before:
                self._known[path] = (stamp_before, content)
            return content


def stamp(path: Path) -> Stamp | None:
    """Return what distinguishes two contents of a path; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
