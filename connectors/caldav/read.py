"""Read what is in a collection: listings, objects, and the owner of a UID.

A calendar-query without a bound is never sent: some servers answer it with a year or two around today. A
listing is a PROPFIND; objects are read by their names. Where a listing is partial, too, they are looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from caldav.elements import dav

from connectors.accepted_logins import UNCONFIRMED
from connectors.caldav import xml_elements as elements
from connectors.caldav.attachments import Attachment, Content, content_of, whole
from connectors.http.client import TOO_MANY, HttpAnswer, HttpClient, with_words
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import child, folder
from connectors.http.multistatus import DavResponse, Garbage, Multistatus, etag
from connectors.http.suspects import answers_well
from connectors.http.upload import PieceSink
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.kinds import Kind
from model.protocols import Body, Loss

LISTED_MOST = 2_000_000  # objects of one collection
PAGES_MOST = 10_000  # of one listing by sync-collection
MATCHES_MOST = 64  # objects that a query for one UID may name
WINDOW = 50  # objects of one multiget
NAMES = 200  # objects of one multiget without bodies
LASTING = frozenset({"connection-closed", "login-refused", UNCONFIRMED, "spool-full", "spool-unusable"})
HIDES = frozenset({"busy", "server-error", "reply-incomplete"})
"""Codes of faults that may be those of one attachment: the server answers."""
OVER_LIMIT = f"HTTP {TOO_MANY}"
"""The detail of a fault that says nothing about the attachment."""
ERRORS_MOST = 3  # pauses after errors of the server about one attachment
UID_BYTES = 1_000_000  # of an object, in which its UID stands
ENDS = (b"END:VCALENDAR", b"END:VCARD")
"""The last lines of objects (RFC 5545, section 3.4; RFC 6350, section 6.1.2)."""
TAIL_BYTES = 1_000  # of an object, in which its last line stands
Digest = Callable[[BinaryIO], bytes]
"""Returns what a body means; raises Rejected for one that it cannot read."""
Shared = Callable[[BinaryIO, BinaryIO, frozenset[str]], tuple[Loss, ...] | None]
"""Returns what is lost when the second body stands for the first, for a meeting to which the owner of the
addresses is invited; None when it cannot stand for it."""
_XML = {"Content-Type": "application/xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Current:
    """Hold an object as it is now.

    Attributes:
        etag: "" when the server gives none.
        body: its bytes.
        size: bytes.
        managed: its managed attachments; their contents stand in the body.
        unread: True if a fault of the server hides the content of an attachment, which is a link therefore.
    """

    etag: str
    body: Body
    size: int
    managed: tuple[Attachment, ...] = ()
    unread: bool = False


def meaning(current: Current, digest: Digest) -> bytes:
    """Return the meaning of an object; b"" for one that cannot be read and therefore is not ours.

    Args:
        current: the object.
        digest: returns the meaning of a body.
    """
    try:
        with current.body() as stream:
            return digest(stream)
    except Rejected:
        return b""


class CaldavReader:
    """Read without changing anything. Safe from several threads."""

    def __init__(
        self,
        client: HttpClient,
        kind: Kind,
        spool: Path,
        spool_above: int,
        vcard: str = "3.0",
        *,
        paged: bool = False,
        managed: bool = False,
    ) -> None:
        """Prepare the reader.

        Args:
            client: the HTTP client.
            kind: the kind of items.
            spool: the folder for spool files.
            spool_above: bytes; larger bodies go to a spool file.
            vcard: the vCard version to ask for.
            paged: True if a listing that is refused for its length is had in pages, by sync-collection.
            managed: True if the server shows attachments as URLs (RFC 8607): their contents are read as well.
        """
        self._client = client
        self._managed = managed and kind is Kind.CALENDAR
        self._paged = paged
        self._kind = kind
        self._vcard = vcard
        card = "text/vcard" if vcard == "3.0" else f"text/vcard; version={vcard}"
        self._accept = card if kind is Kind.CONTACTS else "text/calendar"
        self._spool = spool
        self._above = spool_above
        self._hidden: set[str] = set()  # URLs of attachments that a fault of the server hides

    def sink(self) -> PieceSink:
        """Return a new sink for a body."""
        return PieceSink(self._spool, self._above)

    def answers(self, container: str) -> int:
        """Return the status with which a collection answers the smallest request: 207 when it works."""
        body = elements.propfind((dav.ResourceType,))
        return self._client.look("PROPFIND", container, {**_XML, "Depth": "0"}, body).status

    def is_well(self, container: str) -> bool:
        """Return True if a collection answers the smallest request at once; nothing is waited out."""
        body = elements.propfind((dav.ResourceType,))
        return answers_well(lambda: self._client.ask("PROPFIND", container, {**_XML, "Depth": "0"}, body))

    def current(self, path: str, known: dict[str, Content] | None = None) -> Current | None:
        """Return the object at a path; None when there is none. Passing faults are waited out.

        Args:
            path: the object's path.
            known: attachments that were read already, by URL; what is read is added.
        """
        current = self._client.patiently(lambda: self._get(path))
        return None if current is None else self._whole(current, {} if known is None else known)

    def listed(self, container: str) -> Iterator[tuple[str, int]]:
        """Yield (segment, bytes) of every object as the answer arrives.

        Faults are waited out until the first object was yielded.

        Args:
            container: the collection's path.

        Raises:
            Transient: the answer breaks off after some objects, or the retries are used up.
        """
        body = elements.propfind((elements.ContentLength, dav.ResourceType))
        patience, started = self._client.patience(), False
        while True:
            try:
                for name, response in self._responses(container, "PROPFIND", body, "1", LISTED_MOST):
                    if not response.collection and 200 <= response.status < 300:
                        started = True
                        yield name, response.size or 0
                return
            except Blocked as error:
                if started or not self._paged or error.code != "server-refuses":
                    raise
                yield from self._pages(container)
                return
            except Transient as error:
                if started:
                    raise
                patience.pause(error)

    def _pages(self, container: str) -> Iterator[tuple[str, int]]:
        """Yield (segment, bytes) of every object, page by page.

        Source:
            RFC 6578, section 3.6: 507 of the collection itself says that the answer is only a part.
        """
        token, names, pages = "", set[str](), 0
        while True:
            page, further = self._client.patiently(partial(self._page, container, token))
            yield from ((name, size) for name, size in page if name not in names)
            if further is None:
                return
            before = len(names)
            names.update(name for name, _ in page)
            pages += 1
            if further == token or len(names) == before or len(names) > LISTED_MOST or pages > PAGES_MOST:
                raise Garbage
            token = further

    def _page(self, container: str, token: str) -> tuple[list[tuple[str, int]], str | None]:
        """Return a page's objects, and the token of the next page; None if there is none."""
        answer, page, cut = Multistatus(self.sink, LISTED_MOST), list[tuple[str, int]](), False
        for path, response in self._answer(container, "REPORT", elements.changes(token), "1", answer):
            name = child(container, path)
            if name is None:
                cut |= folder(path) == container and response.status == 507
            elif not response.collection and 200 <= response.status < 300:
                page.append((name, response.size or 0))
        return page, answer.token if cut else None

    def existing(self, container: str, names: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield (segment, bytes) of those of these objects that exist, in any order.

        Args:
            container: the collection's path.
            names: the last segments of the objects' paths.

        Raises:
            Transient: the retries are used up.
            Blocked: the server refuses.
        """
        waiting = iter(names)
        while window := list(dict.fromkeys(islice(waiting, NAMES))):
            found, unclear = self._client.patiently(partial(self._existing, container, window))
            yield from found
            for name in unclear:
                current = self.current(container + name)
                if current is not None:
                    yield name, current.size

    def _existing(self, container: str, names: Sequence[str]) -> tuple[list[tuple[str, int]], list[str]]:
        """Return (segment, bytes) of what exists, and what the answer leaves out or is unclear about."""
        body = elements.existence(self._kind, [container + name for name in names])
        unclear, found = dict.fromkeys(names), []
        for name, response in self._responses(container, "REPORT", body, "", len(names) * 2):
            known = 200 <= response.status < 300 or response.status in GONE
            if name in unclear and known:
                del unclear[name]
                if response.status not in GONE:
                    found.append((name, response.size or 0))
        return found, list(unclear)

    def read(
        self, container: str, names: Iterable[str], *, contents: bool = True
    ) -> Iterator[tuple[str, Current | MigrationError]]:
        """Yield each object of these names, in any order.

        Args:
            container: the collection's path.
            names: the last segments of the objects' paths.
            contents: False if managed attachments stay links.

        Yields:
            (name, object), or (name, Rejected("vanished")) for a missing object, or its own error.

        Raises:
            Transient: the retries are used up.
            Blocked: the server refuses, or a body cannot be spooled.
        """
        waiting = iter(names)
        while window := list(dict.fromkeys(islice(waiting, WINDOW))):
            left = dict.fromkeys(window)
            for name, result in self._read_together(container, left):
                if name in left:
                    del left[name]
                    if contents and isinstance(result, Current):
                        result = self._whole(result, {})
                    yield name, result
            for name in left:
                yield name, self._read_alone(container + name, contents=contents)

    def queried(self, container: str, uid: str, most: int) -> list[tuple[str, Current]]:
        """Return the objects that have exactly this UID, by a query.

        Args:
            container: the collection's path.
            uid: the UID.
            most: the most objects that the answer may name.

        Raises:
            Blocked: the server has no such query.
            Transient: "not-dav" when the answer names more than `most`.
        """
        body = elements.query(self._kind, uid)

        def attempt() -> list[tuple[str, Current]]:
            responses = self._responses(container, "REPORT", body, "1", most)
            pairs = (
                (name, Current(response.etag, response.body, response.length))
                for name, response in responses
                if response.body is not None
            )
            return list(_with_uid(pairs, uid))

        return self._client.patiently(attempt)

    # -- internals

    def _get(self, path: str) -> Current | None:
        """Read an object; None when there is none."""
        with self._client.stream("GET", path, {"Accept": self._accept}) as (head, chunks):
            if head.status in GONE:
                return None
            if head.status != 200:
                raise with_words(head, chunks).error()
            if "html" in head.headers.get("content-type", "").lower():
                raise Garbage
            sink, tail = self.sink(), b""
            for chunk in chunks:
                sink.write(chunk)
                tail = (tail + chunk)[-TAIL_BYTES:]
            length = head.headers.get("content-length")
            is_cut = not head.has_end and not tail.rstrip().upper().endswith(ENDS)
            if is_cut or (length is not None and length.strip() != str(sink.size)):
                raise Transient("reply-incomplete", "an object was cut off")
            return Current(etag(head.headers.get("etag")), sink.body(), sink.size)

    def _whole(self, current: Current, known: dict[str, Content]) -> Current:
        """Return an object with the contents of its managed attachments, as far as they can be had."""
        asked = set[str]()

        def fetch(url: str) -> Content | None:
            asked.add(url)
            if url not in known and (content := self._attachment(url)) is not None:
                known[url] = content
            return known.get(url)

        try:
            event = whole(current.body, fetch, self.sink) if self._managed else None
        except Rejected:  # all of them together are larger than anything that was written
            return replace(current, unread=True)
        unread = not asked.isdisjoint(self._hidden)
        if event is None:
            return replace(current, unread=unread)
        return Current(current.etag, event.body, event.size, event.managed, unread)

    def _attachment(self, url: str) -> Content | None:
        """Return what an attachment's URL gives; None for what cannot be had.

        Of the URL only the path counts: behind a proxy a server may name another host than ours. Where the
        server has a fault with one attachment, it is waited out once.
        """
        try:
            path = self._client.origin.path(urlsplit(url).path)
        except ValueError:
            return None
        if path is None or url in self._hidden:
            return None
        try:
            return self._downloaded(path)
        except Rejected:  # larger than anything that was written
            return None
        except Transient as error:
            if error.code not in HIDES or error.detail == OVER_LIMIT:
                raise
            self._hidden.add(url)
            return None

    def _downloaded(self, path: str) -> Content | None:
        """Download an attachment; wait out passing faults, but an error of the server only a few times."""
        patience, errors = self._client.patience(), 0
        while True:
            try:
                return self._download(path)
            except Transient as error:
                errors += error.code == "server-error"
                if errors > ERRORS_MOST:
                    raise
                patience.pause(error)

    def _download(self, path: str) -> Content | None:
        with self._client.stream("GET", path) as (head, chunks):
            if head.status != 200:
                error = with_words(head, chunks).error()
                if isinstance(error, Transient) or error.code == "login-refused":
                    raise error
                return None
            content = content_of(chunks, self.sink())
            length = head.headers.get("content-length")
            if not head.has_end or (length is not None and length.strip() != str(content.size)):
                raise Transient("reply-incomplete", "an attachment was cut off")
            return content

    def _read_alone(self, path: str, *, contents: bool) -> Current | MigrationError:
        try:
            current = self._client.patiently(lambda: self._get(path))
            if current is None:
                return _vanished()
            return self._whole(current, {}) if contents else current
        except Rejected as error:
            return error

    def _read_together(
        self, container: str, left: Collection[str]
    ) -> Iterator[tuple[str, Current | MigrationError]]:
        """Read objects by multiget; the caller asks singly for those that it does not give."""
        patience = self._client.patience()
        while len(left) > 1:
            try:
                yield from self._multiget(container, list(left))
                return
            except (Blocked, Transient) as error:
                if error.code in LASTING:
                    raise
                if error.code != "busy" or not isinstance(error, Transient):
                    return  # a server without this report, or one that broke off
                patience.pause(error)

    def _multiget(self, container: str, names: list[str]) -> Iterator[tuple[str, Current | MigrationError]]:
        body = elements.multiget(self._kind, [container + name for name in names], self._vcard)
        for name, response in self._responses(container, "REPORT", body, "", len(names) * 2):
            if response.error is not None:
                yield name, response.error
            elif response.body is not None:
                yield name, Current(response.etag, response.body, response.length)

    def _responses(
        self, container: str, method: str, body: bytes, depth: str, most: int
    ) -> Iterator[tuple[str, DavResponse]]:
        """Yield (segment, response) of a multistatus answer."""
        for path, response in self._answer(container, method, body, depth, Multistatus(self.sink, most)):
            if (name := child(container, path)) is not None:
                yield name, response

    def _answer(
        self, container: str, method: str, body: bytes, depth: str, answer: Multistatus
    ) -> Iterator[tuple[str, DavResponse]]:
        """Yield (canonical path, response) of a multistatus answer."""
        headers: Mapping[str, str] = {**_XML, **({"Depth": depth} if depth else {})}
        with self._client.stream(method, container, headers, body) as (head, chunks):
            if head.status != 207:
                raise _listing_error(with_words(head, chunks))
            for response in answer.read(chunks):
                path = self._client.origin.path(response.href, container)
                if path is not None:
                    yield path, response


def _with_uid(
    pairs: Iterable[tuple[str, Current | MigrationError]], uid: str
) -> Iterator[tuple[str, Current]]:
    """Yield the objects whose UID is exactly this one."""
    for name, result in pairs:
        if isinstance(result, Current) and uid_of(result.body) == uid:
            yield name, result


def uid_of(body: Callable[[], BinaryIO]) -> str | None:
    """Return the first UID of an object without parsing it; None without one."""
    with body() as stream:
        text = stream.read(UID_BYTES)
    for line in text.replace(b"\r\n", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"").split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.partition(b";")[0].rpartition(b".")[2].upper() == b"UID":
            return _unescape(value.decode("utf-8", "replace").strip())
    return None


def _unescape(text: str) -> str:
    """Resolve the escapes of TEXT (RFC 5545, section 3.3.11)."""
    for escaped in (",", ";"):
        text = text.replace("\\" + escaped, escaped)
    return text.replace("\\\\", "\\")


def _vanished() -> Rejected:
    return Rejected("vanished", "no longer at the target")


def _listing_error(head: HttpAnswer) -> MigrationError:
    if 200 <= head.status < 300:
        return Garbage()
    return head.error()
