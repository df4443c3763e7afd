"""How far the writing of a pack is, next to it on the disk: a run that was interrupted goes on where it was.

A folder .wave-NAME.sealing holds the pack as far as it is, and a file that says for what state of the ledger
it is written (the frame), and which mailboxes are finished. In another frame, after a week, and before its
beginning (a clock that was ahead), everything begins again: a pack says when it was begun, and its time stamp
has to come soon after. Nothing on the disk is believed: each line of the file has an HMAC over it and all
before it, under a key that only the workers have, and every finished file is hashed again. The first line
that does not fit, or whose files do not, ends what is reused. Once the seal is in the ledger the folder is
named .wave-NAME.sealed, and then the pack gets its place.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from evidence.bag_writer import (
    Written,
    WrittenMailbox,
    is_kept,
    make_durable,
    make_folder_durable,
    writable,
    write_file,
)
from model.errors import Misconfigured

PACK, PROGRESS, LOCK, DRAFT = "pack", "progress.jsonl", "lock", "statement.json"
LABEL = b"kogge progress of a pack"
OLDEST = 7 * 86_400.0
"""In seconds: what was begun longer ago is not gone on with."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold what decides about every byte of a pack's payload.

    Attributes:
        state: a fingerprint of what the ledger knows; see ledger.views.seal_chain.
        program: the version that writes the pack.
        sealed: when the sealing began, in seconds since 1970 UTC.
    """

    wave: str
    state: str
    program: str
    sealed: float


class Progress:
    """Record how far the writing of a pack is, as a context manager.

    One process at a time can enter it; another one gets Misconfigured. Call `begin` first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pack = folder / PACK
        self._file = folder / PROGRESS
        self._finished: list[WrittenMailbox] = []
        self._key = self._mac = b""

    def __enter__(self) -> Self:
        with writable():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            told = self.folder.lstat()
            if self.folder.is_symlink() or told.st_uid != os.geteuid():
                raise Misconfigured("--out", f"{self.folder.name} in it is somebody else's: remove it")
            self.folder.chmod(0o700)
            self._lock = os.open(self.folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise Misconfigured("--out", "this wave is being sealed there already") from None
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._lock)

    def begin(self, frame: Frame, kek: bytes) -> Frame:
        """Return the frame to write in: the one that was begun, or this one with nothing finished yet.

        Args:
            frame: what would be written now.
            kek: the key that wraps the mailboxes' keys.
        """
        self._key, self._mac = hmac.digest(kek, LABEL, "sha256"), b""
        self._finished.clear()
        lines = self._believed()
        begun, size = next(lines, ({}, 0))
        same = begun == {**asdict(frame), "sealed": begun.get("sealed")} and _is_folder(self.pack)
        if not same or not 0 <= frame.sealed - begun["sealed"] <= OLDEST:
            self._anew(frame)
            return frame
        kept = self._mac
        for told, length in lines:
            one = _mailbox(told)
            if not all(is_kept(self.pack, file.name, file.sha256) for file in one.files):
                break
            self._finished.append(one)
            kept, size = self._mac, size + length
        self._mac = kept
        with writable():
            os.truncate(self._file, size)
            self._remove_others()
        return replace(frame, sealed=begun["sealed"])

    def _anew(self, frame: Frame) -> None:
        self._mac = b""
        with writable():
            for file in (self._file, self.folder / DRAFT):
                file.unlink(missing_ok=True)
            make_folder_durable(self.folder)
            if self.pack.is_symlink() or self.pack.is_file():
                self.pack.unlink()
            elif self.pack.exists():
                shutil.rmtree(self.pack)
            self.pack.mkdir()
            self._append(asdict(frame))
            make_folder_durable(self.folder)

    def _remove_others(self) -> None:
        """Remove every file that no line names: half of a mailbox, or a stranger's."""
        known = {self.pack / file.name for one in self._finished for file in one.files}
        for path in sorted(self.pack.rglob("*"), reverse=True):
            if path.is_symlink() or (path.is_file() and path not in known):
                path.unlink()

    def finished(self) -> Iterator[WrittenMailbox]:
        """Yield the finished mailboxes in the order in which they were finished."""
        return iter(tuple(self._finished))

    def note(self, one: WrittenMailbox) -> None:
        """Record that a mailbox is finished."""
        with writable():
            self._append(asdict(one))
        self._finished.append(one)

    def draft(self, statement: bytes) -> None:
        """Store what is about to be signed; it is signed once the seal is in the ledger."""
        write_file(self.folder, DRAFT, statement)
        with writable():
            make_folder_durable(self.folder)

    def drafted(self) -> bytes | None:
        """Return the stored draft; None if there is none, or no pack that it is about."""
        path = self.folder / DRAFT
        return path.read_bytes() if path.is_file() and _is_folder(self.pack) else None

    def discard(self) -> None:
        """Remove everything if nothing is finished yet, because there is nothing to go on with.

        The folder around it is removed, too, if it is empty then.
        """
        if self._finished or (self.folder / DRAFT).exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()

    def publish(self, place: Path) -> None:
        """Give the pack its name. Raise Misconfigured."""
        with writable():
            self.folder.rename(named_when_sealed(self.folder))
        complete(self.folder, place)

    def _append(self, told: dict[str, object]) -> None:
        line = json.dumps(told, separators=(",", ":")).encode()
        mac = self._next(line)
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
        with os.fdopen(os.open(self._file, flags, 0o600), "ab") as file:
            file.write(line + b" " + mac.hex().encode() + b"\n")
            make_durable(file)
        self._mac = mac

    def _next(self, line: bytes) -> bytes:
        return hmac.digest(self._key, self._mac + line, "sha256")

    def _believed(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield (line, length) of the whole lines that this key wrote, up to the first other one."""
        with suppress(OSError), _opened(self._file) as file:
            for whole in file:
                line, _, told = whole.rpartition(b" ")
                mac = self._next(line)
                if not hmac.compare_digest(told, mac.hex().encode() + b"\n"):
                    return
                self._mac = mac
                yield json.loads(line), len(whole)


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _mailbox(told: dict[str, Any]) -> WrittenMailbox:
    files = tuple(Written(*file) for file in told["files"])
    return WrittenMailbox(told["mailbox"], files, tuple(told["roots"]), told["verdicts"])


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def named_when_sealed(folder: Path) -> Path:
    """Return the name of the folder once its pack is sealed."""
    return folder.with_suffix(".sealed")


def complete(folder: Path, place: Path) -> bool:
    """Move the sealed pack to its place, after the folder has its other name.

    A later run does it again if this one dies in between.

    Returns:
        False if there is nothing to do.

    Raises:
        Misconfigured: the place cannot be written.
    """
    sealed = named_when_sealed(folder)
    if not _is_folder(sealed):
        return False
    with writable():
        if (sealed / PACK).exists():
            (sealed / PACK).rename(place)
        make_folder_durable(place.parent)
        shutil.rmtree(sealed)
    return True
