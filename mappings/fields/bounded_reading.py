"""Read a foreign message with the standard library, in a time that its size bounds."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from typing import BinaryIO

HEADER_MOST = 4_000
"""Characters of one header that are read."""


class _Bounded(Compat32):
    """Keep the beginning of a header only.

    The standard library's readers of parameters and addresses take time that grows with the square of what
    they read.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Return the header's name and the beginning of its value."""
        name, value = super().header_source_parse(sourcelines)
        return name, value[:HEADER_MOST]


BOUNDED = _Bounded()


def message_of(stream: BinaryIO) -> Message:
    """Return a message whose headers are cut at HEADER_MOST.

    Raises:
        RecursionError: parts are nested deeper than any mailer nests them.
    """
    return BytesParser(policy=BOUNDED).parse(stream)


def head_of(data: bytes) -> Message:
    """Return the headers of a message that begins so.

    Its parts are not parsed, however deep they are nested.
    """
    return BytesHeaderParser(policy=BOUNDED).parsebytes(data)


def decoded(value: str) -> str:
    """Return a header's text in one line, with its encoded-words decoded as far as that is possible."""
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except (LookupError, ValueError):
        return " ".join(value.split())
