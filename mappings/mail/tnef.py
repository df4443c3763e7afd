"""Compare Outlook's winmail.dat (application/ms-tnef) by its attributes.

A server builds it anew at each reading, and writes the time of that and a random key into it. The digest here
leaves out the key, the checksums, and the attributes and properties of times. A stream that is not understood
has no such digest.

Source: [MS-OXTNEF] 2.1.3 (the stream), 2.1.3.4 (property lists).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

SIGNATURE = struct.pack("<I", 0x223E9F78)
ATTRIBUTE_TIMES = frozenset({0x00038012, 0x00038013, 0x00038020})
"""attAttachCreateDate, attAttachModifyDate, attDateModified."""
PROPERTY_TIMES = frozenset({0x3007, 0x3008})
"""PidTagCreationTime, PidTagLastModificationTime."""
LISTS = frozenset({0x00069003, 0x00069005})
"""attMsgProps, attAttachment: a property list each."""
DEPTH_MOST = 20
MULTIPLE, NAMED_FROM = 0x1000, 0x8000
FIXED = {2: 2, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 2, 20: 8, 64: 8, 72: 16}
"""Bytes of a value, by its type; padded to four."""
VARIABLE = frozenset({13, 30, 31, 258})
OBJECT, IDENTIFIER = 13, 16
"""The type of an embedded object, and the bytes of its interface identifier, which come first."""


class NotTnef(Exception):
    """State that this stream is not understood. It never leaves mappings.mail.content."""


def tnef_digest(data: bytes, depth: int = 0) -> bytes:
    """Return a digest that is equal for two renderings of one message.

    Args:
        data: the stream.
        depth: how many messages it is embedded in.

    Raises:
        NotTnef: the stream is not understood.
    """
    if depth > DEPTH_MOST or data[:4] != SIGNATURE:
        raise NotTnef
    whole = hashlib.sha256(b"kogge tnef 1\n")
    for level, number, value in _attributes(memoryview(data)[6:]):
        if number in ATTRIBUTE_TIMES:
            continue
        meant = _list_digest(value, depth) if number in LISTS else hashlib.sha256(value).digest()
        whole.update(struct.pack("<BI", level, number) + meant)
    return whole.digest()


def _attributes(rest: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    while rest:
        if len(rest) < 9:
            raise NotTnef
        level, number, length = struct.unpack_from("<BII", rest)
        if len(rest) < 9 + length + 2:
            raise NotTnef
        yield level, number, rest[9 : 9 + length]
        rest = rest[9 + length + 2 :]


def _list_digest(value: memoryview, depth: int) -> bytes:
    """Return the digest of a property list; a list that is not understood counts to the byte."""
    whole = hashlib.sha256(b"list\n")
    try:
        for number, head, values in _properties(_Cursor(value)):
            if number in PROPERTY_TIMES:
                continue
            whole.update(struct.pack("<II", len(head), len(values)) + head)
            for item in values:
                nested = item[IDENTIFIER:] if bytes(item[IDENTIFIER : IDENTIFIER + 4]) == SIGNATURE else None
                meant = (
                    hashlib.sha256(item).digest() if nested is None else tnef_digest(bytes(nested), depth + 1)
                )
                whole.update(meant)
    except NotTnef:
        return hashlib.sha256(value).digest()
    return whole.digest()


class _Cursor:
    """Read on, in steps of four bytes. It raises NotTnef at the end."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> memoryview:
        """Return so many bytes."""
        piece = self._data[self._at : self._at + size]
        if len(piece) < size:
            raise NotTnef
        self._at += size + -size % 4
        return piece

    def number(self) -> int:
        """Return the next number."""
        return int(struct.unpack("<I", self.take(4))[0])


def _properties(rest: _Cursor) -> Iterator[tuple[int, bytes, list[memoryview]]]:
    """Yield (number, what names the property, its values)."""
    for _ in range(rest.number()):
        tag = rest.number()
        kind, number = tag & 0xFFFF, tag >> 16
        head = struct.pack("<I", tag)
        if number >= NAMED_FROM:
            head += _name(rest)
            number = 0  # the number of a named property means nothing
        yield number, head, _values(rest, kind)


def _name(rest: _Cursor) -> bytes:
    space = bytes(rest.take(16))
    if rest.number() == 0:
        return space + struct.pack("<I", rest.number())
    return space + bytes(rest.take(rest.number()))


def _values(rest: _Cursor, kind: int) -> list[memoryview]:
    plain = kind & ~MULTIPLE
    if plain in VARIABLE:
        return [rest.take(rest.number()) for _ in range(rest.number())]
    size = FIXED.get(plain)
    if size is None:
        raise NotTnef
    return [rest.take(size) for _ in range(rest.number() if kind & MULTIPLE else 1)]
