"""Leave a note when a fatal signal of its own ends a worker process (a segmentation fault, an abort).

The note is a file in the state directory that names the process. Python's faulthandler fills it when the
process crashes: with names of functions and lines of our code, no data. A SIGKILL leaves the file empty, and
a regular end removes it.

Source:
    https://docs.python.org/3/library/faulthandler.html
"""

from __future__ import annotations

import faulthandler
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.control import lease
from model.private_files import make_directory, using_state

FOLDER = "crashes"
KEPT_SECONDS = 30 * 86400.0
_folders: list[Path] = []
"""Where this process looks for the notes of others."""


@contextmanager
def noting_crashes(state_directory: Path) -> Iterator[None]:
    """Note a crash of this process in the state directory, while the context lasts.

    Raises:
        Blocked: `state-full` or `state-unusable`.
    """
    folder = state_directory / FOLDER
    path = folder / _name(lease.process_name())
    with using_state():
        make_directory(folder)
        _clear(folder)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    _folders.append(folder)
    enabled_before = faulthandler.is_enabled()
    faulthandler.enable(file=file, all_threads=False)
    try:
        yield
    finally:
        faulthandler.disable()
        os.close(file)
        if enabled_before and sys.__stderr__ is not None:
            with suppress(OSError, ValueError):  # the terminal may be gone
                faulthandler.enable(file=sys.__stderr__)
        _folders.remove(folder)
        path.unlink(missing_ok=True)


def has_note(owner: str) -> bool:
    """Return True if the process of this owner left a note that it crashed.

    Args:
        owner: see engine.control.lease.new_owner.
    """
    name = _name(lease.process_of(owner))
    for folder in _folders:
        with suppress(OSError):
            if (folder / name).stat().st_size > 0:
                return True
    return False


def _name(process: str) -> str:
    return hashlib.sha256(process.encode()).hexdigest()[:32]


def _clear(folder: Path) -> None:
    """Remove old notes, and nothing else: the legs of those processes were settled long ago."""
    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
