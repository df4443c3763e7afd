"""Hold or spool bodies that are read, and guard bodies that are sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, cast

from connectors.spool import SpoolFile, bytes_body
from model.errors import Rejected, Transient
from model.protocols import Body, Guard, Item

WHOLE = 1 << 18  # bytes that are sent in one piece
MOST = 256_000_000  # bytes of one object that is read


class PieceSink:
    """Take a body piece by piece: small ones stay in memory, large ones go to a spool file."""

    def __init__(self, folder: Path, above: int) -> None:
        """Prepare an empty sink.

        Args:
            folder: the folder for the spool file.
            above: bytes; larger bodies go to the spool file.
        """
        self._folder = folder
        self._above = above
        self._parts: list[bytes] = []
        self._file: SpoolFile | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            Rejected: "too-large-to-read" for more than MOST bytes.
            Blocked: the body cannot be spooled.
        """
        self.size += len(data)
        if self.size > MOST:
            raise Rejected("too-large-to-read", "larger than anything that was written")
        if self._file is None:
            self._parts.append(data)
            if self.size <= self._above:
                return
            self._file = SpoolFile(self._folder)
            data = b"".join(self._parts)
            self._parts.clear()
        self._file.write(data)

    def body(self) -> Body:
        """Return the body."""
        if self._file is not None:
            return self._file.open
        return bytes_body(b"".join(self._parts))


def before_last(left: int, most: int) -> int:
    """Return how many bytes to send next, so that few are left to send once the guard was asked.

    Args:
        left: bytes that are not sent yet.
        most: the most bytes at a time.
    """
    return min(left, most) if left <= WHOLE else min(left - WHOLE, most)


class GuardedBody(io.RawIOBase):
    """Send a large body and call the guard before its last bytes.

    Without its last bytes no server takes the object.
    """

    def __init__(self, stream: BinaryIO, size: int, guard: Guard) -> None:
        """Wrap a stream.

        Args:
            stream: the body.
            size: the bytes to send.
            guard: the write fence.
        """
        super().__init__()
        self._stream = stream
        self._left = size
        self._guard = guard

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; b"" at the end.

        Args:
            size: the most bytes; -1 for all.

        Raises:
            LeaseLost: the guard refuses.
            Transient: "body-changed" when the body is shorter than its size.
        """
        if not self._left:
            return b""
        count = before_last(self._left, size if size > 0 else self._left)
        if count == self._left:
            self._guard()
        data = self._stream.read(count)
        if not data:
            raise Transient("body-changed", "an item's body is shorter than its size")
        self._left -= len(data)
        return data


def payload(item: Item, stream: BinaryIO, guard: Guard) -> bytes | BinaryIO:
    """Return what to send of an open body: bytes for a small one, a guarded stream for a large one.

    Args:
        item: the item; its size is the length of the body.
        stream: the open body.
        guard: the write fence.
    """
    if item.size <= WHOLE:
        return stream.read()
    return cast(BinaryIO, GuardedBody(stream, item.size, guard))
