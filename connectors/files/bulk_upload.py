"""Upload many small files in one request (Nextcloud's bulk upload).

The bulk upload overwrites existing files, takes names that a PUT refuses, loses blanks at the end of a name,
and stops at a part whose checksum is wrong. Therefore it is used only where no other client can have put
anything: in folders that this session made, in an account that its user does not have yet. Files that it does
not confirm are written again one by one.
"""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from connectors import json_answer
from connectors.http.client import HttpAnswer, HttpClient
from connectors.webdav.client import UNKNOWN, BodyHasher, Sending, passing, seconds
from connectors.webdav.ocs_capabilities import mapping
from connectors.webdav.product import FilesProfile
from model.errors import Transient
from model.protocols import Guard, Item, Stored


@dataclass(frozen=True, slots=True)
class BulkPart:
    """Hold one file of a request.

    Attributes:
        item: the item.
        path: its path from the account's files.
        data: its bytes.
    """

    item: Item
    path: str
    data: bytes


class Bulk:
    """Send bulk uploads to one folder."""

    def __init__(
        self, client: HttpClient, profile: FilesProfile, guard: Guard, path: str, folder: str
    ) -> None:
        """Prepare the upload.

        Args:
            client: the HTTP client.
            profile: the product.
            guard: the write fence.
            path: the path of the service.
            folder: the path of the container from the account's files, without a slash at its end.
        """
        self._client = client
        self._profile = profile
        self._guard = guard
        self._path = path
        self._folder = folder

    def send(self, items: Iterable[Item]) -> Iterator[Stored]:
        """Upload files and yield those that the server confirms. The others may be written or not.

        Args:
            items: new files with names that nothing has.

        Raises:
            Transient: the retries are used up.
            Blocked: the server refuses.
            LeaseLost: the guard refuses.
        """
        parts = [part for item in items if (part := self._part(item)) is not None]
        if not parts:
            return
        confirmed = self._upload(parts)
        for part in parts:
            result = mapping(confirmed.get(part.path))
            if result.get("error") is False:
                yield Stored(part.item.key, str(part.item.name), _tag(result.get("etag")))

    # -- internals

    def _part(self, item: Item) -> BulkPart | None:
        """Read a file; None for a body that differs from the item: writing it alone reports the fault."""
        with item.body() as stream:
            data = stream.read(item.size + 1)
        if len(data) != item.size or hashlib.sha256(data).digest() != item.digest:
            return None
        return BulkPart(item, f"{self._folder}/{item.name}", data)

    def _upload(self, parts: Sequence[BulkPart]) -> dict[str, object]:
        """Send all parts and return the server's result for each path."""
        boundary = secrets.token_hex(16)
        body = b"".join(self._piece(part, boundary) for part in parts) + f"--{boundary}--\r\n".encode()
        patience = self._client.patience()
        while True:
            try:
                answer = passing(self._ask(body, boundary))
            except Transient as error:
                patience.pause(error)
                if error.code in UNKNOWN:
                    return {}
                continue
            return _results_of(answer)

    def _ask(self, body: bytes, boundary: str) -> HttpAnswer:
        self._guard()
        headers = {
            "Content-Type": f"multipart/related; boundary={boundary}",
            "Content-Length": str(len(body)),
        }
        stream = cast(BinaryIO, Sending(io.BytesIO(body), len(body), _Lease(self._guard)))
        return self._client.ask("POST", self._path, headers, stream)

    def _piece(self, part: BulkPart, boundary: str) -> bytes:
        # the version decides which of the two headers is read; both versions know MD5
        digest = hashlib.md5(part.data, usedforsecurity=False).hexdigest()
        lines = [f"--{boundary}", f"X-File-Path: {part.path}", f"Content-Length: {len(part.data)}"]
        lines += [f"OC-Checksum: MD5:{digest}", f"X-File-MD5: {digest}"]
        if part.item.date is not None:
            lines.append(f"X-OC-MTime: {seconds(part.item.date, self._profile.oldest)}")
        return "\r\n".join([*lines, "", ""]).encode() + part.data + b"\r\n"


class _Lease(BodyHasher):
    """Check only the guard, because the body holds several items."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def see(self, data: bytes) -> None:
        """Ignore the bytes."""
        del data

    def last(self) -> None:
        """Call the guard."""
        self._guard()


def _results_of(answer: HttpAnswer) -> dict[str, object]:
    """Return the results by path. A 400 names what was written before the wrong part, or nothing."""
    if not answer.ok and answer.status not in {400, 500}:
        raise answer.error()
    try:
        return dict(mapping(json_answer.read(answer.body or b"{}")))
    except ValueError:
        return {}


def _tag(value: object) -> str:
    """Return an ETag as a header has it."""
    return f'"{value}"' if isinstance(value, str) and value and '"' not in value else str(value or "")
