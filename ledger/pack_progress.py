"""How far the writing of a pack is, beside it on the disk: whoever is interrupted goes on where it was.

A folder .wave-NAME.sealing holds the pack as far as it is, and a file that says for what state of the ledger
it is written (the frame), and which mailboxes are finished. In another frame all begins anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Self

from connectors.errors import Misconfigured
from ledger.pack import Written, WrittenMailbox, make_durable, make_folder_durable, writable

PACK, PROGRESS, LOCK = "pack", "progress.jsonl", "lock"


@dataclass(frozen=True, slots=True)
class Frame:
    """What decides about every byte of a pack's payload. state: a fingerprint of what the ledger knows; see
    ledger.seals. program: by which version it is written. sealed: since when, in seconds since 1970 UTC."""

    wave: str
    state: str
    program: str
    sealed: float


class Progress:
    """A context manager that one process at a time enters; another is Misconfigured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pack = folder / PACK
        self._file = folder / PROGRESS

    def __enter__(self) -> Self:
        with writable():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise Misconfigured("--out", "this wave is being sealed there already") from None
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._lock)

    def begin(self, frame: Frame) -> Frame:
        """The frame to write in: the one that was begun, or this one, and then nothing is finished yet."""
        whole = self._whole()
        begun = json.loads(whole[0]) if whole else {}
        if begun == {**asdict(frame), "sealed": begun.get("sealed")} and self._is_there():
            with writable():
                os.truncate(self._file, sum(map(len, whole)))
            return replace(frame, sealed=begun["sealed"])
        with writable():
            self._file.unlink(missing_ok=True)
            make_folder_durable(self.folder)
            if self.pack.exists():
                shutil.rmtree(self.pack)
            self.pack.mkdir()
            self._append(asdict(frame))
            make_folder_durable(self.folder)
        return frame

    def _is_there(self) -> bool:
        """Whether somebody took something of the pack away."""
        sizes = {self.pack / file.name: file.size for one in self.finished() for file in one.files}
        return self.pack.is_dir() and all(
            path.is_file() and path.stat().st_size == size for path, size in sizes.items()
        )

    def finished(self) -> Iterator[WrittenMailbox]:
        """In the order in which they were."""
        for line in self._whole()[1:]:
            told = json.loads(line)
            files = tuple(Written(*file) for file in told["files"])
            yield WrittenMailbox(told["mailbox"], files, tuple(told["roots"]), told["verdicts"])

    def note(self, one: WrittenMailbox) -> None:
        with writable():
            self._append(asdict(one))

    def publish(self, place: Path) -> None:
        """The pack gets its name, if it has not got it yet, and nothing else stays. Raises Misconfigured."""
        with writable():
            if self.pack.exists():
                self.pack.rename(place)
                make_folder_durable(place.parent)
            shutil.rmtree(self.folder)

    def _append(self, told: dict[str, object]) -> None:
        with self._file.open("ab") as file:
            file.write(json.dumps(told, separators=(",", ":")).encode() + b"\n")
            make_durable(file)

    def _whole(self) -> list[bytes]:
        """The lines that were written to their end."""
        try:
            file: BinaryIO = self._file.open("rb")
        except FileNotFoundError:
            return []
        with file:
            lines = file.readlines()
        return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]
