"""Read multistatus answers as they arrive: a calendar of 50,000 objects never becomes a tree.

expat is used instead of lxml: it passes text of any length on in pieces, which go straight to a sink, and
reports a DTD before it reads it. Input that is not a multistatus raises Garbage.

Source:
    RFC 4918, section 14.16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from connectors.http.upload import PieceSink
from model.errors import MigrationError, Rejected, Transient
from model.protocols import Body

DAV = "DAV: "
BODIES = frozenset(
    {"urn:ietf:params:xml:ns:caldav calendar-data", "urn:ietf:params:xml:ns:carddav address-data"}
)
ETAG, LENGTH, TYPE = f"{DAV}getetag", f"{DAV}getcontentlength", f"{DAV}resourcetype"
DEEPEST = 64
LONGEST = 8192  # characters of a property that is no body
ETAG_MOST = 512
_HREF = [f"{DAV}multistatus", f"{DAV}response", f"{DAV}href"]


class Garbage(Transient):
    """Report an answer that is not a multistatus, or one without an end: Transient("not-dav")."""

    def __init__(self) -> None:
        super().__init__("not-dav", "something answered that is no DAV server")


@dataclass(slots=True)
class DavResponse:
    """Hold one response.

    Attributes:
        href: the text of its href.
        status: the status of the whole response; 200 when there is none.
        etag: the ETag; "" without a usable one.
        size: getcontentlength in bytes; None when the server gave none.
        collection: True for a collection.
        body: the object's data; None when it was not requested or could not be kept.
        length: bytes of the body.
        error: why the body could not be kept; None otherwise.
    """

    href: str = ""
    status: int = 200
    etag: str = ""
    size: int | None = None
    collection: bool = False
    body: Body | None = None
    length: int = 0
    error: MigrationError | None = None


@dataclass(slots=True)
class _Propstat:
    """Hold one propstat while it is read."""

    status: int = 200
    text: dict[str, str] = field(default_factory=dict)
    collection: bool = False
    sink: PieceSink | None = None
    error: MigrationError | None = None


class Multistatus:
    """Parse one multistatus answer.

    Attributes:
        token: the sync token that it names (RFC 6578, section 6.4), once it was read to its end; "" without
            one.
    """

    def __init__(self, sink: Callable[[], PieceSink], most: int) -> None:
        """Prepare the parser.

        Args:
            sink: returns a new sink for each body.
            most: the most responses that the answer may have.
        """
        self._make = sink
        self._left = most
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._response = DavResponse()
        self._propstat: _Propstat | None = None
        self._ready: list[DavResponse] = []
        self._failed: MigrationError | None = None
        self.token = ""
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.buffer_size = 1 << 16
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data

    def read(self, chunks: Iterable[bytes]) -> Iterator[DavResponse]:
        """Yield the responses of an answer's body as they become complete.

        Args:
            chunks: the body.

        Raises:
            Garbage: the answer is not a multistatus or has no end.
            Blocked: a body cannot be spooled.
        """
        for chunk in chunks:
            self._parse(chunk, False)
            ready, self._ready = self._ready, []
            yield from ready
        self._parse(b"", True)
        yield from self._ready

    def _parse(self, chunk: bytes, final: bool) -> None:
        try:
            self._parser.Parse(chunk, final)
        except (
            expat.ExpatError,
            LookupError,
            ValueError,
        ):  # the latter two: an encoding that expat cannot read
            raise Garbage from None

    def _doctype(self, *_: object) -> None:
        raise Garbage

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        path = self._path
        path.append(name)
        if len(path) > DEEPEST or (len(path) == 1 and name != _HREF[0]):
            raise Garbage
        if path[-1] == f"{DAV}response" and len(path) == 2:
            self._left -= 1
            if self._left < 0:
                raise Garbage
            self._response = DavResponse()
        elif len(path) == 3 and name == f"{DAV}propstat":
            self._propstat = _Propstat()
        elif self._propstat is not None and len(path) == 5 and name in BODIES:
            self._propstat.sink = self._make()
        elif self._propstat is not None and len(path) == 6 and path[4] == TYPE:
            self._propstat.collection |= name == f"{DAV}collection"
        self._text.clear()
        self._length = 0

    def _data(self, text: str) -> None:
        propstat = self._propstat
        if propstat is not None and propstat.sink is not None and self._path[-1] in BODIES:
            if propstat.error is None:
                try:
                    propstat.sink.write(text.encode())
                except Rejected as error:
                    propstat.error = error
            return
        self._length += len(text)
        if self._length <= LONGEST:
            self._text.append(text)

    def _end(self, name: str) -> None:
        path = self._path
        text = "".join(self._text).strip() if self._length <= LONGEST else ""
        if path == _HREF:
            self._response.href = text
        elif len(path) == 3 and name == f"{DAV}status":
            self._response.status = _status(text)
        elif self._propstat is not None and name == f"{DAV}status" and len(path) == 4:
            self._propstat.status = _status(text)
        elif self._propstat is not None and len(path) == 5:
            self._propstat.text[name] = text
        elif self._propstat is not None and len(path) == 3:
            _merge(self._response, self._propstat)
            self._propstat = None
        elif len(path) == 2 and name == f"{DAV}sync-token":
            self.token = text
        elif len(path) == 2 and name == f"{DAV}response":
            self._ready.append(self._response)
        path.pop()
        self._text.clear()
        self._length = 0


def _merge(response: DavResponse, propstat: _Propstat) -> None:
    """Add the properties of a successful propstat to the response."""
    if not 200 <= propstat.status < 300:
        return
    response.etag = etag(propstat.text.get(ETAG, response.etag))
    size = propstat.text.get(LENGTH, "")
    if size.isascii() and size.isdigit() and len(size) < 16:
        response.size = int(size)
    response.collection |= propstat.collection
    response.error = propstat.error or response.error
    if propstat.sink is not None and propstat.error is None:
        response.body, response.length = propstat.sink.body(), propstat.sink.size


def _status(line: str) -> int:
    """Return the number in "HTTP/1.1 404 Not Found"; 500 for any other line."""
    parts = line.split(maxsplit=2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isascii() and parts[1].isdigit() else 500


def etag(text: str | None) -> str:
    """Return an ETag as it may be sent back; "" for one that may not be sent.

    The result is always strong: a proxy that compresses makes an ETag weak, and a weak one never matches. It
    is always in quotation marks, which some servers leave out of DAV:getetag (Open-Xchange 8.19, measured).

    Source:
        RFC 9110, sections 8.8.3 and 13.1.1.
    """
    value = (text or "").strip().removeprefix("W/")
    if not value or not value.isascii() or not value.isprintable() or len(value) > ETAG_MOST:
        return ""
    return value if value.startswith('"') else f'"{value}"'
