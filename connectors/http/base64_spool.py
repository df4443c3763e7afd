"""Decode bodies that Exchange sends as base64, piece by piece: small ones in memory, large ones in a file."""

from __future__ import annotations

import binascii
from pathlib import Path

from connectors.spool import SpoolFile, bytes_body
from model.errors import Transient
from model.protocols import Body

BODY_MOST = 4 << 30
"""The most bytes of one body. Exchange takes messages of at most 150 MB (Graph: large attachments
included)."""
_BLANKS = b"\r\n\t "
_ESCAPED_BLANKS = (b"&#xD;", b"&#xA;", b"&#x9;", b"&#xd;", b"&#xa;", b"&#13;", b"&#10;", b"&#9;", b"&#x20;")


class BodySink:
    """Take the base64 text of one body in pieces and return the decoded body.

    CR, LF, blanks and their character references are ignored. Other characters that are not base64, or a
    length that no encoder makes, mark the body as damaged.
    """

    __slots__ = ("_above", "_carry", "_ended", "_file", "_folder", "_held", "_parts", "damaged", "size")

    def __init__(self, folder: Path, above: int) -> None:
        """Prepare an empty sink.

        Args:
            folder: the folder for the spool file.
            above: bytes; larger bodies go to the spool file.
        """
        self._folder = folder
        self._above = above
        self._carry = b""
        self._parts: list[bytes] = []
        self._held = 0
        self._file: SpoolFile | None = None
        self._ended = False
        self.damaged = False
        self.size = 0

    @property
    def held(self) -> int:
        """Return the number of bytes in memory."""
        return self._held if self._file is None else 0

    def feed(self, text: bytes) -> None:
        """Take the next piece of base64 text.

        Raises:
            Blocked: "spool-full", "spool-unusable".
            Transient: "reply-too-large".
        """
        if self.damaged:
            return
        data = self._carry + text if self._carry else text
        if b"\n" in data or b"\r" in data or b"&" in data or b" " in data or b"\t" in data:
            data, rest = _strip_blanks(data)
        else:
            rest = b""
        whole = len(data) & ~3
        self._carry = data[whole:] + rest
        if whole:
            self._decode(data if whole == len(data) else data[:whole])

    def _decode(self, data: bytes) -> None:
        if self._ended:
            self.damaged = True
            return
        try:
            plain = binascii.a2b_base64(data, strict_mode=True)
        except binascii.Error:
            self.damaged = True
            return
        self._ended = data.endswith(b"=")
        self.write(plain)

    def write(self, plain: bytes) -> None:
        """Take decoded bytes as they are.

        Raises:
            Transient: "reply-too-large" for more than BODY_MOST bytes.
            Blocked: "spool-full", "spool-unusable".
        """
        self.size += len(plain)
        if self.size > BODY_MOST:
            raise Transient("reply-too-large", "a body that is larger than any message")
        if self._file is None:
            self._parts.append(plain)
            self._held += len(plain)
            if self._held <= self._above:
                return
            self._file = SpoolFile(self._folder)
            plain = b"".join(self._parts)
            self._parts.clear()
        self._file.write(plain)

    def finish(self) -> Body | None:
        """Return the body; None when it was damaged."""
        if self.damaged or self._carry:
            self.damaged = True
            self._parts.clear()
            self._file = None
            return None
        if self._file is not None:
            return self._file.open
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        return bytes_body(data)


def _strip_blanks(data: bytes) -> tuple[bytes, bytes]:
    """Return the data without blanks, and the start of an incomplete character reference."""
    rest = b""
    if b"&" in data:
        for escaped in _ESCAPED_BLANKS:
            data = data.replace(escaped, b"")
        start = data.rfind(b"&")
        if start >= 0 and len(data) - start < 6 and b";" not in data[start:]:
            data, rest = data[:start], data[start:]
    return data.translate(None, _BLANKS), rest
