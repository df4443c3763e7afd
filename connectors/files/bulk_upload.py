"""Many small files in one request (Nextcloud's bulk upload).

It overwrites whatever has the name, takes names that a PUT refuses, loses blanks at the end of a name, and
stops at a part whose checksum is wrong. So it serves only where nobody else can have put anything: in folders
that this session made, in an account that its user does not have yet. Whatever it does not confirm is written
again one by one.
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
    item: Item
    path: str
    data: bytes


class Bulk:
    """path: of the service. folder: of the container, from the account's files, no slash at its end."""

    def __init__(
        self, client: HttpClient, profile: FilesProfile, guard: Guard, path: str, folder: str
    ) -> None:
        self._client = client
        self._profile = profile
        self._guard = guard
        self._path = path
        self._folder = folder

    def send(self, items: Iterable[Item]) -> Iterator[Stored]:
        """Those that the server confirms; the others may be written or not."""
        parts = [part for item in items if (part := self._part(item)) is not None]
        if not parts:
            return
        confirmed = self._confirmed(parts)
        for part in parts:
            result = mapping(confirmed.get(part.path))
            if result.get("error") is False:
                yield Stored(part.item.key, str(part.item.name), _tag(result.get("etag")))

    # -- internals

    def _part(self, item: Item) -> BulkPart | None:
        """None for a body that is not what the item says: whoever writes it alone tells so."""
        with item.body() as stream:
            data = stream.read(item.size + 1)
        if len(data) != item.size or hashlib.sha256(data).digest() != item.digest:
            return None
        return BulkPart(item, f"{self._folder}/{item.name}", data)

    def _confirmed(self, parts: Sequence[BulkPart]) -> dict[str, object]:
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
            return _told(answer)

    def _ask(self, body: bytes, boundary: str) -> HttpAnswer:
        self._guard()
        headers = {
            "Content-Type": f"multipart/related; boundary={boundary}",
            "Content-Length": str(len(body)),
        }
        stream = cast(BinaryIO, Sending(io.BytesIO(body), len(body), _Lease(self._guard)))
        return self._client.ask("POST", self._path, headers, stream)

    def _piece(self, part: BulkPart, boundary: str) -> bytes:
        # which of the two checksums is wanted depends on the version; MD5 is what both know
        digest = hashlib.md5(part.data, usedforsecurity=False).hexdigest()
        lines = [f"--{boundary}", f"X-File-Path: {part.path}", f"Content-Length: {len(part.data)}"]
        lines += [f"OC-Checksum: MD5:{digest}", f"X-File-MD5: {digest}"]
        if part.item.date is not None:
            lines.append(f"X-OC-MTime: {seconds(part.item.date, self._profile.oldest)}")
        return "\r\n".join([*lines, "", ""]).encode() + part.data + b"\r\n"


class _Lease(BodyHasher):
    """Looks at nothing but the lease."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def see(self, data: bytes) -> None:
        del data

    def last(self) -> None:
        self._guard()


def _told(answer: HttpAnswer) -> dict[str, object]:
    """By path. A 400 tells what was written before the part that is wrong, or nothing."""
    if not answer.ok and answer.status not in {400, 500}:
        raise answer.error()
    try:
        return dict(mapping(json_answer.read(answer.body or b"{}")))
    except ValueError:
        return {}


def _tag(value: object) -> str:
    """An ETag as a header has it."""
    return f'"{value}"' if isinstance(value, str) and value and '"' not in value else str(value or "")
