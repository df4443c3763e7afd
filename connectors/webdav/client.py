"""Add to `connectors.http.client` what files need.

Paths are canonical (`connectors.http.hrefs`). A body is sent with its length and never in Transfer-Encoding
chunks: Nextcloud 32 makes an empty file of those and answers 201. Its last bytes are sent only when the whole
body is what the item states and the lease is still held.
"""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from typing import BinaryIO, cast

from connectors.http.client import HttpAnswer
from connectors.http.hrefs import quoted
from connectors.http.upload import WHOLE, before_last
from model.errors import Transient
from model.protocols import Guard, Item

BLOCK = 1 << 18
"""See connectors.http.sockets. Another thread for the hash took 1.1 s of CPU a GB, and was no faster."""
LONGEST_PATH = 16_384  # characters of a path as it is sent
UNKNOWN = frozenset({"connection-cut", "timeout", "reply-too-large", "unreachable", "not-files"})
"""Error codes after which a request may have been carried out."""


def joined(folder: str, name: str) -> str:
    """Return the path of a file in a folder whose path ends with a slash."""
    return folder + quoted(name)


def passing(answer: HttpAnswer) -> HttpAnswer:
    """Return the answer, or raise its error when waiting may change it.

    Apache and WsgiDAV answer 201 with HTML. A status 200 with a page, as the answer to a request that changes
    something, comes from a portal or from maintenance. Nextcloud also calls the answer of its bulk upload
    HTML, although it is JSON.

    Raises:
        Transient: "not-files", and the transient errors of `status_error`.
    """
    page = answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    if answer.status == 200 and page and "html" in answer.headers.get("content-type", "").lower():
        raise Transient("not-files", "something answered that is no file server")
    error = answer.error() if not answer.ok else None
    if isinstance(error, Transient):
        raise error
    return answer


def seconds(date: datetime, oldest: int) -> int:
    """Return a date in seconds since 1970 as a server takes it.

    Args:
        date: an aware datetime.
        oldest: the earliest date that the server takes, in seconds since 1970.
    """
    return max(oldest, int(date.timestamp()))


def moment(stamp: float) -> datetime:
    """Return seconds since 1970 as an aware datetime."""
    return datetime.fromtimestamp(stamp, UTC)


def changed() -> Transient:
    """Return the error for a body that differs from the item's size or digest."""
    return Transient("body-changed", "an item's body is not what its size and digest say")


class Sending(io.RawIOBase):
    """Send a body, or a part of one, and show every byte to a hasher.

    Before the last bytes the hasher decides if they may be sent.
    """

    def __init__(self, stream: BinaryIO, size: int, watch: BodyHasher) -> None:
        """Wrap a stream.

        Args:
            stream: the body.
            size: the bytes to send.
            watch: the hasher of the item.
        """
        super().__init__()
        self._stream = stream
        self._left = size
        self._watch = watch

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; b"" at the end.

        Args:
            size: the most bytes; -1 for a block.

        Raises:
            LeaseLost: the guard refuses.
            Transient: "body-changed".
        """
        if not self._left:
            return b""
        data = self._stream.read(before_last(self._left, size if size > 0 else BLOCK))
        if not data:
            raise changed()
        self._left -= len(data)
        self._watch.see(data)
        if not self._left:
            self._watch.last()
        return data


class BodyHasher:
    """Hash one item's bytes while they are sent, in one request or in several."""

    def __init__(self, item: Item, guard: Guard) -> None:
        self._item = item
        self._guard = guard
        self._hash = hashlib.sha256()
        self.seen = 0

    def see(self, data: bytes) -> None:
        """Hash the next bytes."""
        self._hash.update(data)
        self.seen += len(data)

    def last(self) -> None:
        """Check the digest and the guard before the last bytes of a request.

        Raises:
            LeaseLost: the guard refuses.
            Transient: "body-changed" when the item ends with another digest or size than it should have.
        """
        self._guard()
        if self.seen > self._item.size:
            raise changed()
        if self.seen == self._item.size and self._hash.digest() != self._item.digest:
            raise changed()


def payload(item: Item, stream: BinaryIO, guard: Guard) -> bytes | BinaryIO:
    """Return what to send of an open body: bytes for a small one, a stream for a large one.

    Args:
        item: the item.
        stream: the open body.
        guard: the write fence.

    Raises:
        Transient: "body-changed", for a small body at once.
    """
    watch = BodyHasher(item, guard)
    if item.size > WHOLE:
        return cast(BinaryIO, Sending(stream, item.size, watch))
    data = stream.read(item.size + 1)
    watch.see(data)
    if len(data) != item.size:
        raise changed()
    watch.last()
    return data
