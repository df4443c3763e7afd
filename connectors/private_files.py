"""Makes files and directories that nobody but their owner can read, whatever the process's umask is."""

from __future__ import annotations

import os
import stat
from pathlib import Path


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
