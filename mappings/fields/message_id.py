"""Read the Message-ID of a mail: what a person quotes who asks whether a message arrived."""

from __future__ import annotations

import re
from typing import BinaryIO

HEAD_MOST = 1_000_000
"""Bytes of a header that are read."""
_CHUNK = 1 << 15
_END = re.compile(rb"(?:\A|\n)\r?\n")
_FIELD = re.compile(rb"^message-id[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_SPACE = re.compile(r"\s+")


class HeaderStream:
    """Read a message and keep its header meanwhile.

    Attributes:
        goes_on: True while the header may not be whole.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept = bytearray()
        self.goes_on = True

    def read(self, most: int = -1, /) -> bytes:
        """Read as BinaryIO.read."""
        chunk = self._stream.read(most)
        if self.goes_on:
            begin = max(0, len(self._kept) - 2)
            self._kept += chunk
            ended = not chunk or _END.search(self._kept, begin) is not None
            self.goes_on = not ended and len(self._kept) < HEAD_MOST
        return chunk

    def message_id(self) -> str | None:
        """Return the Message-ID of what was read; None if the header has none."""
        return message_id(bytes(self._kept))


def read_message_id(stream: BinaryIO) -> str | None:
    """Return the Message-ID of a message; it reads little further than the header's end."""
    head = HeaderStream(stream)
    while head.goes_on:
        head.read(_CHUNK)
    return head.message_id()


def message_id(message: bytes) -> str | None:
    """Return the first Message-ID of a message that begins so; None if it has none.

    Bytes that are no text are kept (surrogateescape).
    """
    end = _END.search(message)
    field = _FIELD.search(message, 0, end.start() + 1 if end else len(message))
    return plain(field[1].decode("utf-8", "surrogateescape")) if field else None


def plain(text: str) -> str | None:
    """Return a Message-ID as it is compared; None if nothing is left.

    White space, comments (RFC 5322, section 3.2.2) and what is beside a msg-id in angle brackets are removed.
    A person's copy of one is then the same as a header's.
    """
    bare = _SPACE.sub("", _uncommented(text))
    begin = bare.find("<")
    if begin >= 0:
        end = bare.find(">", begin)
        bare = bare[begin : end + 1] if end >= 0 else bare[begin:]
    return None if bare in ("", "<>") else bare


def _uncommented(text: str) -> str:
    """Remove comments. Parentheses inside of angle brackets are no comments."""
    kept: list[str] = []
    depth, inside, quoted = 0, False, False
    for character in text:
        if quoted:
            quoted = False
        elif depth and character == "\\":
            quoted = True
        elif character == "(" and not inside:
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif not depth:
            inside = character == "<" or (inside and character != ">")
            kept.append(character)
    return "".join(kept)
