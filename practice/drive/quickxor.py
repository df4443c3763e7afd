"""Compute quickXorHash as Microsoft describes it (driveItem hashes).

Byte n of a file is XORed into 160 bits, at bit 11 n, around the end; then the length into the last eight
bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import reduce
from operator import xor

BITS = 160
SHIFT = 11


def quickxor(size: int, pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the 20 bytes of the hash.

    Args:
        size: of the file.
        pieces: (offset, bytes) of whatever is not zero in it.
    """
    state = 0
    for offset, data in pieces:
        for lead in range(min(BITS, len(data))):
            column = reduce(xor, data[lead::BITS])
            state ^= column << (offset + lead) * SHIFT % BITS
    state = state & (1 << BITS) - 1 ^ state >> BITS
    return (state ^ size << BITS - 64).to_bytes(BITS // 8, "little")


def quickxor_text(size: int, pieces: Iterable[tuple[int, bytes]]) -> str:
    """Return the hash as Graph writes it."""
    return base64.b64encode(quickxor(size, pieces)).decode()
