"""Read an EWS reply as a stream; bodies are cut out of the bytes before the XML parser sees them.

Nine tenths of a GetItem reply are base64. Finding its end with bytes.find and decoding it as it arrives costs
a fraction of parsing it. The small rest goes through lxml, one ResponseMessage at a time, without entities,
without network and with a bound on size. In place of a body the rest carries its number, so that a body and
its element can never be paired wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

from lxml import etree

from connectors.ews.errors import SOAP, TNS
from connectors.http.base64_spool import BodySink
from model.errors import Transient
from model.protocols import Body

REST_MOST = 32_000_000  # bytes of one ResponseMessage without its bodies
TAGS_MOST = 2_000_000  # of one ResponseMessage: each takes about 100 bytes of memory, however short it is
TAG_MOST = 65_536  # bytes of one tag, and of what may stand before the first
BODIES_MOST = 10_000  # in one ResponseMessage
HELD_MOST = 64_000_000  # bytes of its bodies in memory, in addition to one body that is not spooled yet
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MARK = re.compile(rb"<(?:(?:[A-Za-z_][\w.-]*:)?(MimeContent|Content)(?=[\s/>])|!\[CDATA\[|!--|!DOCTYPE)")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
_LONGEST_REFERENCE = 14
FORBIDDEN = "\ufdd0"
"""Replaces a character that XML 1.0 forbids and servers send nevertheless. It is a noncharacter, so it
differs from everything that people write."""
_ILLEGAL = bytes(c for c in range(32) if c not in (9, 10, 13))
_RAW = re.compile(b"[" + re.escape(_ILLEGAL) + b"]")


@dataclass(slots=True)
class ExtractedBody:
    """Hold one body that was taken out of the stream.

    Attributes:
        body: the body; None when its base64 was damaged.
        size: bytes of the body.
        held: bytes of it in memory.
    """

    body: Body | None
    size: int
    held: int


@dataclass(slots=True)
class ResponseMessage:
    """Hold one complete ResponseMessage or SOAP Fault.

    Attributes:
        element: the element.
        bodies: the bodies, keyed by the text that stands in place of them.
    """

    element: etree._Element
    bodies: dict[str, ExtractedBody] = field(default_factory=dict)


def not_soap() -> Transient:
    """Return the error for anything that is not a SOAP envelope."""
    return Transient("not-soap", "something answered that is no Exchange web service")


class Cutter:
    """Split a byte stream into the XML without bodies, and the bodies.

    A tag or character reference that the end of a chunk breaks is kept until the next chunk, so chunks may be
    cut anywhere.
    """

    def __init__(self, sink: Callable[[], BodySink]) -> None:
        self._make = sink
        self._held = b""
        self._state: Callable[[bytes, list[bytes]], bytes | None] = self._text
        self._sink: BodySink | None = None
        self._until = b""
        self._count = 0
        self._weight = 0
        self.bodies: dict[str, ExtractedBody] = {}

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk and return XML to parse.

        Raises:
            Transient: "not-soap" for a DTD, an endless tag, or more bodies than any message has.
            Blocked: a body cannot be spooled.
        """
        out: list[bytes] = []
        data: bytes | None = self._held + chunk if self._held else chunk
        self._held = b""
        while data:
            data = self._state(data, out)
        if len(self._held) > TAG_MOST:
            raise not_soap()
        return b"".join(out)

    def taken(self, others: dict[str, ExtractedBody]) -> None:
        """Keep only the bodies that no message took yet."""
        self.bodies = others
        if not others:
            self._weight = 0

    def rest(self) -> bytes:
        """Return what was kept, at the end of the stream."""
        return self._held

    def _text(self, data: bytes, out: list[bytes]) -> bytes | None:
        mark = _MARK.search(data)
        if mark is None:
            self._held = _incomplete(data)
            out.append(_legal(data[: len(data) - len(self._held)]))
            return None
        opening = mark.group()
        if opening == b"<!DOCTYPE":
            raise not_soap()
        if mark.group(1) is None:
            out.append(_legal(data[: mark.end()]))
            self._until = b"]]>" if opening.endswith(b"[") else b"-->"
            self._state = self._verbatim
            return data[mark.end() :]
        return self._open_body(data, mark.start(), out)

    def _open_body(self, data: bytes, start: int, out: list[bytes]) -> bytes | None:
        end = data.find(b">", start)
        if end < 0:
            out.append(_legal(data[:start]))
            self._held = data[start:]
            return None
        out.append(_legal(data[: end + 1]))
        if data[end - 1] != 0x2F:  # not <MimeContent/>
            self._sink = self._make()
            self._state = self._body
        return data[end + 1 :]

    def _body(self, data: bytes, out: list[bytes]) -> bytes | None:
        sink = self._sink
        assert sink is not None  # noqa: S101 - set on the way into this state
        end = data.find(b"<")
        sink.feed(data if end < 0 else data[:end])
        if end < 0:
            return None
        self._count += 1
        name = str(self._count)
        if len(self.bodies) >= BODIES_MOST or self._weight > HELD_MOST:
            raise not_soap()
        held = sink.held
        self._weight += held
        self.bodies[name] = ExtractedBody(sink.finish(), sink.size, held)
        out.append(name.encode())
        self._sink = None
        self._state = self._text
        # The closing tag is no opening tag, so _text passes it on.
        return data[end:]

    def _verbatim(self, data: bytes, out: list[bytes]) -> bytes | None:
        end = data.find(self._until)
        if end < 0:
            keep = len(self._until) - 1
            self._held = data[-keep:]
            out.append(_legal(data[:-keep]))
            return None
        end += len(self._until)
        out.append(_legal(data[:end]))
        self._state = self._text
        return data[end:]


def _incomplete(data: bytes) -> bytes:
    """Return the tail that a later chunk must complete: an open tag or a character reference."""
    start = data.rfind(b"<")
    if start >= 0 and data.find(b">", start) < 0:
        return data[start:]
    start = data.rfind(b"&", -_LONGEST_REFERENCE)
    if start >= 0 and data.find(b";", start) < 0:
        return data[start:]
    return b""


def _legal(xml: bytes) -> bytes:
    """Return the XML with FORBIDDEN in place of characters that XML does not allow."""
    if len(xml.translate(None, _ILLEGAL)) < len(xml):
        xml = _RAW.sub(FORBIDDEN.encode(), xml)
    return _REFERENCE.sub(_legal_reference, xml) if b"&#" in xml else xml


def _legal_reference(match: re.Match[bytes]) -> bytes:
    number = int(match[1], 16) if match[1] else int(match[2])
    legal = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0xFFFE
    return match.group() if legal or 0x10000 <= number <= 0x10FFFF else b"&#x%X;" % ord(FORBIDDEN)


class EwsReply:
    """Read one reply."""

    def __init__(self, chunks: Iterable[bytes], answer: str, sink: Callable[[], BodySink]) -> None:
        """Prepare the parser. The attribute `version` is the server's own, once its header was read.

        Args:
            chunks: the reply's bytes.
            answer: the local name of the expected ResponseMessage.
            sink: returns a new sink for each body.
        """
        self._chunks = iter(chunks)
        self._cutter = Cutter(sink)
        tags = ("{*}" + answer, SOAP + "Fault", TNS + "ServerVersionInfo")
        self._parser = etree.XMLPullParser(
            events=("end",),
            tag=tags,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        self._pending = 0
        self._tags = 0
        self._begun = False
        self._start = b""
        self.version: dict[str, str] = {}

    def messages(self) -> Iterator[ResponseMessage]:
        """Yield each ResponseMessage as soon as it is complete.

        Raises:
            Transient: "not-soap", or "connection-cut" when the reply ends early. What was yielded before is
                complete.
            Blocked: a body cannot be spooled.
        """
        for chunk in self._chunks:
            yield from self._parse(self._cutter.feed(chunk if self._begun else self._first(chunk)))
        yield from self._parse(self._cutter.rest())
        if not self._begun:
            raise not_soap()
        try:
            root = self._parser.close()
        except etree.XMLSyntaxError:
            raise Transient("connection-cut", "the reply ended early") from None
        if root.tag != SOAP + "Envelope":
            raise not_soap()

    def _first(self, chunk: bytes) -> bytes:
        # XML allows nothing before its declaration; some servers send a line end, or a byte order mark in
        # pieces.
        self._start += chunk
        if len(self._start) - len(chunk) > TAG_MOST:
            raise not_soap()
        chunk = self._start.removeprefix(BYTE_ORDER_MARK).lstrip()
        if not chunk or BYTE_ORDER_MARK.startswith(chunk):
            return b""
        if not chunk.startswith(b"<"):
            next(self._chunks, None)  # raises if the answer was cut: then it says nothing about the server
            raise not_soap()
        self._begun = True
        return chunk

    def _parse(self, xml: bytes) -> Iterator[ResponseMessage]:
        if not xml:
            return
        self._pending += len(xml)
        self._tags += xml.count(b"<")
        if self._pending > REST_MOST or self._tags > TAGS_MOST:
            raise Transient("not-soap", "a reply is larger than any web service sends")
        try:
            self._parser.feed(xml)
        except etree.XMLSyntaxError:
            # Complete messages before the fault are in the parser: yield them first.
            yield from self._complete()
            raise not_soap() from None
        yield from self._complete()

    def _complete(self) -> Iterator[ResponseMessage]:
        """Yield the messages that became complete."""
        for _, event_element in self._parser.read_events():
            element = cast("etree._Element", event_element)  # an "end" event carries nothing else
            if element.tag == TNS + "ServerVersionInfo":
                self.version = {str(name): str(value) for name, value in element.attrib.items()}
                continue
            self._pending = self._tags = 0
            bodies, others = _own(element, self._cutter.bodies)
            self._cutter.taken(others)
            yield ResponseMessage(element, bodies)
            _forget(element)


def _own(
    element: etree._Element, cuts: dict[str, ExtractedBody]
) -> tuple[dict[str, ExtractedBody], dict[str, ExtractedBody]]:
    """Return the bodies inside this element, and those of later messages."""
    if not cuts:
        return {}, cuts
    names = {holder.text or "" for holder in element.iter("{*}MimeContent", "{*}Content")}
    return {n: c for n, c in cuts.items() if n in names}, {n: c for n, c in cuts.items() if n not in names}


def _forget(element: etree._Element) -> None:
    """Free a message that was handled, so that a reply of any length needs the memory of one message."""
    element.clear()
    for ancestor in (element, *element.iterancestors()):
        parent = ancestor.getparent()
        while parent is not None and ancestor.getprevious() is not None:
            del parent[0]
