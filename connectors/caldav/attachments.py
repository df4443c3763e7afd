"""Take large attachments out of an event, and put the content of managed attachments back into it.

A server that manages attachments (RFC 8607) gives a URL with a MANAGED-ID in place of the content. So that
the meaning of an event is the same wherever its attachments are, an event is read with their contents.
Contents are never held in memory whole: they go through spool files.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from connectors.http.upload import PieceSink
from model.protocols import Body

PIECE = 1 << 16  # bytes that are read at once
ENCODED = 5_700  # bytes of content in one line of base64; a multiple of three
HEAD_MOST = 1 << 16  # bytes of a property before its value
_HEAD = re.compile(rb'[^":]*(?:"[^"]*"[^":]*)*:')
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:,]*)')
_CARETED = re.compile(r"\^[nN^']")
_CARET = {"^n": "\n", "^N": "\n", "^^": "^", "^'": '"'}
_INLINE = "BASE64"
_BINARY = b";VALUE=BINARY;ENCODING=BASE64:"

NewSink = Callable[[], PieceSink]


@dataclass(frozen=True, slots=True)
class Content:
    """Hold what is in an attachment.

    Attributes:
        size: bytes.
        digest: the SHA-256.
        body: its bytes.
    """

    size: int
    digest: bytes
    body: Body


@dataclass(frozen=True, slots=True)
class Attachment:
    """Hold an attachment of an event.

    Attributes:
        line: the property in front of its value, unfolded, with the colon.
        parameters: of the property, by upper-case name.
        content: what is in it.
        stored: the whole property as the server gave it, with its line ends; b"" for one that stood inside.
    """

    line: bytes
    parameters: Mapping[str, str]
    content: Content
    stored: bytes = b""

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return self.parameters.get("FILENAME") or self.parameters.get("X-FILENAME") or "attachment"

    @property
    def media_type(self) -> str:
        """Return the media type."""
        return self.parameters.get("FMTTYPE") or "application/octet-stream"

    @property
    def managed_id(self) -> str:
        """Return the server's id of a managed attachment; "" for another."""
        return self.parameters.get("MANAGED-ID", "")


Fetch = Callable[[str], Content | None]
"""Returns what is at the URL of an attachment; None if there is nothing."""


@dataclass(frozen=True, slots=True)
class WholeEvent:
    """Hold an event with the contents of its managed attachments.

    Attributes:
        body: the object; its attachments stand inside.
        size: bytes.
        managed: its managed attachments.
    """

    body: Body
    size: int
    managed: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Parcel:
    """Hold an event and its large attachments, which are sent one by one.

    Attributes:
        body: the object without them.
        size: bytes of `body`.
        large: the attachments.
        alone: True if the object is one event, so that it is clear where its attachments belong.
        sink: makes a sink for a further body.
    """

    body: Body
    size: int
    large: tuple[Attachment, ...]
    alone: bool
    sink: NewSink

    def missing(self, managed: Iterable[Attachment]) -> list[Attachment]:
        """Return those of the large attachments that an event has not, each as often as it lacks it."""
        there = Counter(one.content.digest for one in managed)
        lacking = []
        for one in self.large:
            if there[one.content.digest]:
                there[one.content.digest] -= 1
            else:
                lacking.append(one)
        return lacking

    def kept(self, managed: Iterable[Attachment]) -> list[Attachment]:
        """Return which of an event's attachments are among the large ones, none twice."""
        wanted = Counter(one.content.digest for one in self.large)
        found = []
        for one in managed:
            if wanted[one.content.digest]:
                wanted[one.content.digest] -= 1
                found.append(one)
        return found

    def outgoing(self, kept: Sequence[Attachment]) -> tuple[Body, int]:
        """Return the object to send, and its bytes, with properties that keep what the server has."""
        return self._with(self.body, kept) if kept else (self.body, self.size)

    def without(self, refused: Sequence[Attachment]) -> Body:
        """Return the whole object, but without these of its large attachments."""
        return self._with(self.body, [one for one in self.large if one not in refused])[0]

    def completed(self, body: Body, missing: Sequence[Attachment]) -> Body:
        """Return an object of the server with what it lacks."""
        return self._with(body, missing)[0]

    def _with(self, body: Body, attachments: Sequence[Attachment]) -> tuple[Body, int]:
        """Return an object, and its bytes, with attachments at the end of its first event."""
        sink, waiting = self.sink(), list(attachments)
        with body() as stream:
            for piece, content, begins in _pieces(stream):
                if begins and waiting and content.upper().startswith(b"END:VEVENT"):
                    for one in waiting:
                        _write(one, sink)
                    waiting.clear()
                sink.write(piece)
        return sink.body(), sink.size


def parted(body: Body, most: int, sink: NewSink) -> Parcel:
    """Take the attachments of more than `most` bytes out of an iCalendar object.

    Args:
        body: the object; attachments stand inside, in base64.
        most: the most bytes of an attachment that stays inside.
        sink: makes a sink for a body.
    """
    rest, large, events = sink(), list[Attachment](), 0
    with body() as stream:
        for part in _parts(stream, sink):
            if isinstance(part, _Property):
                inside = part.inside()
                if inside is not None and inside.content.size > most:
                    large.append(inside)
                    continue
                part.copy(rest)
                continue
            piece, content = part
            events += content.upper().startswith(b"BEGIN:VEVENT")
            rest.write(piece)
    return Parcel(rest.body(), rest.size, tuple(large), events == 1, sink)


def whole(body: Body, fetch: Fetch, sink: NewSink) -> WholeEvent | None:
    """Put the contents of managed attachments into an object.

    An attachment whose content cannot be had stays a link. One without a SIZE is empty: so does Open-Xchange
    8.19 show what it did not keep.

    Args:
        body: the object as the server gives it.
        fetch: returns an attachment's content.
        sink: makes a sink for a body.

    Returns:
        None if it has no managed attachment.

    Source:
        RFC 8607, section 4.
    """
    made, managed = sink(), list[Attachment]()
    with body() as stream:
        for part in _parts(stream, sink):
            if not isinstance(part, _Property):
                made.write(part[0])
                continue
            attachment = part.managed(fetch)
            if attachment is None:
                part.copy(made)
                continue
            managed.append(attachment)
            _write_inside(attachment.line[:-1] + _BINARY, attachment.content, made)
    return WholeEvent(made.body(), made.size, tuple(managed)) if managed else None


def _pieces(stream: BinaryIO) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield (bytes, the same without folding and line end, True if a property begins here)."""
    at_start = True
    while piece := stream.readline(PIECE):
        begins = at_start and piece[:1] not in (b" ", b"\t")
        content = piece[1:] if at_start and not begins else piece
        at_start = piece.endswith(b"\n")
        yield piece, content.rstrip(b"\r\n"), begins


def _parts(stream: BinaryIO, sink: NewSink) -> Iterator[tuple[bytes, bytes] | _Property]:
    """Yield each ATTACH as a property, and everything else as (bytes, content)."""
    current: _Property | None = None
    for piece, content, begins in _pieces(stream):
        if begins and current is not None:
            yield current
            current = None
        if begins and content[:7].upper() in (b"ATTACH;", b"ATTACH:"):
            current = _Property(sink)
        if current is None:
            yield piece, content
        else:
            current.add(piece, content)
    if current is not None:
        yield current


class _Property:
    """Take an ATTACH piece by piece, and decode what stands inside."""

    def __init__(self, sink: NewSink) -> None:
        self._new = sink
        self._raw = sink()
        self._head = b""
        self._colon = False
        self._parameters: Mapping[str, str] = {}
        self._value = b""
        self._decoder: _Decoder | None = None

    def add(self, piece: bytes, content: bytes) -> None:
        """Take the next bytes; `content` is without folding."""
        self._raw.write(piece)
        if self._decoder is not None:
            self._decoder.add(content)
        elif len(self._head) + len(self._value) > HEAD_MOST:
            return
        elif self._colon:
            self._value += content
        else:
            self._head += content
            self._split()

    def _split(self) -> None:
        """Part the value from what is before it, as soon as the colon is there."""
        found = _HEAD.match(self._head)
        if found is None:
            return
        self._colon = True
        self._head, value = found[0], self._head[found.end() :]
        text = self._head.decode("utf-8", "replace")
        self._parameters = {name.upper(): _plain(value_) for name, value_ in _PARAMETER.findall(text)}
        if self._parameters.get("ENCODING", "").upper() == _INLINE:
            self._decoder = _Decoder(self._new())
            self._decoder.add(value)
        else:
            self._value = value

    def copy(self, to: PieceSink) -> None:
        """Write the property as it came."""
        _copy(self._raw.body(), to)

    def inside(self) -> Attachment | None:
        """Return the attachment that stands inside; None for a link, or base64 that is damaged."""
        content = self._decoder.content() if self._decoder is not None else None
        return None if content is None else Attachment(self._head, self._parameters, content)

    def managed(self, fetch: Fetch) -> Attachment | None:
        """Return the managed attachment with its content; None for any other, or without its content."""
        if "MANAGED-ID" not in self._parameters or self._decoder is not None:
            return None
        url = self._value.decode("utf-8", "replace").strip()
        is_empty = self._parameters.get("SIZE", "") in ("", "0")
        content = content_of((), self._new()) if is_empty else fetch(url)
        if content is None:
            return None
        with self._raw.body()() as stream:
            stored = stream.read(HEAD_MOST)
        return Attachment(self._head, self._parameters, content, stored)


class _Decoder:
    """Decode base64 piece by piece."""

    def __init__(self, sink: PieceSink) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self._left = b""
        self._is_damaged = False

    def add(self, text: bytes) -> None:
        """Take the next characters."""
        text = self._left + b"".join(text.split())
        end = len(text) // 4 * 4
        self._left = text[end:]
        try:
            data = binascii.a2b_base64(text[:end])
        except binascii.Error:
            self._is_damaged = True
            return
        self._sink.write(data)
        self._hash.update(data)

    def content(self) -> Content | None:
        """Return what was decoded; None if it was damaged."""
        if self._is_damaged or self._left:
            return None
        return Content(self._sink.size, self._hash.digest(), self._sink.body())


def content_of(chunks: Iterable[bytes], sink: PieceSink) -> Content:
    """Return an attachment's content, as it arrives."""
    hash_ = hashlib.sha256()
    for chunk in chunks:
        sink.write(chunk)
        hash_.update(chunk)
    return Content(sink.size, hash_.digest(), sink.body())


def _write(attachment: Attachment, to: PieceSink) -> None:
    """Write the property: as the server gave it, or with its content inside."""
    if attachment.stored:
        to.write(attachment.stored)
    else:
        _write_inside(attachment.line, attachment.content, to)


def _write_inside(line: bytes, content: Content, to: PieceSink) -> None:
    to.write(line)
    with content.body() as stream:
        while data := stream.read(ENCODED):
            to.write(b"\r\n " + binascii.b2a_base64(data, newline=False))
    to.write(b"\r\n")


def _copy(body: Body, to: PieceSink) -> None:
    with body() as stream:
        while data := stream.read(PIECE):
            to.write(data)


def _plain(value: str) -> str:
    """Return a parameter's value without quotes and RFC 6868's escapes."""
    return _CARETED.sub(lambda match: _CARET[match[0]], value.strip('"'))
