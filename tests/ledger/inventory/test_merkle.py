"""The tree of RFC 9162: roots and proofs as others compute them, and no proof of what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from merkle_roots import root_of

from evidence import verifier
from ledger.inventory.merkle import (
    EMPTY,
    InclusionProof,
    MerkleTree,
    leaf_hash,
    node_hash,
    proof_of,
)


def is_included(line: bytes, proof: InclusionProof, root: bytes) -> bool:
    """What an auditor's file says of a proof that was made here."""
    return verifier.is_included(line, proof.index, proof.size, proof.path, root)


LINES = [
    bytes.fromhex(line)
    for line in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The leaves that the reference implementations of Certificate Transparency are tested with."""
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
PATHS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def by_definition(lines: Sequence[bytes]) -> bytes:
    """Section 2.1.1 as it is written: recursive."""
    if not lines:
        return sha256(b"").digest()
    if len(lines) == 1:
        return leaf_hash(lines[0])
    split = 1 << ((len(lines) - 1).bit_length() - 1)
    return node_hash(by_definition(lines[:split]), by_definition(lines[split:]))


def path_by_definition(index: int, lines: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.3.1."""
    if len(lines) <= 1:
        return []
    split = 1 << ((len(lines) - 1).bit_length() - 1)
    if index < split:
        return [*path_by_definition(index, lines[:split]), by_definition(lines[split:])]
    return [*path_by_definition(index - split, lines[split:]), by_definition(lines[:split])]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_of_the_reference(size: int) -> None:
    assert root_of(LINES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_proofs_of_the_reference(index: int, size: int) -> None:
    proof = proof_of(LINES[:size], index)
    assert tuple(step.hex() for step in proof.path) == PATHS[index, size]
    assert is_included(LINES[index], proof, bytes.fromhex(ROOTS[size - 1]))


def test_of_nothing() -> None:
    assert root_of([]) == EMPTY == sha256(b"").digest()
    with pytest.raises(IndexError):
        proof_of([], 0)
    assert not is_included(b"", InclusionProof(0, 0, ()), EMPTY)


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_any_number_of_lines(lines: list[bytes]) -> None:
    tree = MerkleTree()
    for size, line in enumerate(lines):
        assert tree.root() == by_definition(lines[:size])
        tree.add(line)
    assert (tree.size, tree.root()) == (len(lines), by_definition(lines))
    for index, line in enumerate(lines):
        proof = proof_of(iter(lines), index)
        assert list(proof.path) == path_by_definition(index, lines)
        assert is_included(line, proof, tree.root())


@given(st.integers(2, 40), st.data())
def test_nothing_else_is_proven(size: int, data: st.DataObject) -> None:
    lines = [b"%d" % number for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof, root = proof_of(lines, index), root_of(lines)
    for other in range(size):
        assert is_included(lines[other], replace(proof, index=index), root) == (other == index)
        assert is_included(lines[index], replace(proof, index=other), root) == (other == index)
    for path in (proof.path[:-1], (*proof.path, root), proof.path[1:]):
        assert not is_included(lines[index], replace(proof, path=path), root)
    broken = data.draw(st.integers(0, len(proof.path) - 1))
    path = (*proof.path[:broken], bytes(32), *proof.path[broken + 1 :])
    assert not is_included(lines[index], replace(proof, path=path), root)
    assert not is_included(lines[index], replace(proof, index=-1), root)
    assert not is_included(lines[index], replace(proof, index=size), root)
    assert not is_included(root, InclusionProof(0, 1, ()), root)
