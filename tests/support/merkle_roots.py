"""The root of lines that are all at hand: for tests."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.inventory.merkle import MerkleTree


def root_of(lines: Iterable[bytes]) -> bytes:
    tree = MerkleTree()
    for line in lines:
        tree.add(line)
    return tree.root()
