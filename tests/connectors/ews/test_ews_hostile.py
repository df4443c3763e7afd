"""A reply that never ends where it should: a coded error, in bounded memory and in linear time."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from ews_responder import HEAD, NAMESPACES, TAIL, envelope, item

from connectors.ews import response_stream
from connectors.ews.response_stream import EwsReply
from connectors.http.base64_spool import BodySink
from model.errors import Transient

ANSWER = "GetItemResponseMessage"
MIB = 1 << 20


def read(chunks: Iterator[bytes], folder: Path) -> int:
    return sum(1 for _ in EwsReply(chunks, ANSWER, lambda: BodySink(folder, MIB)).messages())


def endless(beginning: bytes, piece: bytes) -> Iterator[bytes]:
    """A gigabyte; reading all of it would take longer than any test may."""
    yield beginning
    for _ in range(1024):
        yield piece * (MIB // len(piece))


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (HEAD.encode() + b"<MimeContent ", b"a"),
        (HEAD.encode() + b"<other ", b"a"),
        (HEAD.encode(), b"<MimeContent>" + b"QUJD" * 5000 + b"</MimeContent>"),
        (HEAD.encode(), b"<MimeContent></MimeContent>"),
        (HEAD.encode() + b"<!--", b"-"),
        (HEAD.encode(), f"<t:ServerVersionInfo {NAMESPACES}/>".encode()),
        (b"", b"\n"),
        (b"", b" "),
    ],
)
def test_what_never_ends_is_no_soap(beginning: bytes, piece: bytes, tmp_path: Path) -> None:
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(Transient, match="not-soap"):
            read(endless(beginning, piece), tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2 * response_stream.HELD_MOST
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 10


def test_a_long_tag_is_read(tmp_path: Path) -> None:
    name = "a" * (response_stream.TAG_MOST - 1000)
    data = envelope("GetItem", item(name, b"body")).encode()
    pieces = (data[at : at + 1000] for at in range(0, len(data), 1000))
    assert read(pieces, tmp_path) == 1


def test_many_messages_are_forgotten_one_by_one(tmp_path: Path) -> None:
    """Also when each comes in an answer of its own."""
    start, end = envelope("GetItem", "|").removeprefix(HEAD).removesuffix(TAIL).split("|")
    one = (start + item("x", b"y" * 100) + end).encode()
    pieces = [HEAD.encode(), *[one] * 3000, TAIL.encode()]
    most = 0
    reply = EwsReply(iter(pieces), ANSWER, lambda: BodySink(tmp_path, MIB))
    for message in reply.messages():
        most = max(most, sum(1 for _ in message.element.getroottree().iter()))
    assert 0 < most < 100
