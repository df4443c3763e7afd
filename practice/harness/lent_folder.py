"""Lend a temporary folder that does not stay for good, however its process ends.

Each folder has a lock that its process holds. The kernel lets go of the lock when the process dies, also by
SIGKILL. Whoever makes the next folder with the same prefix removes the folders whose lock no process holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

LOCK = ".held-by-its-process"
"""The name of the lock. A folder without one is left alone."""


class LentFolder:
    """Hold a new folder in the folder for temporary files; only this user may look into it.

    Attributes:
        path: where it is.
    """

    def __init__(self, prefix: str) -> None:
        """Make the folder, after removing those of processes that have died.

        Args:
            prefix: the beginning of its name. It must belong to one kind of folder of ours.
        """
        remove_abandoned(prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._end = weakref.finalize(self, _remove, self.path, _hold(self.path), os.getpid())

    def close(self) -> None:
        """Remove the folder; safe more than once."""
        self._end()


def remove_abandoned(prefix: str) -> None:
    """Remove the folders with this prefix that this user's processes left behind when they died.

    Args:
        prefix: the beginning of their names.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if not _is_own_folder(path):
            continue
        with suppress(OSError):  # no lock, somebody else's, or gone meanwhile
            descriptor = os.open(path / LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _is_own_folder(path: Path) -> bool:
    """Return True for a folder of this user's; a link to one is none."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _hold(path: Path) -> int:
    """Make the lock and return its descriptor. Under its name it is never seen without its holder."""
    descriptor, name = tempfile.mkstemp(dir=path)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    Path(name).rename(path / LOCK)
    return descriptor


def _remove(path: Path, descriptor: int, process: int) -> None:
    """Remove the folder, unless this is a process that was forked of its own."""
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        os.close(descriptor)
