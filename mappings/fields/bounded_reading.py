"""Read a foreign message with the standard library, in a time that its size bounds.

Its headers and their parameters are read by mappings.fields.mime_header: the standard library's own readers
of encoded-words, parameters and charsets raise what no caller expects, and know codecs that are no charsets.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from typing import Any, BinaryIO

from mappings.fields import mime_header
from mappings.fields.charsets import codec_of

HEADER_MOST = 4_000
"""Characters of one header that are read."""


class ForeignMessage(Message):
    """A message of a stranger: parameters are always plain text, and its charset is one that may be used."""

    def get_param(
        self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True
    ) -> Any:
        """Return a parameter, put together from its RFC 2231 sections."""
        del unquote
        _, parameters = mime_header.parameterised(str(self.get(header, "")))
        value = parameters.get(param.lower())
        return failobj if value is None else value

    def get_content_charset(self, failobj: Any = None) -> Any:
        """Return Python's name of the charset; `failobj` if it is none that is read, or not stated."""
        label = self.get_param("charset")
        codec = codec_of(label) if isinstance(label, str) else None
        return failobj if codec is None else codec


class _Bounded(Compat32):
    """Keep the beginning of a header only, and give it as text.

    The standard library's readers of parameters and addresses take time that grows with the square of what
    they read.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Return the header's name and the beginning of its value."""
        name, value = super().header_source_parse(sourcelines)
        return name, value[:HEADER_MOST]

    def header_fetch_parse(self, name: str, value: str) -> str:
        """Return the value; bytes that are not ASCII are read as UTF-8."""
        del name
        return value if value.isascii() else _bytes(value).decode("utf-8", "replace")


BOUNDED = _Bounded()


def message_of(stream: BinaryIO) -> Message:
    """Return a message whose headers are cut at HEADER_MOST.

    Raises:
        RecursionError: parts are nested deeper than any mailer nests them.
    """
    return BytesParser(ForeignMessage, policy=BOUNDED).parse(stream)


def head_of(data: bytes) -> Message:
    """Return the headers of a message that begins so.

    Its parts are not parsed, however deep they are nested.
    """
    return BytesHeaderParser(ForeignMessage, policy=BOUNDED).parsebytes(data)


def decoded(value: str) -> str:
    """Return a header's text in one line, with its encoded-words decoded as far as that is possible."""
    text = mime_header.decoded(_bytes(value))
    return " ".join(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())


def charset_of(part: Message) -> str | None:
    """Return the charset of a part as its sender wrote it; None if it is not stated. See charsets.text_of."""
    label = part.get_param("charset")
    return label if isinstance(label, str) else None


def payload_of(part: Message) -> bytes:
    """Return the decoded content of a part; b"" if it has parts itself."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _bytes(value: str) -> bytes:
    """Return the bytes of a header as the parser keeps them."""
    return value.encode("utf-8", "surrogateescape")
