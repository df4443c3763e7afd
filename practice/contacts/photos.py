"""Small pictures of people who do not exist: JPEG and PNG, real ones, from a key alone.

Written by hand, since what a compressor makes of the same pixels changes with its version. Every block of a
JPEG is of one colour, so that no transform is needed: its mean is all there is to code.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from practice.harness.dice import Dice

_CELLS = 8
_SEGMENT = 65_000
_STORED = 65_535
# Annex K of ITU-T T.81: how the size of a difference is coded.
_SIZES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110")
_SIZE_TABLE = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]) + bytes(range(12))
_END_TABLE = bytes([1]) + bytes(16)
_END_OF_BLOCK = "0"

Colour = tuple[int, int, int]


def jpeg(key: str, pixels: int = 64, size: int = 0) -> bytes:
    """Return a square of pixels, rounded up to whole blocks of eight.

    Args:
        key: decides the colours.
        pixels: of each side.
        size: bytes at least, filled with maker notes as cameras write them.
    """
    blocks = max((pixels + 7) // 8, 1)
    side = struct.pack(">HH", blocks * 8, blocks * 8)
    head = (
        b"\xff\xd8",
        _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        *_notes(key, size),
        _segment(0xDB, b"\0" + bytes([8]) * 64),
        _segment(0xC0, b"\x08" + side + b"\x03\x01\x11\0\x02\x11\0\x03\x11\0"),
        _segment(0xC4, b"\0" + _SIZE_TABLE),
        _segment(0xC4, b"\x10" + _END_TABLE),
        _segment(0xDA, b"\x03\x01\0\x02\0\x03\0\0\x3f\0"),
    )
    return b"".join(head) + _packed(_coded(_grid(key, blocks))) + b"\xff\xd9"


def png(key: str, pixels: int = 64) -> bytes:
    """Return a square of pixels, uncompressed."""
    rows = b"".join(b"\0" + b"".join(map(bytes, row)) for row in _rows(key, pixels))
    header = struct.pack(">IIBBBBB", pixels, pixels, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", _stored(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _pattern(key: str) -> tuple[list[list[bool]], Colour, Colour]:
    """Half a pattern and its mirror image, and two colours."""
    dice = Dice(key, "photo")
    halves = [[dice.chance(0.5) for _ in range(_CELLS // 2)] for _ in range(_CELLS)]
    first = dice.between(40, 120), dice.between(40, 120), dice.between(40, 120)
    second = dice.between(150, 240), dice.between(150, 240), dice.between(150, 240)
    return [half + half[::-1] for half in halves], first, second


def _grid(key: str, side: int) -> Iterator[Colour]:
    cells, first, second = _pattern(key)
    for y in range(side):
        for x in range(side):
            yield first if cells[y * _CELLS // side][x * _CELLS // side] else second


def _rows(key: str, side: int) -> Iterator[list[Colour]]:
    points = _grid(key, side)
    for _ in range(side):
        yield [next(points) for _ in range(side)]


def _coded(colours: Iterable[Colour]) -> str:
    """Return one bit a character: the difference of each component's mean to the block before."""
    before = [0, 0, 0]
    bits: list[str] = []
    for colour in colours:
        for n, value in enumerate(colour):
            mean = value - 128
            bits.append(_difference(mean - before[n]) + _END_OF_BLOCK)
            before[n] = mean
    return "".join(bits)


def _difference(value: int) -> str:
    size = abs(value).bit_length()
    if size == 0:
        return _SIZES[0]
    magnitude = value if value > 0 else value + (1 << size) - 1
    return _SIZES[size] + format(magnitude, f"0{size}b")


def _packed(bits: str) -> bytes:
    padded = bits + "1" * (-len(bits) % 8)
    data = bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8))
    return data.replace(b"\xff", b"\xff\0")


def _notes(key: str, size: int) -> Iterator[bytes]:
    dice = Dice(key, "maker notes")
    for at in range(0, size, _SEGMENT):
        yield _segment(0xEF, b"Kamera\0" + dice.bytes(min(_SEGMENT, size - at)))


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _stored(data: bytes) -> bytes:
    """Return a zlib stream of stored blocks (RFC 1950, RFC 1951 3.2.4)."""
    pieces = [data[at : at + _STORED] for at in range(0, len(data), _STORED)]
    blocks = b"".join(
        struct.pack("<BHH", n == len(pieces) - 1, len(piece), len(piece) ^ 0xFFFF) + piece
        for n, piece in enumerate(pieces)
    )
    return b"\x78\x01" + blocks + struct.pack(">I", zlib.adler32(data))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
