"""Attachments of events: what comes inline is stored apart, and comes back as a URL."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from servers.open_xchange.content_lines import Line, Part
from servers.open_xchange.context import encoded

INLINE_MOST = 512_000
"""400,000 bytes inline were kept, 600,000 stored as 0 bytes; between 500,000 and 530,000 lies the limit."""
MODULE = 1


@dataclass(frozen=True, slots=True)
class Attachment:
    """number: the MANAGED-ID."""

    number: int
    filename: str
    media_type: str
    content: bytes
    at: int

    def line(self) -> Line:
        """Its ATTACH as it is stored, without the URL. SIZE is missing for 0 bytes."""
        size = (("SIZE", str(len(self.content))),) if self.content else ()
        named = (("FILENAME", self.filename), ("FMTTYPE", self.media_type))
        return Line("ATTACH", "", (*named, *size, ("MANAGED-ID", str(self.number))))


class Attachments:
    """All attachments of the context. inline_most: bytes of one that is inline."""

    def __init__(self, inline_most: int = INLINE_MOST) -> None:
        self.inline_most = inline_most
        self._known: dict[int, Attachment] = {}

    def store(self, filename: str, media_type: str, content: bytes, at: int) -> Attachment:
        number = len(self._known) + 1
        self._known[number] = Attachment(number, filename, media_type, content, at)
        return self._known[number]

    def kept(self, event: Part, at: int) -> Part:
        """An event whose inline attachments are stored. One above the limit is stored as 0 bytes, with 201.
        A link stays what it is, and an attachment that is here already too."""
        return event.mapped(lambda line: self._kept(line, at))

    def _kept(self, line: Line, at: int) -> Line:
        if line.name != "ATTACH":
            return line
        known = self._known.get(_number(line.param("MANAGED-ID")))
        if known is not None:
            return known.line()
        if line.param("VALUE").upper() != "BINARY" and line.param("ENCODING").upper() != "BASE64":
            return line
        try:
            content = base64.b64decode(line.value)
        except binascii.Error:
            content = b""
        if len(content) > self.inline_most:
            content = b""
        named = line.param("X-FILENAME") or line.param("FILENAME") or line.param("X-APPLE-FILENAME")
        media_type = line.param("FMTTYPE") or "application/octet-stream"
        return self.store(named or "attachment", media_type, content, at).line()

    def contents(self, event: Part) -> list[tuple[str, bytes]]:
        """Name and bytes of each attachment that is stored with an event."""
        numbers = (_number(line.param("MANAGED-ID")) for line in event.all("ATTACH"))
        return [(one.filename, one.content) for number in numbers if (one := self._known.get(number))]

    def at(self, segment: str) -> Attachment | None:
        """By the segment of its URL."""
        return self._known.get(_number(decoded_path(segment).rpartition("-")[2]))


def shown(event: Part, base: str, folder: int, row: int) -> Part:
    """An event whose stored attachments have their URLs: base64 of module, folder, event and MANAGED-ID."""

    def change(line: Line) -> Line:
        managed = line.param("MANAGED-ID")
        if line.name != "ATTACH" or not managed or line.value:
            return line
        segment = encoded(f"{MODULE}-{folder}-{row}-{managed}")
        return Line("ATTACH", f"{base}/attachments/{segment}/{line.param('FILENAME')}", line.params)

    return event.mapped(change)


def decoded_path(segment: str) -> str:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode("ascii")
    except ValueError:
        return ""


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
