"""Send one file in one request, and read what the server says it stored."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from connectors.http.multistatus import etag
from connectors.webdav.client import payload, seconds
from connectors.webdav.product import FilesProfile
from connectors.webdav.read import hashed
from connectors.webdav.verbs import WebdavLibrary
from model.errors import MigrationError, Rejected
from model.protocols import Guard, Item


@dataclass(frozen=True, slots=True)
class Aim:
    """Hold where a file goes.

    Attributes:
        path: its path.
        match: the ETag of what it replaces; None: it must be new.
    """

    path: str
    match: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Hold the outcome of a request.

    Attributes:
        answer: the server's answer.
        digest: the SHA-256 of what was stored, where the server states it.
        etag: the ETag, or "".
        dated: True if the server took the date.
    """

    answer: HttpAnswer
    digest: bytes | None = None
    etag: str = ""
    dated: bool = False


def read_outcome(answer: HttpAnswer) -> Sent:
    """Return what an answer says: to a PUT, or to the MOVE that ends an upload."""
    headers = answer.headers
    return Sent(
        answer=answer,
        digest=hashed(headers.get("x-hash-sha256", "")),
        etag=etag(headers.get("oc-etag") or headers.get("etag")),
        dated=headers.get("x-oc-mtime", "").lower() == "accepted",
    )


def upload_headers(item: Item, profile: FilesProfile) -> dict[str, str]:
    """Return the headers that set a file's date and ask for the hash of what is stored.

    Args:
        item: the file.
        profile: the product.
    """
    headers = {"X-OC-MTime": str(seconds(item.date, profile.oldest))} if item.date is not None else {}
    return {**headers, "X-Hash": "sha256"} if profile.hashes else headers


class Put:
    """Send files, each in one attempt. Safe from several threads.

    Each method returns the answer whatever its status. It raises what `HttpClient.ask` raises, LeaseLost, and
    Transient("body-changed").
    """

    def __init__(
        self, client: HttpClient, library: WebdavLibrary, profile: FilesProfile, guard: Guard
    ) -> None:
        self._client = client
        self._library = library
        self._profile = profile
        self._guard = guard

    def send(self, item: Item, aim: Aim) -> Sent:
        """Write a file directly to its place.

        Args:
            item: the file.
            aim: its place; the request is conditional where the product supports it.
        """
        headers = upload_headers(item, self._profile)
        if self._profile.conditional:
            headers |= {"If-None-Match": "*"} if aim.match is None else {"If-Match": aim.match or "*"}
        return read_outcome(self._body(item, aim.path, headers))

    def stage(self, item: Item, path: str) -> Sent:
        """Write a file beside its place, over anything that an earlier attempt left there.

        Args:
            item: the file.
            path: the temporary path.
        """
        return read_outcome(self._body(item, path, upload_headers(item, self._profile)))

    def place(self, path: str, aim: Aim) -> HttpAnswer:
        """Move a staged file to its place.

        Args:
            path: the temporary path.
            aim: its place; the move overwrites a file only if `aim.match` is not None.
        """
        self._guard()
        return self._library.move(path, aim.path, overwrite=aim.match is not None)

    def _body(self, item: Item, path: str, headers: dict[str, str]) -> HttpAnswer:
        with item.body() as stream:
            self._guard()
            body = payload(item, stream, self._guard)
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(item.size)}
            return self._client.ask("PUT", path, headers, body)


def refusal(status: int) -> MigrationError | None:
    """Return the error for one file that the server does not take; None when the cause is not the file."""
    if status == 413:
        return Rejected("too-large", "larger than the server takes")
    if status in {400, 403, 405, 406, 411, 414, 415, 422, 424, 431}:
        refused = Rejected("refused-by-target", f"the server answered HTTP {status}")
        return refused.about(f"HTTP {status}")
    return None


def is_missing(status: int) -> bool:
    """Return True if a PUT was refused because its folder does not exist (Nextcloud 404, others 409)."""
    return status in GONE or status == 409
