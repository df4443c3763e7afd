"""What is in a collection: listings, objects, and who has a UID.

Never a REPORT without a bound: some servers answer one with a year or two around today. A listing is a
PROPFIND; objects are read by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from caldav.elements import dav

from connectors.accepted_logins import UNCONFIRMED
from connectors.caldav import xml_elements as elements
from connectors.http.client import HttpAnswer, HttpClient, with_words
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import child
from connectors.http.multistatus import DavResponse, Garbage, Multistatus, etag
from connectors.http.upload import BodySink
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.protocols import Body, Kind, Loss

LISTED_MOST = 2_000_000  # objects of one collection
MATCHES_MOST = 64  # objects that a query for one UID may name
WINDOW = 50  # objects of one multiget
LASTING = frozenset({"connection-closed", "login-refused", UNCONFIRMED, "spool-full", "spool-unusable"})
UID_BYTES = 1_000_000  # of an object, in which its UID stands
Digest = Callable[[BinaryIO], bytes]
"""What a body means; raises Rejected for one that it cannot read."""
Shared = Callable[[BinaryIO, BinaryIO, frozenset[str]], tuple[Loss, ...] | None]
"""What is lost when the second body stands for the first, of a meeting to which the owner of these addresses
is invited; None: it cannot."""
_XML = {"Content-Type": "application/xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Current:
    """An object as it is now. etag "": the server tells none."""

    etag: str
    body: Body
    size: int


def meaning(current: Current, digest: Digest) -> bytes:
    """b"" for what cannot be read: it is not what we wrote."""
    try:
        with current.body() as stream:
            return digest(stream)
    except Rejected:
        return b""


class CaldavReader:
    """Everything that only looks. Safe from several threads."""

    def __init__(
        self, client: HttpClient, kind: Kind, spool: Path, spool_above: int, vcard: str = "3.0"
    ) -> None:
        self._client = client
        self._kind = kind
        self._vcard = vcard
        card = "text/vcard" if vcard == "3.0" else f"text/vcard; version={vcard}"
        self._accept = card if kind is Kind.CONTACTS else "text/calendar"
        self._spool = spool
        self._above = spool_above

    def sink(self) -> BodySink:
        return BodySink(self._spool, self._above)

    def answers(self, container: str) -> int:
        """The status with which a collection answers the least there is to ask: 207 when it is well."""
        body = elements.propfind((dav.ResourceType,))
        return self._client.look("PROPFIND", container, {**_XML, "Depth": "0"}, body).status

    def current(self, path: str) -> Current | None:
        """The object at path; None when there is none. Waits out what may pass."""
        return self._client.patiently(lambda: self._got(path))

    def listed(self, container: str) -> Iterator[tuple[str, int]]:
        """(segment, bytes) of every object, as the answer arrives. Raises Transient when it breaks off after
        some were told; until then faults are waited out."""
        body = elements.propfind((elements.ContentLength, dav.ResourceType))
        patience, told = self._client.patience(), False
        while True:
            try:
                for name, found in self._found(container, "PROPFIND", body, "1", LISTED_MOST):
                    if not found.collection and 200 <= found.status < 300:
                        told = True
                        yield name, found.size or 0
                return
            except Transient as error:
                if told:
                    raise
                patience.pause(error)

    def read(self, container: str, names: Iterable[str]) -> Iterator[tuple[str, Current | MigrationError]]:
        """Each object of these names, in any order; Rejected("vanished") for one that is gone."""
        waiting = iter(names)
        while window := list(dict.fromkeys(islice(waiting, WINDOW))):
            left = dict.fromkeys(window)
            for name, found in self._together(container, left):
                if name in left:
                    del left[name]
                    yield name, found
            for name in left:
                yield name, self._alone(container + name)

    def queried(self, container: str, uid: str, most: int) -> list[tuple[str, Current]]:
        """What a query for the UID finds, and has exactly that. Raises Blocked where there is no such query,
        Garbage when more than most are named."""
        body = elements.query(self._kind, uid)

        def attempt() -> list[tuple[str, Current]]:
            found = self._found(container, "REPORT", body, "1", most)
            pairs = (
                (name, Current(one.etag, one.body, one.length)) for name, one in found if one.body is not None
            )
            return list(_with_uid(pairs, uid))

        return self._client.patiently(attempt)

    # -- internals

    def _got(self, path: str) -> Current | None:
        with self._client.stream("GET", path, {"Accept": self._accept}) as (head, chunks):
            if head.status in GONE:
                return None
            if head.status != 200:
                raise with_words(head, chunks).error()
            if "html" in head.headers.get("content-type", "").lower():
                raise Garbage
            sink = self.sink()
            for chunk in chunks:
                sink.write(chunk)
            length = head.headers.get("content-length")
            if length is not None and length.strip() != str(sink.size):
                raise Transient("reply-incomplete", "an object was cut off")
            return Current(etag(head.headers.get("etag")), sink.body(), sink.size)

    def _alone(self, path: str) -> Current | MigrationError:
        try:
            return self.current(path) or _vanished()
        except Rejected as error:
            return error

    def _together(
        self, container: str, left: Collection[str]
    ) -> Iterator[tuple[str, Current | MigrationError]]:
        """What a multiget gives of those that are left, which the caller counts; the rest is for it to ask
        singly."""
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
        for name, found in self._found(container, "REPORT", body, "", len(names) * 2):
            if found.error is not None:
                yield name, found.error
            elif found.body is not None:
                yield name, Current(found.etag, found.body, found.length)

    def _found(
        self, container: str, method: str, body: bytes, depth: str, most: int
    ) -> Iterator[tuple[str, DavResponse]]:
        headers: Mapping[str, str] = {**_XML, **({"Depth": depth} if depth else {})}
        with self._client.stream(method, container, headers, body) as (head, chunks):
            if head.status != 207:
                raise _not_listed(with_words(head, chunks))
            for found in Multistatus(self.sink, most).read(chunks):
                path = self._client.origin.path(found.href, container)
                name = child(container, path) if path is not None else None
                if name is not None:
                    yield name, found


def _with_uid(
    pairs: Iterable[tuple[str, Current | MigrationError]], uid: str
) -> Iterator[tuple[str, Current]]:
    for name, one in pairs:
        if isinstance(one, Current) and uid_of(one.body) == uid:
            yield name, one


def uid_of(body: Callable[[], BinaryIO]) -> str | None:
    """The first UID of an object, without parsing it."""
    with body() as stream:
        text = stream.read(UID_BYTES)
    for line in text.replace(b"\r\n", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"").split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.partition(b";")[0].rpartition(b".")[2].upper() == b"UID":
            return _unescaped(value.decode("utf-8", "replace").strip())
    return None


def _unescaped(text: str) -> str:
    """TEXT's escapes (RFC 5545, 3.3.11)."""
    for escaped in (",", ";"):
        text = text.replace("\\" + escaped, escaped)
    return text.replace("\\\\", "\\")


def _vanished() -> Rejected:
    return Rejected("vanished", "no longer at the target")


def _not_listed(head: HttpAnswer) -> MigrationError:
    if 200 <= head.status < 300:
        return Garbage()
    return head.error()
