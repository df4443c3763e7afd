"""Makes files and directories that nobody but their owner can read, whatever the process's umask is."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import Blocked

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of errors that say that there is no more room."""


@contextmanager
def using_state() -> Iterator[None]:
    """Translates what the operating system says of the state directory. Raises Blocked("state-full" |
    "state-unusable"): no time to wait would be the right one, for somebody must make room or repair it."""
    try:
        yield
    except OSError as error:
        detail = errno.errorcode.get(error.errno or 0, "")
        if error.errno in FULL:
            raise Blocked("state-full", "make room in the state directory").about(detail) from None
        raise Blocked("state-unusable", "the state directory cannot be used").about(detail) from None


def make_directory(path: Path) -> Path:
    """Makes a directory with mode 0700, and each of its parents that is missing. One that is there stays as
    it is. Raises OSError."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        one.chmod(0o700)
    if not path.is_dir():
        raise NotADirectoryError(path)
    return path


def open_private(path: str, flags: int) -> int:
    """Opens for `open`: the file has mode 0600, though it had another one before. Raises OSError."""
    fd = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        os.fchmod(fd, 0o600)
    return fd
