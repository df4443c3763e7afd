"""A body is sent whole, and the lease is asked when few of its bytes are left, in pieces of any size."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from typing import BinaryIO

import pytest

from connectors.http import upload
from connectors.http.upload import WHOLE
from connectors.webdav import client
from model.errors import LeaseLost
from model.kinds import Kind
from model.protocols import Guard, Item

Payload = Callable[[Item, BinaryIO, Guard], bytes | BinaryIO]
PIECE = 1 << 20
SIZES = (WHOLE + 1, 2 * WHOLE, PIECE, PIECE + 1, PIECE + WHOLE, 3 * PIECE + 7)


def item(data: bytes) -> Item:
    digest = hashlib.sha256(data).digest()
    return Item(kind=Kind.FILES, key=bytes(16), digest=digest, size=len(data), body=lambda: io.BytesIO(data))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("payload", [client.payload, upload.payload])
def test_the_last_piece_is_small(payload: Payload, size: int) -> None:
    data, sent, asked = random.Random(size).randbytes(size), bytearray(), list[int]()
    body = payload(item(data), io.BytesIO(data), lambda: asked.append(len(sent)))
    assert not isinstance(body, bytes)
    while piece := body.read(PIECE):
        assert len(piece) <= PIECE
        sent += piece
    assert bytes(sent) == data
    assert len(asked) == 1
    assert 0 < size - asked[0] <= WHOLE


@pytest.mark.parametrize("payload", [client.payload, upload.payload])
def test_without_the_lease_the_last_piece_stays_here(payload: Payload) -> None:
    def refuse() -> None:
        raise LeaseLost("lease-lost")

    data, sent = random.Random(1).randbytes(3 * PIECE), list[bytes]()
    body = payload(item(data), io.BytesIO(data), refuse)
    assert not isinstance(body, bytes)
    with pytest.raises(LeaseLost):
        sent.extend(iter(lambda: body.read(PIECE), b""))
    assert sum(map(len, sent)) < len(data)
