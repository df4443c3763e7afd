"""Hold bytes of practice files: mostly few, or so many that no process holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from practice.drive.quickxor import quickxor_text
from practice.harness.dice import Dice

BLOCK = 262_144


@dataclass(frozen=True)
class Content:
    """Hold `size` bytes, zero but for the pieces: (offset, bytes) in order, not overlapping."""

    size: int
    pieces: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Return the content with these bytes."""
        return cls(len(data), ((0, data),) if data else ())

    @classmethod
    def sparse(cls, size: int, *key: object) -> Content:
        """Return so many bytes, of which a few dozen are not zero: at both ends and between."""
        dice, length = Dice(*key), 24
        places = sorted({0, size - length, *(dice.below(max(1, size - length)) for _ in range(5))})
        pieces: list[tuple[int, bytes]] = []
        for at in places:
            if at >= 0 and (not pieces or at >= pieces[-1][0] + length):
                pieces.append((at, dice.bytes(length)))
        return cls(size, tuple(pieces))

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes of [start, end)."""
        end = min(end, self.size)
        if len(self.pieces) == 1 and self.pieces[0][0] == 0 and len(self.pieces[0][1]) == self.size:
            return self.pieces[0][1][start:end]
        found = bytearray(max(0, end - start))
        for at, data in self.pieces:
            low, high = max(at, start), min(at + len(data), end)
            if low < high:
                found[low - start : high - start] = data[low - at : high - at]
        return bytes(found)

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes in blocks."""
        stop = self.size if end is None else min(end, self.size)
        for at in range(start, stop, BLOCK):
            yield self.read(at, min(at + BLOCK, stop))

    @cached_property
    def quickxor(self) -> str:
        """Return the hash as Graph writes it."""
        return quickxor_text(self.size, self.pieces)

    def sha256(self) -> bytes:
        """Return the digest of all bytes, which are read."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.digest()


EMPTY = Content(0)
