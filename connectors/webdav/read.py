"""What is at the target now: one entry, a whole folder, a file's bytes and their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.http.client import HttpAnswer, HttpClient, with_words
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import Origin, canonical
from connectors.spool import SpoolFile, bytes_body
from connectors.webdav.client import LONGEST_PATH, request_reading
from connectors.webdav.product import FilesProfile
from connectors.webdav.propfind import ENTRIES, PropfindEntry, date, entries
from model.errors import Blocked, MigrationError, Transient
from model.protocols import Body

XML = {"Content-Type": "application/xml; charset=utf-8"}
NO_HASHES = frozenset({400, 405, 501})


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it was read. digest: SHA-256."""

    body: Body
    size: int
    digest: bytes
    modified: datetime | None
    etag: str


class WebdavReader:
    """Everything that only looks. Safe from several threads."""

    def __init__(self, client: HttpClient, profile: FilesProfile, spool: Path, spool_above: int) -> None:
        self._client = client
        self._spool = spool
        self._above = spool_above
        self._hashes = profile.hashes

    def entry(self, path: str, body: bytes = ENTRIES) -> PropfindEntry | None:
        """What is at a path; None when there is nothing. Waits out what may pass."""

        def attempt() -> PropfindEntry | None:
            with self._client.stream("PROPFIND", path, {**XML, "Depth": "0"}, body) as (head, chunks):
                if head.status in GONE:
                    return None
                found = self._entries(head, chunks, path)
                return next((one for one in found if not one.names), None)

        return self._client.patiently(attempt)

    def listed(self, path: str, depth: str = "1", body: bytes = ENTRIES) -> Iterator[PropfindEntry]:
        """A folder and what lies in it, or everything below it, as the answer arrives. Raises
        Blocked("container-missing"), and Transient when it breaks off after some were told; until then faults
        are waited out."""
        patience, told = self._client.patience(), False
        while True:
            try:
                with self._client.stream("PROPFIND", path, {**XML, "Depth": depth}, body) as (head, chunks):
                    for one in self._entries(head, chunks, path):
                        told = True
                        yield one
                return
            except Transient as error:
                if told:
                    raise
                patience.pause(error)

    def whole(self, path: str) -> ReadFile | None:
        """A file's bytes, spooled when they are many; None when there is no file."""
        return self._client.patiently(lambda: self._got(path))

    def digest(self, path: str) -> bytes | None:
        """The SHA-256 of what is stored; None when there is no file. The server's own where it hashes what it
        stored, else everything is read."""
        if self._hashes:
            answer = request_reading(self._client, "PATCH", path, {"X-Recalculate-Hash": "sha256"})
            if answer.status in GONE:
                return None
            told = hashed(answer.headers.get("oc-checksum", "").rpartition(":")[2])
            if answer.ok and told is not None:
                return told
            if not answer.ok and answer.status not in NO_HASHES:
                raise answer.error()
        return self._client.patiently(lambda: self._hashed(path))

    # -- internals

    def _entries(self, head: HttpAnswer, chunks: Iterator[bytes], path: str) -> Iterator[PropfindEntry]:
        if head.status != 207:
            raise _not_listed(with_words(head, chunks))
        base = path.rstrip("/") + "/"
        return entries(chunks, base, paths(self._client.origin, base))

    def _got(self, path: str) -> ReadFile | None:
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
            _complete(head, size)
            body = file.open if file is not None else bytes_body(b"".join(parts))
            dated = date(head.headers.get("last-modified", ""))
            return ReadFile(body, size, digest.digest(), dated, head.headers.get("etag", ""))

    def _hashed(self, path: str) -> bytes | None:
        with self._client.stream("GET", path) as (head, chunks):
            if head.status in GONE:
                return None
            if head.status != 200:
                raise with_words(head, chunks).error()
            digest, size = hashlib.sha256(), 0
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
            _complete(head, size)
            return digest.digest()


def paths(origin: Origin, base: str) -> Callable[[str], str | None]:
    """The canonical path of each href of an answer about base. Most are absolute paths: those need no URL."""

    def path_of(href: str) -> str | None:
        plain = href.startswith(base) and not {"?", "#", "//"} & {*href, href[:2]}
        if plain and len(href) <= LONGEST_PATH and href.isprintable():
            return canonical(href)
        return origin.path(href, base, LONGEST_PATH)

    return path_of


def hashed(text: str) -> bytes | None:
    """A SHA-256 in hexadecimal."""
    try:
        found = bytes.fromhex(text.strip())
    except ValueError:
        return None
    return found if len(found) == 32 else None


def _complete(head: HttpAnswer, size: int) -> None:
    length = head.headers.get("content-length")
    if length is not None and length.strip() != str(size):
        raise Transient("reply-incomplete", "a file was cut off")


def _not_listed(head: HttpAnswer) -> MigrationError:
    if head.ok:
        return Transient("not-files", "something answered that is no file server")
    if head.status in GONE:
        return Blocked("container-missing", "a folder is no longer there").said(head.words)
    return head.error()
