"""Answers whose text is small and whose objects fill the memory: they are refused before they are built."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors import json_answer
from connectors.ews.response_stream import EwsReply
from connectors.http.base64_spool import BodySink
from connectors.http.multistatus import Garbage
from connectors.webdav.propfind import entries
from model.errors import Transient

BOMBS = {
    "lists": b"[" + b"[]," * 150_000 + b"0]",
    "objects": b"[" + b"{}," * 150_000 + b"0]",
    "numbers": b"[" + b"1," * 150_000 + b"0]",
    "names": b"{" + b'"":0,' * 150_000 + b'"":0}',
    "an open string after it": b"[" + b"[]," * 150_000 + b'"' + b'\\"' * 100_000,
    "strings": b"[" + b'""' * 250_000 + b"," * 100_001,
    "depth": b"[" * 150_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_many_values_are_refused_before_they_are_built(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty times as many at a real server."""
    monkeypatch.setattr(json_answer, "VALUES_MOST", 100_000)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"values|nested"):
            json_answer.read(BOMBS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(BOMBS[name]) + 1_000_000


def test_a_page_of_long_texts_is_read() -> None:
    """What looks like values stands in texts."""
    page = {"value": [{"id": str(number), "body": '[{",\\' * 300_000} for number in range(3)]}
    assert json_answer.read(json.dumps(page).encode()) == page
    assert json_answer.read(json.dumps(page)) == page


def test_the_largest_honest_batch_is_read() -> None:
    """Twenty events, each with ten thousand guests."""
    guest = {
        "type": "required",
        "status": {"response": "none", "time": "0001-01-01T00:00:00Z"},
        "emailAddress": {"name": "Anna", "address": "anna@x.example"},
    }
    event = json.dumps({"id": "x", "attendees": [guest] * 10_000})
    batch = b'{"responses":[' + b",".join([event.encode()] * 20) + b"]}"
    assert len(json_answer.read(batch)["responses"]) == 20


@pytest.mark.parametrize("text", [b"\xff\xfe[\0]\0", b"\0[\0]", b"\xffnone"])
def test_what_is_no_utf_8_is_no_answer(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        json_answer.read(text)


def test_a_mark_of_byte_order_is_no_fault() -> None:
    assert json_answer.read(b"\xef\xbb\xbf[]") == []


def _elements() -> Iterator[bytes]:
    """Forty megabytes without end."""
    for _ in range(100):
        yield b"<a/>" * 100_000


def test_a_reply_of_exchange_of_many_elements_is_refused(tmp_path: Path) -> None:
    spaces = b'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    chunks = itertools.chain([b"<s:Envelope " + spaces + b"><s:Body><GetItemResponseMessage>"], _elements())
    with pytest.raises(Transient, match="not-soap"):
        list(EwsReply(chunks, "GetItemResponseMessage", lambda: BodySink(tmp_path, 1)).messages())
    assert sum(1 for _ in chunks) > 70


def test_a_multistatus_of_many_elements_is_refused() -> None:
    chunks = itertools.chain([b'<d:multistatus xmlns:d="DAV:"><d:response>'], _elements())
    with pytest.raises(Garbage):
        list(entries(chunks, "/", lambda path: path))
    assert sum(1 for _ in chunks) > 80
