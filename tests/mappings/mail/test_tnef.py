"""Two renderings of one winmail.dat are the same message; another content is another."""

from __future__ import annotations

import base64
import io
import struct

import pytest

from mappings.mail.digest import canonical, tolerant
from mappings.mail.tnef import SIGNATURE, NotTnef, tnef_digest

SUBJECT, MODIFIED, PROPERTIES = 0x00018004, 0x00038020, 0x00069003
STRING, TIME, OBJECT = 0x001E, 0x0040, 0x000D


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack("<BII", 1, number, len(value)) + value + struct.pack("<H", sum(value) % 65536)


def padded(value: bytes) -> bytes:
    return struct.pack("<I", len(value)) + value + bytes(-len(value) % 4)


def properties(stamp: int, subject: bytes, nested: bytes = b"") -> bytes:
    found = [
        struct.pack("<HH", TIME, 0x3008) + struct.pack("<Q", stamp),
        struct.pack("<HHI", STRING, 0x0037, 1) + padded(subject),
        struct.pack("<HH", STRING, 0x8001) + bytes(16) + struct.pack("<II", 0, 0x8104) + struct.pack("<I", 1)
        + padded(b"named"),
    ]  # fmt: skip
    if nested:
        found.append(struct.pack("<HHI", OBJECT, 0x3701, 1) + padded(bytes(16) + nested))
    return struct.pack("<I", len(found)) + b"".join(found)


def stream(stamp: int, subject: bytes = b"Task", nested: bytes = b"") -> bytes:
    key = struct.pack("<H", stamp % 65536)
    parts = (
        attribute(SUBJECT, subject),
        attribute(MODIFIED, struct.pack("<7H", *[stamp % 60] * 7)),
        attribute(PROPERTIES, properties(stamp, subject, nested)),
    )
    return SIGNATURE + key + b"".join(parts)


def mail(part: bytes, kind: str = "application/ms-tnef") -> bytes:
    body = base64.encodebytes(part).replace(b"\n", b"\r\n")
    head = f'Content-Type: {kind}; name="winmail.dat"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return b"Subject: x\r\n" + head.encode() + body


@pytest.mark.parametrize("kind", ["application/ms-tnef", "application/octet-stream"])
def test_the_time_of_rendering_is_no_content(kind: str) -> None:
    one, other, another = (mail(part, kind) for part in (stream(7), stream(99), stream(7, b"Tusk")))
    assert canonical(io.BytesIO(one)).digest != canonical(io.BytesIO(other)).digest
    assert tolerant(io.BytesIO(one)) == tolerant(io.BytesIO(other))
    assert tolerant(io.BytesIO(one)) != tolerant(io.BytesIO(another))


def test_what_lies_inside_is_looked_into() -> None:
    one, other = stream(1, nested=stream(2)), stream(3, nested=stream(4))
    assert tnef_digest(one) == tnef_digest(other)
    assert tnef_digest(one) != tnef_digest(stream(1, nested=stream(2, b"Tusk")))


@pytest.mark.parametrize("cut", range(1, len(stream(7))))
def test_what_is_cut_off_is_another_or_not_understood(cut: int) -> None:
    whole = stream(7)
    try:
        assert tnef_digest(whole[:cut]) != tnef_digest(whole)
    except NotTnef:
        assert tolerant(io.BytesIO(mail(whole[:cut]))) != tolerant(io.BytesIO(mail(whole)))


def test_a_property_of_an_unknown_type_counts_to_the_byte() -> None:
    odd = [struct.pack("<IHHQ", 1, 0x00FF, 0x3008, stamp) for stamp in (1, 2)]
    one, other = (SIGNATURE + b"\0\0" + attribute(PROPERTIES, each) for each in odd)
    assert tnef_digest(one) != tnef_digest(other)


def test_streams_in_streams_end() -> None:
    deep = stream(1)
    for _ in range(40):
        deep = stream(1, nested=deep)
    assert tnef_digest(deep)
