"""Reading a stranger's message with the standard library, in time that its size bounds."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from typing import BinaryIO

HEADER_MOST = 4_000
"""Of one header, characters that are looked at."""


class _Bounded(Compat32):
    """Keeps the beginning of a header: the standard library's readers of parameters and addresses take time
    that grows with the square of what they read."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:HEADER_MOST]


BOUNDED = _Bounded()


def message_of(stream: BinaryIO) -> Message:
    """The message, whose headers are cut at HEADER_MOST. Raises RecursionError for parts within parts, deeper
    than any mailer nests them."""
    return BytesParser(policy=BOUNDED).parse(stream)


def head_of(data: bytes) -> Message:
    """The headers of a message that begins so; its parts are not looked at, however deep they are nested."""
    return BytesHeaderParser(policy=BOUNDED).parsebytes(data)


def decoded(value: str) -> str:
    """A header's text with its encoded-words decoded, as far as that is possible, in one line."""
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except (LookupError, ValueError):
        return " ".join(value.split())
