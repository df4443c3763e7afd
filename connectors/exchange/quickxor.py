"""quickXorHash, the one hash that OneDrive and SharePoint tell of every file.

Byte n is XORed into 160 bits at bit 11 n, around the end. Bytes that lie a multiple of 160 apart meet at the
same place: so blocks of 160 bytes are folded into one first, as one large number, which is what makes this
fast enough; only that one is spread over the bits, at the end.
"""

from __future__ import annotations

import base64

BITS, SHIFT = 160, 11
BLOCK = 160
"""Bytes after which the places repeat."""


class QuickXor:
    """Fed piece by piece, as those of hashlib."""

    def __init__(self) -> None:
        self._folded = 0
        self._rest = b""
        self._length = 0

    def update(self, data: bytes) -> None:
        self._length += len(data)
        held = self._rest + data if self._rest else data
        whole = len(held) - len(held) % BLOCK
        self._rest = held[whole:]
        if whole:
            self._folded ^= _folded(held[:whole])

    def digest(self) -> bytes:
        """Of all that came so far."""
        last = (self._folded ^ int.from_bytes(self._rest, "little")).to_bytes(BLOCK, "little")
        spread = 0
        for at, byte in enumerate(last):
            spread ^= byte << at * SHIFT % BITS
        ring = spread & ((1 << BITS) - 1) ^ spread >> BITS
        return (ring ^ self._length << BITS - 64).to_bytes(BITS // 8, "little")

    def text(self) -> str:
        """As Graph writes it."""
        return base64.b64encode(self.digest()).decode()


def _folded(data: bytes) -> int:
    """All blocks of data XORed."""
    blocks, number = len(data) // BLOCK, int.from_bytes(data, "little")
    while blocks > 1:
        upper = (blocks + 1) // 2
        bits = upper * BLOCK * 8
        number = number & ((1 << bits) - 1) ^ number >> bits
        blocks = upper
    return number
