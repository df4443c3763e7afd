"""Tell whether two systems were delivered the same mail, by what stays the same on the way to both.

The same Message-ID and the same moment in Date narrow the search, and prove nothing: scanners and scripts
give every mail the same id, and whoever got a copy of a mail knows both. Sender, recipients, date, subject
and body decide, read as mappings.mail.digest reads two renderings of one mail. What servers on the way add to
a header does not count; what they change in a text does, because a mail that is mistaken for another one
would be lost.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import BinaryIO, cast

from mappings.mail.digest import tolerant

NAMES = ("Message-ID", "Date")
"""The header fields that mark() reads."""
HEAD_MOST = 1_000_000
KEPT = (b"from", b"to", b"cc", b"date", b"subject", b"mime-version")
"""The fields that count beside Content-*. Every server on the way adds or changes others."""
_SPACE = re.compile(rb"\s+")
_ENDS = frozenset((b"\n", b"\r\n", b""))


def mark(head: bytes) -> int | None:
    """Return 64 bits of a header's first Message-ID and Date, however they are folded.

    Returns:
        None if one is missing.
    """
    fields = list(_fields(head.splitlines(keepends=True)))
    name = _SPACE.sub(b"", _first(fields, b"message-id") or b"")
    if name in (b"", b"<>"):
        return None
    date = _moment(_first(fields, b"date") or b"")
    if not date:
        return None
    digest = blake2b(name + b"\0" + date, digest_size=8).digest()
    return int.from_bytes(digest)


def head_of(stream: BinaryIO) -> bytes:
    """Return the header of a message, at most HEAD_MOST bytes of it. The stream is read past it."""
    lines: list[bytes] = []
    size = 0
    while size < HEAD_MOST and (line := stream.readline(HEAD_MOST)) not in _ENDS:
        lines.append(line)
        size += len(line)
    return b"".join(lines)


def content(stream: BinaryIO) -> bytes:
    """Return a digest of what no delivery changes."""
    head = head_of(stream).splitlines(keepends=True)
    kept = [
        name + b": " + (_moment(value) if name == b"date" else value) + b"\r\n"
        for name, value in _fields(head)
        if name in KEPT or name.startswith(b"content-")
    ]
    return tolerant(cast("BinaryIO", _After(b"".join(kept) + b"\r\n", stream)))


def _fields(lines: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name in lower case, value unfolded) in their order; lines that are no field are left out."""
    name, folded = b"", list[bytes]()
    for line in [*lines, b"\n"]:
        if line[:1] in (b" ", b"\t") and name:
            folded.append(line)
            continue
        if name:
            yield name, _SPACE.sub(b" ", b"".join(folded)).strip()
        name, colon, value = line.partition(b":")
        name, folded = name.strip().lower() if colon else b"", [value]


def _first(fields: list[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    return next(
        (_SPACE.sub(b"", v) if wanted == b"message-id" else v for n, v in fields if n == wanted), None
    )


def _moment(date: bytes) -> bytes:
    """Return a date as a moment; an unreadable date counts as it is written."""
    try:
        return b"%d" % parsedate_to_datetime(date.decode("ascii")).timestamp()
    except (ValueError, OverflowError, UnicodeDecodeError, TypeError):
        return date


class _After:
    """Read some bytes, and then what is left of a stream."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = io.BytesIO(first)
        self._rest = rest

    def read(self, most: int) -> bytes:
        """Return at most so many bytes; b"" at the end."""
        return self._first.read(most) or self._rest.read(most)
