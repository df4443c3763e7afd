"""Walk the structure of a message once and hash it, without what differs between two renderings.

mappings.mail.digest says what that is, and why. The walk holds the headers of one part and two chunks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mappings.mail.content import DigestSink, Exact, NotUnderstood, TextDigest, sink_for
from mappings.mail.header import Field, MailHeader, is_rendered, read_head

__all__ = ["NotUnderstood", "hash_entity"]

HEAD_MOST = 1 << 20
BOUNDARY_MOST = 200
PIECE = 1 << 13
DEPTH_MOST = 40
_NAME = re.compile(rb"[!-9;-~]+")


@dataclass(frozen=True, slots=True)
class Delimiter:
    """Describe a boundary line.

    Attributes:
        depth: of the boundary; 0 is the end of input.
        closing: True if it closes its multipart.
    """

    depth: int = 0
    closing: bool = True


END = Delimiter()


def hash_entity(chunks: Iterator[bytes], *, unsent: bool = False) -> bytes:
    """Return the digest of a whole message.

    Args:
        chunks: the message.
        unsent: True if nobody sent it yet: its Date is not one.

    Raises:
        NotUnderstood: the message has no tolerant form.
    """
    walk = _Walk(_Reader(chunks), unsent=unsent)
    walk.entity((), "text/plain")
    return walk.digest()


class _Reader:
    """Buffer the chunks.

    Between calls the buffer begins with the line end that precedes what is next, because that line end
    belongs to a boundary, if one follows (RFC 2046 section 5.1.1).
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = _sliced(chunks)
        self._buffer = b"\r\n"

    def _fill(self) -> bool:
        piece = next(self._chunks, b"")
        self._buffer += piece
        return bool(piece)

    def head(self, boundaries: tuple[bytes, ...]) -> list[bytes]:
        """Return the lines up to the blank one, or up to a boundary."""
        pattern = _pattern(boundaries)
        lines: list[bytes] = []
        total = 0
        while True:
            self._whole_line()
            if pattern and pattern.match(self._buffer):
                return lines
            line, ended, rest = self._buffer[2:].partition(b"\r\n")
            self._buffer = b"\r\n" + rest if ended else b""
            if not line:
                return lines
            lines.append(line)
            total += len(line)
            if total > HEAD_MOST:
                raise NotUnderstood
            if not ended:
                return lines

    def _whole_line(self) -> None:
        while self._buffer.find(b"\r\n", 2) < 0 and self._fill():
            if len(self._buffer) > HEAD_MOST:
                raise NotUnderstood

    def body(self, boundaries: tuple[bytes, ...], sink: DigestSink) -> Delimiter:
        """Feed everything up to the next of the boundaries, and consume that boundary."""
        pattern = _pattern(boundaries)
        first = True
        while True:
            delimiter = self._find(pattern)
            end = delimiter.start() if delimiter else self._safe_end(pattern)
            piece = self._buffer[:end]
            if first and piece:
                piece, first = piece[2:], False
            if piece:
                sink.feed(piece)
            if delimiter:
                self._buffer = self._buffer[delimiter.end() :]
                return Delimiter(1 + boundaries.index(delimiter[1]), delimiter[2] is not None)
            self._buffer = self._buffer[end:]
            if not self._fill():
                return self._finish(sink, first)

    def _finish(self, sink: DigestSink, first: bool) -> Delimiter:
        sink.feed(self._buffer[2:] if first else self._buffer)
        self._buffer = b""
        return END

    def _find(self, pattern: re.Pattern[bytes] | None) -> re.Match[bytes] | None:
        """Return a boundary line whose end is in the buffer, or that ends the input."""
        if pattern is None:
            return None
        delimiter = pattern.search(self._buffer)
        while delimiter and delimiter.end() == len(self._buffer) and self._fill():
            delimiter = pattern.search(self._buffer)
        return delimiter

    def _safe_end(self, pattern: re.Pattern[bytes] | None) -> int:
        """Return how much of the buffer cannot be the beginning of a boundary line."""
        if pattern is None:
            return len(self._buffer)
        near = max(0, len(self._buffer) - BOUNDARY_MOST - 32)
        start = self._buffer.find(b"\r\n--", near)
        if start >= 0:
            return start
        held = next((n for n in (3, 2, 1) if self._buffer.endswith(b"\r\n--"[:n])), 0)
        return len(self._buffer) - held


def _sliced(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield small pieces: the buffer is copied once for every line of a head."""
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


def _pattern(boundaries: tuple[bytes, ...]) -> re.Pattern[bytes] | None:
    if not boundaries:
        return None
    names = b"|".join(re.escape(name) for name in boundaries)
    return re.compile(rb"\r\n--(" + names + rb")(--)?[ \t]{0,20}(?=\r\n|\Z)")


class _Walk:
    """Hash parts in order; every token is framed by its length, so no two sequences are alike."""

    def __init__(self, reader: _Reader, *, unsent: bool) -> None:
        self._reader = reader
        self._unsent = unsent
        self._hash = hashlib.sha256(b"kogge tolerant 1\n")
        self._depth = 0

    def digest(self) -> bytes:
        """Return the digest of the parts so far."""
        return self._hash.digest()

    def entity(self, boundaries: tuple[bytes, ...], default: str) -> Delimiter:
        """Hash one part with its head; return the delimiter that ended it."""
        self._depth += 1
        if self._depth > DEPTH_MOST:
            raise NotUnderstood
        delimiter = self._entity(boundaries, default)
        self._depth -= 1
        return delimiter

    def _entity(self, boundaries: tuple[bytes, ...], default: str) -> Delimiter:
        head = read_head(_fields(self._reader.head(boundaries)), default, self._is_uncounted)
        for name, value in head.fields:
            self._token(b"h", name.encode() + b":" + value.encode("utf-8", "surrogatepass"))
        if head.kind.startswith("multipart/") and head.parameters.get("boundary"):
            return self._multipart(head, boundaries)
        if head.kind == "message/rfc822" and head.encoding in ("7bit", "8bit", "binary"):
            self._token(b"m", b"")
            return self.entity(boundaries, "text/plain")
        charset, name = head.parameters.get("charset", ""), head.parameters.get("name", "")
        return self._leaf(boundaries, sink_for(head.kind, head.encoding, charset, name))

    def _is_uncounted(self, name: str) -> bool:
        """Return True for a field of the message itself that does not count; in its parts all fields do."""
        return self._depth == 1 and (is_rendered(name) or (self._unsent and name == "date"))

    def _leaf(self, boundaries: tuple[bytes, ...], sink: DigestSink) -> Delimiter:
        delimiter = self._reader.body(boundaries, sink)
        self._token(b"b", sink.finish())
        return delimiter

    def _multipart(self, head: MailHeader, outer: tuple[bytes, ...]) -> Delimiter:
        boundary = head.parameters["boundary"].encode("utf-8", "surrogateescape")
        if (
            len(boundary) > BOUNDARY_MOST
            or boundary in outer
            or head.encoding in ("base64", "quoted-printable")
        ):
            raise NotUnderstood
        inner = (*outer, boundary)
        depth, default = len(inner), "message/rfc822" if head.kind == "multipart/digest" else "text/plain"
        self._token(b"(", b"")
        delimiter = self._leaf(inner, TextDigest())
        if delimiter.depth != depth or delimiter.closing:
            raise NotUnderstood
        exact = head.kind == "multipart/signed"
        while delimiter.depth == depth and not delimiter.closing:
            self._token(b"/", b"")
            delimiter = self._leaf(inner, Exact()) if exact else self.entity(inner, default)
            exact = False
        self._token(b")", b"")
        return self._leaf(outer, TextDigest()) if delimiter.depth == depth else delimiter

    def _token(self, kind: bytes, data: bytes) -> None:
        self._hash.update(b"%s%d:" % (kind, len(data)))
        self._hash.update(data)


def _fields(lines: list[bytes]) -> Iterator[Field]:
    """Yield unfolded fields; raise NotUnderstood for a line that is none."""
    unfolded: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if not unfolded:
                raise NotUnderstood
            unfolded[-1].append(line)
        else:
            unfolded.append([line])
    for field in unfolded:
        name, colon, value = b"".join(field).partition(b":")
        if not colon or not _NAME.fullmatch(name.rstrip(b" \t")):
            raise NotUnderstood
        yield Field(name.rstrip(b" \t").decode().lower(), value)
