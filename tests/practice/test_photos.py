"""The pictures are real ones, and the same for ever."""

from __future__ import annotations

import hashlib
import struct
import zlib

import pytest

from practice.contacts.photos import jpeg, png

LARGE = 300_000
"""Bytes of a photo."""


def segments(data: bytes) -> list[tuple[int, bytes]]:
    """(marker, content) up to the scan, whose coded data is not looked at."""
    assert data[:2] == b"\xff\xd8"
    assert data[-2:] == b"\xff\xd9"
    found, at = [], 2
    while not found or found[-1][0] != 0xDA:
        start, marker, length = struct.unpack_from(">BBH", data, at)
        assert start == 0xFF
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def bits_of(data: bytes) -> str:
    scan = data[data.index(b"\xff\xda") + 14 : -2].replace(b"\xff\0", b"\xff")
    return "".join(format(byte, "08b") for byte in scan)


def blocks_of(bits: str) -> list[int]:
    """The mean of each coded block: its difference to the one before it, and an end of block."""
    codes = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110")
    found, at = [], 0
    while bits[at:].strip("1"):
        size = next(n for n, code in enumerate(codes) if bits.startswith(code, at))
        at += len(codes[size])
        value = int(bits[at : at + size] or "0", 2)
        found.append(value if not size or bits[at] == "1" else value - (1 << size) + 1)
        assert bits[at + size] == "0"
        at += size + 1
    return found


def test_a_jpeg_has_what_a_decoder_needs() -> None:
    markers = [marker for marker, _ in segments(jpeg("x", 48))]
    assert markers == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA]
    frame = dict(segments(jpeg("x", 48)))[0xC0]
    assert struct.unpack_from(">BHHB", frame) == (8, 48, 48, 3)


@pytest.mark.parametrize("key", ["x", "y", "ä"])
def test_every_block_of_a_jpeg_is_coded(key: str) -> None:
    differences = blocks_of(bits_of(jpeg(key, 64)))
    assert len(differences) == 8 * 8 * 3
    for component in range(3):
        values, mean = set(), 128
        for difference in differences[component::3]:
            mean += difference
            values.add(mean)
        assert len(values) == 2
        assert values <= set(range(256))


def test_a_png_has_its_rows() -> None:
    data = png("x", 160)
    assert data.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 160, 160))
    length = struct.unpack_from(">I", data, 33)[0]
    content = data[41 : 41 + length]
    assert zlib.crc32(b"IDAT" + content) == struct.unpack_from(">I", data, 41 + length)[0]
    assert len(zlib.decompress(content)) == 160 * (160 * 3 + 1)


def test_a_large_photo_is_large_and_still_a_photo() -> None:
    data = jpeg("x", 320, LARGE)
    assert LARGE <= len(data) <= LARGE * 1.1
    assert [marker for marker, _ in segments(data)].count(0xEF) == 5


def test_the_same_bytes_on_every_python() -> None:
    made = jpeg("x", 64) + png("x", 64)
    assert (
        hashlib.sha256(made).hexdigest() == "7b814836694210bf2e74ee76f1783d0b7cdcc70c667e23f4a86e1547990c5703"
    )
