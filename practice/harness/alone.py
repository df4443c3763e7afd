"""One process at a time in a directory."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"
"""The name of what is locked; it stays."""


@contextmanager
def only_one(directory: Path, what: str, mode: int) -> Iterator[None]:
    """Makes the directory with this mode where there is none. Raises SystemExit where another is at work."""
    directory.mkdir(parents=True, exist_ok=True, mode=mode)
    with (directory / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another {what} is running in this directory") from None
        yield
