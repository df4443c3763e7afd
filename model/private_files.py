"""Make files and directories that only their owner can read, whatever the process's umask is."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import Blocked

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errno values that mean that there is no more room."""


@contextmanager
def using_state() -> Iterator[None]:
    """Translate errors of the operating system about the state directory.

    They are never Transient: waiting does not help, because a person must make room or repair the directory.

    Raises:
        Blocked: "state-full" if there is no more room, "state-unusable" for every other OSError. The detail
            is the name of the errno.
    """
    try:
        yield
    except OSError as error:
        detail = errno.errorcode.get(error.errno or 0, "")
        if error.errno in FULL:
            raise Blocked("state-full", "make room in the state directory").about(detail) from None
        raise Blocked("state-unusable", "the state directory cannot be used").about(detail) from None


def make_directory(path: Path) -> Path:
    """Make a directory with mode 0700, and each of its missing parents. Idempotent.

    A directory that exists keeps its mode.

    Returns:
        The same path.

    Raises:
        OSError: the directory cannot be made, or the path is no directory.
    """
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)
    if not path.is_dir():
        raise NotADirectoryError(path)
    return path


def open_private(path: str, flags: int) -> int:
    """Open a file for `open` (its `opener`) and give it mode 0600, also if it had another mode before.

    Args:
        path: the file.
        flags: as of os.open.

    Returns:
        The file descriptor, which the caller closes.

    Raises:
        OSError: the file cannot be opened.
    """
    fd = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        os.fchmod(fd, 0o600)
    return fd
