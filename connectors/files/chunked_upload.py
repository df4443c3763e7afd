"""Upload large files in chunks (Nextcloud's chunked upload, version 2) and resume after a crash.

The upload's id is made of the item's key, its digest, its place and the chunk size: a new attempt for the
same file finds the chunks that exist. The MOVE is the commit: it is sent when every chunk was sent and the
whole body was what the item states. The server notices a missing chunk only with OC-Total-Length.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from connectors.files.put import Aim, Sent, read_outcome, upload_headers
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from connectors.webdav.client import BLOCK, BodyHasher, Sending, changed, passing
from connectors.webdav.product import FilesProfile
from connectors.webdav.read import WebdavReader
from connectors.webdav.verbs import WebdavLibrary
from model.errors import Blocked, Transient
from model.protocols import Guard, Item

CHUNKS_MOST = 10_000
STARTS = 3  # of one upload that the server lost or cannot assemble


@dataclass(frozen=True, slots=True)
class ChunkedUpload:
    """Hold one upload.

    Attributes:
        path: the path of its folder, which ends with a slash.
        chunk: bytes of a chunk.
        total: bytes of the file.
        headers: the headers of every request to it.
    """

    path: str
    chunk: int
    total: int
    headers: Mapping[str, str]

    @property
    def count(self) -> int:
        """Return the number of chunks."""
        return math.ceil(self.total / self.chunk)

    def size(self, number: int) -> int:
        """Return the bytes of a chunk, counted from 1."""
        return min(self.chunk, self.total - (number - 1) * self.chunk)


class Chunks:
    """Upload files in chunks. Safe from several threads, for files of different keys."""

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
        """Prepare the uploads.

        Args:
            client: the HTTP client.
            library: runs the plain verbs.
            reading: reads from the server.
            profile: the product.
            guard: the write fence.
            uploads: the path below which uploads are made.
            chunk_bytes: bytes of a chunk; more for very large files.
        """
        self._client = client
        self._library = library
        self._reading = reading
        self._profile = profile
        self._guard = guard
        self._uploads = uploads
        self._chunk = chunk_bytes

    def send(self, item: Item, aim: Aim) -> Sent:
        """Upload one file. Idempotent: chunks that exist are read and hashed instead of sent.

        Args:
            item: the file.
            aim: its place.

        Returns:
            The answer to the MOVE; 404 when the upload was already assembled.

        Raises:
            Blocked: "over-quota" before anything is sent that does not fit; "container-missing".
            Transient: the outcome is unknown; also "body-changed", "server-error".
            LeaseLost: the guard refuses.
        """
        upload = self._upload(item, aim)
        for _ in range(STARTS):
            self._begin(upload)
            if not self._fill(item, upload, self._complete_chunks(upload)):
                continue
            answer = passing(self._commit(item, upload, aim))
            if not answer.ok and answer.status not in GONE:
                self._library.delete(upload.path)
            if answer.status != 400:
                return read_outcome(answer)
        raise Transient("server-error", "the server cannot put an upload together")

    # -- internals

    def _upload(self, item: Item, aim: Aim) -> ChunkedUpload:
        """Describe the upload of a file."""
        chunk = max(self._chunk, math.ceil(item.size / CHUNKS_MOST))
        parts = (item.key.hex(), item.digest.hex(), aim.path, str(chunk))
        name = hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
        destination = f"{self._client.origin}{aim.path}"
        headers = {"Destination": destination, "OC-Total-Length": str(item.size)}
        return ChunkedUpload(f"{self._uploads}kogge-{name}/", chunk, item.size, headers)

    def _begin(self, upload: ChunkedUpload) -> None:
        """Create the upload's folder unless it exists."""

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._library.mkdir(upload.path, upload.headers))

        answer = self._client.patiently(attempt)
        if answer.ok or answer.status == 405:  # it exists
            return
        if answer.status in GONE or answer.status == 409:
            raise Blocked("container-missing", "a folder is no longer there")
        raise answer.error()

    def _complete_chunks(self, upload: ChunkedUpload) -> frozenset[int]:
        """Return the numbers of the chunks that arrived in full."""
        numbers = set()
        for entry in self._reading.listed(upload.path):
            number = int(entry.names[0]) if entry.names and entry.names[0].isdecimal() else 0
            if 1 <= number <= upload.count and entry.size == upload.size(number):
                numbers.add(number)
        return frozenset(numbers)

    def _fill(self, item: Item, upload: ChunkedUpload, complete: frozenset[int]) -> bool:
        """Send the missing chunks; return False when the server no longer knows the upload."""
        watch = BodyHasher(item, self._guard)
        with item.body() as stream:
            for number in range(1, upload.count + 1):
                if number in complete:
                    _skip(stream, upload.size(number), watch)
                elif not self._send_chunk(stream, upload, number, watch):
                    return False
            if stream.read(1):
                raise changed()
        watch.last()
        return True

    def _send_chunk(self, stream: BinaryIO, upload: ChunkedUpload, number: int, watch: BodyHasher) -> bool:
        """Send one chunk; return False when the server no longer knows the upload."""
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
        headers = {**upload.headers, **upload_headers(item, self._profile)}
        return self._library.move(
            f"{upload.path}.file", aim.path, overwrite=aim.match is not None, headers=headers
        )


def _skip(stream: BinaryIO, size: int, watch: BodyHasher) -> None:
    """Hash a chunk that exists already."""
    left = size
    while left:
        data = stream.read(min(left, BLOCK))
        if not data:
            raise changed()
        watch.see(data)
        left -= len(data)
