"""Keep what servers said when something failed: a private file for each mailbox in the state directory.

It helps a person to find a cause that a code does not name, and it may name people, folders and subjects. So
it lies in `words/` below the state directory, only its owner can read it, it is short, and old lines are
dropped. Only `kogge failures --server-words` reads it (kogge.run.server_words).
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from model.errors import MigrationError
from model.kinds import Kind
from model.printable import printable
from model.private_files import make_directory
from model.server_words import ServerWords

FOLDER = "words"
LONGEST = 300
"""The most characters of a sentence."""
LINES_MOST = 50
"""How many lines of one mailbox are kept: the newest."""
KEPT = timedelta(days=30)
_FILE_MOST = 1 << 20
"""Bytes that are read of a file; LINES_MOST lines, all escaped, are fewer."""
_MAILBOX = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class FailureLine:
    """Hold one failure.

    Attributes:
        time: when it happened, in UTC, ISO 8601.
        workload: the workload.
        code: the code of the error.
        item: the key of the item in hexadecimal, as `kogge failures` shows it; "" if it is about no item.
        words: what the server said.
    """

    time: str
    workload: str
    code: str
    item: str
    words: str


FailureWords = tuple[bytes | None, str, ServerWords]
"""The key of an item, or None; the code with which it failed; and what the server said."""


def failure_words(key: bytes | None, error: MigrationError) -> FailureWords:
    """Return what is kept of an error.

    The error itself would keep alive everything that was at hand where it was raised.
    """
    return key, error.code, error.words


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Words:
    """Keep the files of one state directory.

    Args:
        state_directory: where they lie; None keeps nothing.
        now: the clock, in UTC.
    """

    def __init__(self, state_directory: Path | None, now: Callable[[], datetime] = _utc_now) -> None:
        self._folder = None if state_directory is None else state_directory / FOLDER
        self._now = now

    def keep(self, mailbox: str, workload: Kind, failures: Iterable[FailureWords]) -> None:
        """Add what servers said of these failures, without those of which no server said anything.

        Never raises: a pass does not end because this cannot be written.

        Args:
            mailbox: the id of the mailbox.
            workload: the workload.
            failures: see told.
        """
        if self._folder is None or not _MAILBOX.fullmatch(mailbox):
            return
        stamp = self._now().isoformat(timespec="seconds")
        new = [
            FailureLine(stamp, str(workload), code, "" if key is None else key.hex(), _printable(words))
            for key, code, words in failures
            if words
        ]
        if new:
            with _LOCK, suppress(OSError):
                self._add(self._folder, mailbox, new)

    def of(self, mailbox: str) -> list[FailureLine]:
        """Return the lines of a mailbox of the last 30 days, oldest first.

        [] if there is no readable file.
        """
        if self._folder is None or not _MAILBOX.fullmatch(mailbox):
            return []
        try:
            with _open_folder(self._folder) as folder:
                return self._read(folder, mailbox)
        except OSError:
            return []

    def erase(self, mailbox: str) -> None:
        """Remove a mailbox's file. Idempotent.

        Raises:
            OSError: if it exists and cannot be removed.
        """
        if self._folder is None or not _MAILBOX.fullmatch(mailbox):
            return
        with suppress(FileNotFoundError), _open_folder(self._folder) as folder:
            for name in (_name(mailbox), _unfinished(mailbox)):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)

    def _add(self, path: Path, mailbox: str, new: list[FailureLine]) -> None:
        make_directory(path)
        with _open_folder(path) as folder:
            os.fchmod(folder, 0o700)
            repeated = {_identity(line) for line in new}
            old = [line for line in self._read(folder, mailbox) if _identity(line) not in repeated]
            _write(folder, mailbox, (old + new)[-LINES_MOST:])

    def _read(self, folder: int, mailbox: str) -> list[FailureLine]:
        since = (self._now() - KEPT).isoformat(timespec="seconds")
        try:
            file = os.open(_name(mailbox), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except FileNotFoundError:
            return []
        with os.fdopen(file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return []
            text = stream.read(_FILE_MOST).decode("utf-8", "replace")
        lines = [line for entry in text.split("\n") if (line := _line(entry)) is not None]
        return [line for line in lines if line.time >= since][-LINES_MOST:]


@contextmanager
def _open_folder(path: Path) -> Iterator[int]:
    """Open the directory itself, never what a link in its place leads to. Raise OSError."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield folder
    finally:
        os.close(folder)


def _name(mailbox: str) -> str:
    return f"{mailbox}.jsonl"


def _unfinished(mailbox: str) -> str:
    return f".{mailbox}.new"


def _write(folder: int, mailbox: str, lines: list[FailureLine]) -> None:
    """Write a whole new file beside the old one, then replace it.

    A killed process leaves the old one or the new one.
    """
    name = _unfinished(mailbox)
    with suppress(FileNotFoundError):  # a killed process left it
        os.unlink(name, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    file = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(file, "w", encoding="ascii") as stream:
            os.fchmod(file, 0o600)
            stream.writelines(f"{json.dumps(asdict(line))}\n" for line in lines)
        os.replace(name, _name(mailbox), src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _line(text: str) -> FailureLine | None:
    """Return the parsed line; None for a line that was cut, or that another program wrote."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    names = ("time", "workload", "code", "item", "words")
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), str) for name in names):
        return None
    return FailureLine(*(printable(fields[name], lines=False)[:LONGEST] for name in names))


def _printable(words: ServerWords) -> str:
    return printable(words.spoken(), lines=False)[:LONGEST]


def _identity(line: FailureLine) -> tuple[str, str, str, str]:
    """Return what identifies a failure: one that happens again takes the place of the former one."""
    return line.workload, line.code, line.item, line.words
