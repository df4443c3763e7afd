"""Download the bytes of one file from the address that Graph gives, and hash them on the way.

The address is a permission by itself, for some minutes, and an Authorization header would void it. A download
resumes after a cut connection; an expired address is renewed; and nothing is returned that differs from
Graph's description: neither an error page in place of the file, nor half of it.

Source:
    https://learn.microsoft.com/graph/api/driveitem-get-content
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.exchange.quickxor import QuickXor
from connectors.graph_api.batch import WAITED_OUT
from connectors.graph_api.client import GraphClient
from connectors.graph_api.errors import MALWARE, GraphRefusal, translated
from connectors.graph_drives.drive_items import File
from connectors.http.transport import Response
from model.errors import Rejected, Transient
from model.protocols import Body

TRIES, FIRST_WAIT = 3, 0.05
EXPIRED = frozenset({401, 403, 404, 410})
BEYOND = 100_000_000
"""Bytes that may arrive in excess of Graph's size; more means that it is not this file."""

HTML = frozenset({"text/html", "application/xhtml+xml"})
_PART = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Got:
    """Hold a checked download.

    Attributes:
        file: the file as Graph describes it.
        body: its bytes.
        size: bytes.
        sha256: hexadecimal.
    """

    file: File
    body: Body
    size: int
    sha256: str


class _Partial:
    """Hold what arrived so far, with the ETag by which the rest is requested."""

    def __init__(self, client: GraphClient) -> None:
        self._sink = client.sink()
        self._sha256 = hashlib.sha256()
        self._quickxor = QuickXor()
        self.tag = ""

    @property
    def size(self) -> int:
        """Return the bytes so far."""
        return self._sink.size

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._sink.write(data)
        self._sha256.update(data)
        self._quickxor.update(data)

    def is_whole(self, file: File) -> bool:
        """Return True if the bytes match Graph's hash, or its size where there is no hash."""
        if file.quickxor:
            return self._quickxor.text() == file.quickxor
        return self.size == file.size and (file.size > 0 or file.empty)

    def finish(self, file: File) -> Got:
        """Return the checked download."""
        size, body = self.size, self._sink.finish()
        assert body is not None  # noqa: S101 - only base64 can be damaged
        return Got(file, body, size, self._sha256.hexdigest())


class Download:
    """Download one file."""

    def __init__(
        self, client: GraphClient, file: File, renew: Callable[[], File], probe: Callable[[], None]
    ) -> None:
        """Prepare the download.

        Args:
            client: the Graph client.
            file: the file as Graph describes it.
            renew: asks Graph for the file again, with a new address; raises Rejected for its fate.
            probe: checks that the drive can be read.
        """
        self._client = client
        self._file = file
        self._renew = renew
        self._probe = probe
        self._partial = _Partial(client)
        self._patience = client.patience()
        self._suspects = 0
        self._mismatches = 0
        self._renewals = 0

    def run(self) -> Got:
        """Download the file.

        Raises:
            Rejected: "hash-mismatch", "poison-item", "blocked-by-source", "item-refused", or the error of
                `renew`.
            Transient: the retries are used up.
            Blocked: the source refuses, or the body cannot be spooled.
        """
        if not self._file.url and self._file.empty:
            return self._partial.finish(self._file)  # an empty file has no address
        while True:
            before = self._partial.size
            try:
                self._pull()
            except GraphRefusal as refused:
                if refused.status != 416:  # the file may be complete already
                    self._handle_refusal(refused)
                    continue
            except Transient as cut:
                self._handle_fault(cut, before)
                continue
            if self._partial.is_whole(self._file):
                return self._partial.finish(self._file)
            if before < self._partial.size < self._file.size:
                continue  # the answer ended early and claimed to be complete
            self._start_again()

    def _pull(self) -> None:
        """Read one answer to its end; start again where nothing distinguishes two versions."""
        if not self._partial.tag and not self._file.quickxor:
            self._partial = _Partial(self._client)
        partial = self._partial
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if partial.size:
            headers["Range"] = f"bytes={partial.size}-"
            headers |= {"If-Range": partial.tag} if partial.tag else {}
        with self._client.opened("GET", self._url(), headers, requests=0, bearer=False) as response:
            self._accept(response)
            for chunk in response.chunks(decode=True):
                self._partial.feed(chunk)
                if self._partial.size > self._file.size + BEYOND:
                    self._partial = _Partial(self._client)
                    raise Transient("not-graph", "more bytes than the file has")

    def _accept(self, response: Response) -> None:
        """Raise Transient for an answer that is not this file, or not the rest of it."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        length = response.headers.get("content-length", "")
        page = kind in HTML and self._file.mime.lower() not in HTML
        if page and length != str(self._file.size - self._partial.size):
            raise Transient("not-graph", "a page in place of a file")
        part = _PART.fullmatch(response.headers.get("content-range", ""))
        if response.status != 206:
            if self._partial.size:
                self._partial = _Partial(self._client)
        elif part is None or int(part[1]) != self._partial.size:
            self._partial = _Partial(self._client)
            raise Transient("not-graph", "another part than was asked for")
        tag = response.headers.get("etag", "")
        self._partial.tag = tag if tag.startswith('"') else ""

    def _url(self) -> str:
        """Return the address of the bytes; http only where Graph itself uses http."""
        if not self._file.url:
            self._renew_address()
        parts = urlsplit(self._file.url)
        safe = {"https", urlsplit(self._client.settings.graph_url).scheme}
        if parts.scheme not in safe or not parts.hostname:
            raise Rejected("item-refused", "the source tells no address of its bytes")
        return self._file.url

    def _handle_refusal(self, refused: GraphRefusal) -> None:
        if refused.code in MALWARE:
            raise Rejected("blocked-by-source", "the source calls it malware and does not give it out")
        if refused.status in EXPIRED:
            self._renew_address()
        else:
            error = translated(refused)
            passing = error if isinstance(error, Transient) else Transient("server-error", "")
            self._handle_fault(passing, self._partial.size)

    def _handle_fault(self, error: Transient, before: int) -> None:
        """Wait before the next attempt; continue at once when bytes arrived."""
        if self._partial.size > before:
            self._patience.progressed()
            self._suspects = self._renewals = 0
        elif error.code in WAITED_OUT:
            self._client.pause(self._patience, error)
        elif error.code == "source-closed":
            raise error
        else:
            self._suspects += 1
            if self._suspects >= TRIES:
                self._probe()
                raise Rejected("poison-item", "the server fails whenever this item is read")
            self._client.wait(FIRST_WAIT * 4**self._suspects)

    def _start_again(self) -> None:
        """Start from the beginning, with a new description, because the bytes do not match."""
        self._mismatches += 1
        if self._mismatches >= TRIES:
            raise Rejected("hash-mismatch", "what comes is not what the source says it is")
        self._client.wait(FIRST_WAIT * 4**self._mismatches)
        self._renew_file()
        self._partial = _Partial(self._client)

    def _renew_address(self) -> None:
        """Get a new address; keep the bytes so far if the file is the same."""
        self._renewals += 1
        if self._renewals >= TRIES:
            raise Rejected("item-refused", "the source does not give its bytes out")
        self._renew_file()

    def _renew_file(self) -> None:
        before = self._file.content
        self._file = self._renew()
        if self._file.content != before:
            self._partial = _Partial(self._client)
