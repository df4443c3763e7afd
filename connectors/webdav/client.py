"""One conversation with one file server for one account: what files need beside connectors.http.client.

Paths are canonical (connectors.http.hrefs). A body is sent with its length, never in Transfer-Encoding
chunks: Nextcloud 32 makes an empty file of those and answers 201. Its last bytes go out only when the whole
was what the item says it is, and the lease is still ours.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import BinaryIO, cast

from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.hrefs import quoted
from model.errors import Transient
from model.protocols import Guard, Item

WHOLE = 1 << 18  # bytes that are sent in one piece
BLOCK = 1 << 20
LONGEST_PATH = 16_384  # characters of a path as it is sent
UNKNOWN = frozenset({"connection-cut", "timeout", "reply-too-large", "unreachable", "not-files"})
"""Codes after which a request may have been carried out."""


def joined(folder: str, name: str) -> str:
    """The path of a file in a folder, whose path ends with a slash."""
    return folder + quoted(name)


def passing(answer: HttpAnswer) -> HttpAnswer:
    """answer, unless waiting may change it: then its error is raised. Apache and WsgiDAV tell 201 in HTML;
    what answers 200 and a page to a request that changes something is a portal or maintenance. Nextcloud
    calls what its bulk upload tells HTML, too, and it is JSON."""
    page = answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    if answer.status == 200 and page and "html" in answer.headers.get("content-type", "").lower():
        raise Transient("not-files", "something answered that is no file server")
    error = answer.error() if not answer.ok else None
    if isinstance(error, Transient):
        raise error
    return answer


def request_reading(
    client: HttpClient, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> HttpAnswer:
    """For what changes nothing: busy answers and cut connections are waited out."""
    return client.patiently(lambda: passing(client.ask(method, path, headers, body)))


def seconds(date: datetime, oldest: int) -> int:
    """A date as a server takes it: no earlier than oldest."""
    return max(oldest, int(date.timestamp()))


def moment(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def changed() -> Transient:
    return Transient("body-changed", "an item's body is not what its size and digest say")


class Sending(io.RawIOBase):
    """A body, or a part of one, as it is sent. watch sees every byte on the way; before the last ones it is
    asked whether they may go."""

    def __init__(self, stream: BinaryIO, size: int, watch: BodyHasher) -> None:
        super().__init__()
        self._stream = stream
        self._left = size
        self._watch = watch

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Raises LeaseLost, and Transient("body-changed")."""
        if not self._left:
            return b""
        data = self._stream.read(min(self._left, size if size > 0 else BLOCK))
        if not data:
            raise changed()
        self._left -= len(data)
        self._watch.see(data)
        if not self._left:
            self._watch.last()
        return data


class BodyHasher:
    """Hashes what goes by of one item, in one pass or in several."""

    def __init__(self, item: Item, guard: Guard) -> None:
        self._item = item
        self._guard = guard
        self._hash = hashlib.sha256()
        self.seen = 0

    def see(self, data: bytes) -> None:
        self._hash.update(data)
        self.seen += len(data)

    def last(self) -> None:
        """Before the last bytes of a request. Raises LeaseLost, and Transient("body-changed") when they end
        the item with another digest than it should have."""
        self._guard()
        if self.seen > self._item.size:
            raise changed()
        if self.seen == self._item.size and self._hash.digest() != self._item.digest:
            raise changed()


def payload(item: Item, stream: BinaryIO, guard: Guard) -> bytes | BinaryIO:
    """What to send of an open body. Raises Transient("body-changed") for a small one at once."""
    watch = BodyHasher(item, guard)
    if item.size > WHOLE:
        return cast(BinaryIO, Sending(stream, item.size, watch))
    data = stream.read(item.size + 1)
    watch.see(data)
    if len(data) != item.size:
        raise changed()
    watch.last()
    return data
