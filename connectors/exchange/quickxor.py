"""Compute quickXorHash, the one hash that OneDrive and SharePoint give for every file.

Byte n is XORed into 160 bits at bit 11 n, modulo 160. Bytes at a distance of a multiple of 160 meet at the
same place. Therefore blocks of 160 bytes are first folded into one, as one large number, which is fast
enough; only this block is spread over the bits, at the end.

Source:
    https://learn.microsoft.com/onedrive/developer/code-snippets/quickxorhash
"""

from __future__ import annotations

import base64

BITS, SHIFT = 160, 11
BLOCK = 160
"""Bytes after which the bit positions repeat."""


class QuickXor:
    """Hash bytes piece by piece, like the classes of hashlib."""

    def __init__(self) -> None:
        self._folded = 0
        self._rest = b""
        self._length = 0

    def update(self, data: bytes) -> None:
        """Hash the next bytes."""
        self._length += len(data)
        held = self._rest + data if self._rest else data
        whole = len(held) - len(held) % BLOCK
        self._rest = held[whole:]
        if whole:
            self._folded ^= _fold(held[:whole])

    def digest(self) -> bytes:
        """Return the hash of all bytes so far: 20 bytes."""
        last = (self._folded ^ int.from_bytes(self._rest, "little")).to_bytes(BLOCK, "little")
        spread = 0
        for at, byte in enumerate(last):
            spread ^= byte << at * SHIFT % BITS
        ring = spread & ((1 << BITS) - 1) ^ spread >> BITS
        return (ring ^ self._length << BITS - 64).to_bytes(BITS // 8, "little")

    def text(self) -> str:
        """Return the hash in base64, as Graph writes it."""
        return base64.b64encode(self.digest()).decode()


def _fold(data: bytes) -> int:
    """Return all blocks XORed."""
    blocks, number = len(data) // BLOCK, int.from_bytes(data, "little")
    while blocks > 1:
        upper = (blocks + 1) // 2
        bits = upper * BLOCK * 8
        number = number & ((1 << bits) - 1) ^ number >> bits
        blocks = upper
    return number
