"""Admit one process at a time to a directory."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"
"""The name of what is locked; it stays."""


@contextmanager
def only_one(directory: Path, what: str, mode: int) -> Iterator[None]:
    """Hold a directory for this process, until the context ends.

    Args:
        directory: is made if it does not exist.
        what: names the work, for people.
        mode: of a new directory.

    Raises:
        SystemExit: another process is at work there.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=mode)
    with (directory / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another {what} is running in this directory") from None
        yield
