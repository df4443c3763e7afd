"""Bodies on their way: what is read is held or spooled by its size; what is sent stops with the lease."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, cast

from connectors.spool import SpoolFile, bytes_body
from model.errors import Rejected, Transient
from model.protocols import Body, Guard, Item

WHOLE = 1 << 18  # bytes that are sent in one piece
MOST = 256_000_000  # bytes of one object that is read


class BodySink:
    """Takes a body piece by piece."""

    def __init__(self, folder: Path, above: int) -> None:
        self._folder = folder
        self._above = above
        self._parts: list[bytes] = []
        self._file: SpoolFile | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Raises Rejected("too-large-to-read"), and Blocked when it cannot be spooled."""
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
        if self._file is not None:
            return self._file.open
        return bytes_body(b"".join(self._parts))


class GuardedBody(io.RawIOBase):
    """A large body as it is sent. Before its last bytes the guard is asked again: without them no server
    takes the object."""

    def __init__(self, stream: BinaryIO, size: int, guard: Guard) -> None:
        super().__init__()
        self._stream = stream
        self._left = size
        self._guard = guard

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Raises LeaseLost, and Transient("body-changed") when the body is shorter than it said."""
        if not self._left:
            return b""
        wanted = min(self._left, size if size > 0 else self._left)
        if wanted == self._left:
            self._guard()
        data = self._stream.read(wanted)
        if not data:
            raise Transient("body-changed", "an item's body is shorter than its size")
        self._left -= len(data)
        return data


def payload(item: Item, stream: BinaryIO, guard: Guard) -> bytes | BinaryIO:
    """What to send of an open body; the length of a file is item.size."""
    if item.size <= WHOLE:
        return stream.read()
    return cast(BinaryIO, GuardedBody(stream, item.size, guard))
