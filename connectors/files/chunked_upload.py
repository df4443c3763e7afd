"""Large files in chunks (Nextcloud's chunked upload, version 2), to be gone on with after a crash.

The upload's id is made of the item's key, its digest, its place and the size of a chunk: whoever writes the
same again finds what is there. The MOVE is the commit: it goes out when every chunk was sent and the whole
was what the item says. Only with OC-Total-Length does the server notice a chunk that is missing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from connectors.files.put import Aim, Sent, asked_for, told
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from connectors.webdav.client import BLOCK, BodyHasher, Sending, changed, passing
from connectors.webdav.product import FilesProfile
from connectors.webdav.read import WebdavReader
from connectors.webdav.verbs import WebdavLibrary
from model.errors import Blocked, Transient
from model.protocols import Guard, Item

CHUNKS_MOST = 10_000
STARTS = 3  # of one upload that the server lost or cannot put together


@dataclass(frozen=True, slots=True)
class ChunkedUpload:
    """path: of its folder, which ends with a slash. headers: those of every request to it."""

    path: str
    chunk: int
    total: int
    headers: Mapping[str, str]

    @property
    def count(self) -> int:
        return math.ceil(self.total / self.chunk)

    def size(self, number: int) -> int:
        """Of a chunk, counted from 1."""
        return min(self.chunk, self.total - (number - 1) * self.chunk)


class Chunks:
    """Safe from several threads, for files of different keys. uploads: the path below which they are made."""

    def __init__(
        self,
        client: HttpClient,
        library: WebdavLibrary,
        reading: WebdavReader,
        profile: FilesProfile,
        guard: Guard,
        uploads: str,
        chunk_bytes: int,
    ) -> None:
        self._client = client
        self._library = library
        self._reading = reading
        self._profile = profile
        self._guard = guard
        self._uploads = uploads
        self._chunk = chunk_bytes

    def send(self, item: Item, aim: Aim) -> Sent:
        """As Put.send; the answer is that to the MOVE, 404 when the upload was put together before. Chunks
        that are there already are read and hashed, not sent. Raises Blocked("over-quota") before anything is
        sent that has no room."""
        upload = self._upload(item, aim)
        for _ in range(STARTS):
            self._begin(upload)
            if not self._filled(item, upload, self._there(upload)):
                continue
            answer = passing(self._commit(item, upload, aim))
            if not answer.ok and answer.status not in GONE:
                self._library.delete(upload.path)
            if answer.status != 400:
                return told(answer)
        raise Transient("server-error", "the server cannot put an upload together")

    # -- internals

    def _upload(self, item: Item, aim: Aim) -> ChunkedUpload:
        chunk = max(self._chunk, math.ceil(item.size / CHUNKS_MOST))
        parts = (item.key.hex(), item.digest.hex(), aim.path, str(chunk))
        name = hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
        where = f"{self._client.origin}{aim.path}"
        headers = {"Destination": where, "OC-Total-Length": str(item.size)}
        return ChunkedUpload(f"{self._uploads}kogge-{name}/", chunk, item.size, headers)

    def _begin(self, upload: ChunkedUpload) -> None:
        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._library.mkdir(upload.path, upload.headers))

        answer = self._client.patiently(attempt)
        if answer.ok or answer.status == 405:  # it is there
            return
        if answer.status in GONE or answer.status == 409:
            raise Blocked("container-missing", "a folder is no longer there")
        raise answer.error()

    def _there(self, upload: ChunkedUpload) -> frozenset[int]:
        """The numbers of the chunks that arrived whole."""
        found = set()
        for entry in self._reading.listed(upload.path):
            number = int(entry.names[0]) if entry.names and entry.names[0].isdecimal() else 0
            if 1 <= number <= upload.count and entry.size == upload.size(number):
                found.add(number)
        return frozenset(found)

    def _filled(self, item: Item, upload: ChunkedUpload, there: frozenset[int]) -> bool:
        """Sends what is missing. False when the server no longer knows the upload."""
        watch = BodyHasher(item, self._guard)
        with item.body() as stream:
            for number in range(1, upload.count + 1):
                if number in there:
                    _skip(stream, upload.size(number), watch)
                elif not self._sent(stream, upload, number, watch):
                    return False
            if stream.read(1):
                raise changed()
        watch.last()
        return True

    def _sent(self, stream: BinaryIO, upload: ChunkedUpload, number: int, watch: BodyHasher) -> bool:
        """Raises Transient when a chunk got lost: whoever begins again goes on with it."""
        size = upload.size(number)
        self._guard()
        body = cast(BinaryIO, Sending(stream, size, watch))
        headers = {**upload.headers, "Content-Length": str(size)}
        answer = passing(self._client.ask("PUT", f"{upload.path}{number:05d}", headers, body))
        if answer.status in GONE or answer.status == 409:
            return False
        if not answer.ok:
            raise answer.error()
        return True

    def _commit(self, item: Item, upload: ChunkedUpload, aim: Aim) -> HttpAnswer:
        self._guard()
        headers = {**upload.headers, **asked_for(item, self._profile)}
        return self._library.move(
            f"{upload.path}.file", aim.path, overwrite=aim.match is not None, headers=headers
        )


def _skip(stream: BinaryIO, size: int, watch: BodyHasher) -> None:
    """Hashes a chunk that is there already."""
    left = size
    while left:
        data = stream.read(min(left, BLOCK))
        if not data:
            raise changed()
        watch.see(data)
        left -= len(data)
