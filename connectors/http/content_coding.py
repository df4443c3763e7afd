"""Undo the compression of an answer, and notice when the compressed data ends early.

The libraries take the beginning of a compressed body for the whole: half a message would be copied as one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

OFFERED = "gzip"
"""The value of Accept-Encoding."""
CODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
_GZIP = 16 + zlib.MAX_WBITS


def decoded(chunks: Iterable[bytes], coding: str, most: int) -> Iterator[bytes]:
    """Yield a body without its compression.

    Args:
        chunks: the body as it arrives.
        coding: the header Content-Encoding, in lower case.
        most: the most bytes to yield at once, so that little data cannot fill the memory.

    Raises:
        ValueError: the coding is none of CODINGS, or the data is damaged or ends early.

    Source:
        RFC 9110, section 8.4.1; RFC 1952.
    """
    if coding not in CODINGS:
        raise ValueError("a coding that was not offered")
    return _unzipped(chunks, most) if "gzip" in coding else iter(chunks)


def _unzipped(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Yield what the members of a gzip stream hold."""
    member, empty = zlib.decompressobj(_GZIP), True
    for chunk in chunks:
        data = chunk
        while data := data.lstrip(b"\0") if member.eof else data:  # zeros are padding
            empty = False
            if member.eof:
                member = zlib.decompressobj(_GZIP)
            yield from _pieces(member, data, most)
            data = member.unused_data
    if not member.eof and not empty:
        raise ValueError("the compressed data ends early")


def _pieces(member: zlib._Decompress, data: bytes, most: int) -> Iterator[bytes]:
    """Yield what a piece of one member holds."""
    while not member.eof:
        try:
            piece = member.decompress(data, most)
        except zlib.error:
            raise ValueError("the compressed data is damaged") from None
        if piece:
            yield piece
        data = member.unconsumed_tail
        if not data and len(piece) < most:
            return
