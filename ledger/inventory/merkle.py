"""Build the hash tree of RFC 9162, section 2.1: one root for any number of lines, made while they stream by.

A leaf is SHA-256(0x00 ‖ line), a node SHA-256(0x01 ‖ left ‖ right). It keeps one hash for each level in
memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

EMPTY = sha256(b"").digest()
"""The root of no lines at all."""


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return sha256(b"\1" + left + right).digest()


class MerkleTree:
    """Build a tree line by line.

    Attributes:
        size: how many lines it has.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Add a line."""
        node = sha256(b"\0" + line).digest()
        peaks, number = self._peaks, self.size
        while number & 1:
            node = sha256(b"\1" + peaks.pop() + node).digest()
            number >>= 1
        peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the lines so far; more may follow."""
        if not self._peaks:
            return EMPTY
        node = self._peaks[-1]
        for left in reversed(self._peaks[:-1]):
            node = node_hash(left, node)
        return node


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Prove that a line is in a tree.

    Attributes:
        index: the line's number, from 0.
        size: lines of the tree.
        path: hashes from the leaf to the root.
    """

    index: int
    size: int
    path: tuple[bytes, ...]


class _Peak(NamedTuple):
    """Hold a complete subtree: its hash, its lines, and whether the line to be proven is among them."""

    hash: bytes
    size: int
    ours: bool


def proof_of(lines: Iterable[bytes], index: int) -> InclusionProof:
    """Return the proof of a line, in one pass over all lines.

    Raises:
        IndexError: there is no such line.

    Source:
        RFC 9162, section 2.1.3.1.
    """
    peaks: list[_Peak] = []
    path: list[bytes] = []
    size = 0
    for line in lines:
        peak = _Peak(leaf_hash(line), 1, size == index)
        while peaks and peaks[-1].size == peak.size:
            peak = _joined(peaks.pop(), peak, path)
        peaks.append(peak)
        size += 1
    if not 0 <= index < size:
        raise IndexError("the tree has no such line")
    peak = peaks.pop()
    while peaks:
        peak = _joined(peaks.pop(), peak, path)
    return InclusionProof(index, size, tuple(path))


def _joined(left: _Peak, right: _Peak, path: list[bytes]) -> _Peak:
    if left.ours:
        path.append(right.hash)
    elif right.ours:
        path.append(left.hash)
    return _Peak(node_hash(left.hash, right.hash), left.size + right.size, left.ours or right.ours)
