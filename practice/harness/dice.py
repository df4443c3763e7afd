"""Seeded choices by hashing: the same key gives the same throws on every Python, in any order of use.

random.Random costs about 10 µs to seed and its methods may change between versions; a BLAKE2b block
costs about 1 µs and never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def digest(*key: object, size: int = 16) -> bytes:
    """Return `size` bytes (at most 64) that depend on the key alone."""
    return hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=size).digest()


class Dice:
    """Throw dice for one key. Not thread-safe; cheap enough to make one for each message."""

    __slots__ = ("_block", "_key", "_pool")

    def __init__(self, *key: object) -> None:
        self._key = "/".join(map(str, key)).encode()
        self._block = 0
        self._pool = b""

    def bytes(self, count: int) -> bytes:
        """Return the next bytes."""
        while len(self._pool) < count:
            data = self._key + b"#%d" % self._block
            self._pool += hashlib.blake2b(data).digest()
            self._block += 1
        taken, self._pool = self._pool[:count], self._pool[count:]
        return taken

    def below(self, limit: int) -> int:
        """Return a number with 0 <= number < limit.

        The bias of the modulo is far below what practice data would show.
        """
        return int.from_bytes(self.bytes(6), "big") % limit

    def between(self, low: int, high: int) -> int:
        """Return a number with low <= number <= high."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.below(1 << 32) < probability * (1 << 32)

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def hex(self, digits: int) -> str:
        """Return so many hexadecimal digits."""
        return self.bytes((digits + 1) // 2).hex()[:digits]
