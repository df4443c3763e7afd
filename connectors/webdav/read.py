"""Read what is at the target: one entry, a whole folder, a file's bytes and their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.http.client import HttpAnswer, HttpClient, with_words
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import Origin, canonical
from connectors.http.suspects import answers_well
from connectors.spool import SpoolFile, bytes_body
from connectors.webdav.client import LONGEST_PATH
from connectors.webdav.product import FilesProfile
from connectors.webdav.propfind import ENTRIES, PropfindEntry, date, entries
from model.errors import Blocked, MigrationError, Transient
from model.protocols import Body

XML = {"Content-Type": "application/xml; charset=utf-8"}
NO_HASHES = frozenset({400, 405, 501})


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Hold a file as it was read.

    Attributes:
        body: its bytes.
        size: bytes.
        digest: SHA-256.
        modified: the date of the last change; None when the server gave none.
        etag: the ETag; "" without one.
    """

    body: Body
    size: int
    digest: bytes
    modified: datetime | None
    etag: str


class WebdavReader:
    """Read from a file server without changing anything. Safe from several threads."""

    def __init__(self, client: HttpClient, profile: FilesProfile, spool: Path, spool_above: int) -> None:
        """Prepare the reader.

        Args:
            client: the HTTP client.
            profile: the product.
            spool: the folder for spool files.
            spool_above: bytes; larger bodies go to a spool file.
        """
        self._client = client
        self._spool = spool
        self._above = spool_above
        self._hashes = profile.hashes

    def entry(self, path: str, body: bytes = ENTRIES) -> PropfindEntry | None:
        """Return the entry at a path; None when there is nothing. Passing faults are waited out.

        Args:
            path: the canonical path.
            body: the PROPFIND to send.

        Raises:
            Blocked, Transient: the server refuses, or the retries are used up.
        """

        def attempt() -> PropfindEntry | None:
            with self._client.stream("PROPFIND", path, {**XML, "Depth": "0"}, body) as (head, chunks):
                if head.status in GONE:
                    return None
                children = self._entries(head, chunks, path)
                return next((child for child in children if not child.names), None)

        return self._client.patiently(attempt)

    def is_well(self, folder: str) -> bool:
        """Return True if a folder answers a small request at once; nothing is waited out."""
        return answers_well(lambda: self._client.ask("PROPFIND", folder, {**XML, "Depth": "0"}, ENTRIES))

    def listed(self, path: str, depth: str = "1", body: bytes = ENTRIES) -> Iterator[PropfindEntry]:
        """Yield a folder and its entries, or everything below it, as the answer arrives.

        Faults are waited out until the first entry was yielded.

        Args:
            path: the canonical path.
            depth: "1" or "infinity".
            body: the PROPFIND to send.

        Raises:
            Blocked: "container-missing".
            Transient: the answer breaks off after some entries, or the retries are used up.
        """
        patience, started = self._client.patience(), False
        while True:
            try:
                with self._client.stream("PROPFIND", path, {**XML, "Depth": depth}, body) as (head, chunks):
                    for entry in self._entries(head, chunks, path):
                        started = True
                        yield entry
                return
            except Transient as error:
                if started:
                    raise
                patience.pause(error)

    def whole(self, path: str) -> ReadFile | None:
        """Return a file with its bytes, spooled when large; None when there is no file."""
        return self._client.patiently(lambda: self._get(path))

    def digest(self, path: str) -> bytes | None:
        """Return the SHA-256 of what is stored; None when there is no file.

        The server's own digest is used where it hashes what it stored; otherwise the file is read.

        Args:
            path: the canonical path.

        Raises:
            Transient: the retries are used up.
            Blocked: the server refuses.
        """
        if self._hashes:
            answer = self._client.look("PATCH", path, {"X-Recalculate-Hash": "sha256"})
            if answer.status in GONE:
                return None
            stated = hashed(answer.headers.get("oc-checksum", "").rpartition(":")[2])
            if answer.ok and stated is not None:
                return stated
            if not answer.ok and answer.status not in NO_HASHES:
                raise answer.error()
        return self._client.patiently(lambda: self._hash_by_reading(path))

    # -- internals

    def _entries(self, head: HttpAnswer, chunks: Iterator[bytes], path: str) -> Iterator[PropfindEntry]:
        if head.status != 207:
            raise _listing_error(with_words(head, chunks))
        base = path.rstrip("/") + "/"
        return entries(chunks, base, paths(self._client.origin, base))

    def _get(self, path: str) -> ReadFile | None:
        """Read a file; spool it when it is large."""
        with self._client.stream("GET", path) as (head, chunks):
            if head.status in GONE:
                return None
            if head.status != 200:
                raise with_words(head, chunks).error()
            digest, size = hashlib.sha256(), 0
            parts: list[bytes] = []
            file: SpoolFile | None = None
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                if file is None and size > self._above:
                    file = SpoolFile(self._spool)
                    file.write(b"".join(parts))
                    parts.clear()
                if file is None:
                    parts.append(chunk)
                else:
                    file.write(chunk)
            self._check_length(head, path, size)
            body = file.open if file is not None else bytes_body(b"".join(parts))
            modified = date(head.headers.get("last-modified", ""))
            return ReadFile(body, size, digest.digest(), modified, head.headers.get("etag", ""))

    def _hash_by_reading(self, path: str) -> bytes | None:
        with self._client.stream("GET", path) as (head, chunks):
            if head.status in GONE:
                return None
            if head.status != 200:
                raise with_words(head, chunks).error()
            digest, size = hashlib.sha256(), 0
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
            self._check_length(head, path, size)
            return digest.digest()

    def _check_length(self, head: HttpAnswer, path: str, size: int) -> None:
        """Check that a file arrived to its end.

        An answer that does not say where it ends is compared with the size that a listing states.

        Args:
            head: the answer.
            path: the canonical path of the file.
            size: the bytes that arrived.

        Raises:
            Transient: "reply-incomplete".
        """
        length = head.headers.get("content-length")
        is_cut = length is not None and length.strip() != str(size)
        if not head.has_end:
            entry = self.entry(path)
            is_cut = entry is None or entry.size != size
        if is_cut:
            raise Transient("reply-incomplete", "a file was cut off")


def paths(origin: Origin, base: str) -> Callable[[str], str | None]:
    """Return a function that gives the canonical path of each href in an answer about `base`.

    Most hrefs are absolute paths, which need no URL parsing.

    Args:
        origin: the server's origin.
        base: the requested path, with a slash at its end.
    """

    def path_of(href: str) -> str | None:
        plain = href.startswith(base) and not {"?", "#", "//"} & {*href, href[:2]}
        if plain and len(href) <= LONGEST_PATH and href.isprintable():
            return canonical(href)
        return origin.path(href, base, LONGEST_PATH)

    return path_of


def hashed(text: str) -> bytes | None:
    """Return a SHA-256 from its hexadecimal form; None when the text is malformed."""
    try:
        digest = bytes.fromhex(text.strip())
    except ValueError:
        return None
    return digest if len(digest) == 32 else None


def _listing_error(head: HttpAnswer) -> MigrationError:
    """Return the error for an answer that is not a listing."""
    if head.ok:
        return Transient("not-files", "something answered that is no file server")
    if head.status in GONE:
        return Blocked("container-missing", "a folder is no longer there").quoting(head.words)
    return head.error()
