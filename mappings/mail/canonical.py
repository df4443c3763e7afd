"""Stream the canonical form of a message: see mappings.mail.digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CHUNK = 1 << 15
"""Small enough that the allocator reuses its memory: 256 KiB chunks are half as fast (CPython 3.11)."""


# Begins only where a run begins, and gives nothing back: a run that ends otherwise is read once.
SURPLUS_CR = re.compile(rb"(?<!\r)\r\r++\n")
_CR_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Digested:
    """Hold the digest of a message. The counts are those of the input.

    Attributes:
        digest: SHA-256 of the canonical form.
        size: bytes of the canonical form.
        bare_lf: LFs without a CR before them.
        bare_cr: CRs that no LF follows.
        nul: NUL bytes.
        lost_cr: those of bare_cr that the canonical form leaves out.
    """

    digest: bytes
    size: int
    bare_lf: int
    bare_cr: int
    nul: int
    lost_cr: int


class Readable(Protocol):
    """Read bytes, as BinaryIO does."""

    def read(self, most: int, /) -> bytes:
        """Return at most so many bytes; b"" at the end."""
        ...


class CanonicalReader:
    """Yield the canonical form in chunks and count what it changes. It holds one chunk at a time."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.bare_lf = self.bare_cr = self.nul = self.lost_cr = 0

    def __iter__(self) -> Iterator[bytes]:
        held = 0  # CRs at a chunk's end wait: what they mean depends on the byte after them
        while chunk := self._stream.read(CHUNK):
            kept = chunk.rstrip(b"\r")
            if kept:
                held = self._bounded(held, kept)
                while held > _CR_PIECE:
                    self.bare_cr += _CR_PIECE
                    held -= _CR_PIECE
                    yield b"\r" * _CR_PIECE
                yield self._clean(b"\r" * held + kept)
                held = 0
            held += len(chunk) - len(kept)
        self.bare_cr += held
        self.lost_cr += held

    def _bounded(self, held: int, following: bytes) -> int:
        """Shrink a run of CRs before LF to one; it is counted here, so that a long run is never built."""
        if held > 1 and following.startswith(b"\n"):
            self.bare_cr += held - 1
            self.lost_cr += held - 1
            return 1
        return held

    def _clean(self, chunk: bytes) -> bytes:
        # One replace and three scans cost half of what counting CR, LF and CRLF does.
        strays = chunk.replace(b"\r\n", b"")
        if b"\r" in strays:
            self.bare_cr += strays.count(b"\r")
            before = len(chunk)
            chunk = SURPLUS_CR.sub(b"\r\n", chunk)
            self.lost_cr += before - len(chunk)
        if b"\n" in strays:
            self.bare_lf += strays.count(b"\n")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if b"\0" in chunk:
            self.nul += chunk.count(b"\0")
            chunk = chunk.replace(b"\0", b"\x80")
        return chunk


def canonical(stream: Readable) -> Digested:
    """Return digest and size of the canonical form.

    It reads the stream to its end and never holds it whole.
    """
    reader = CanonicalReader(stream)
    hasher, size = hashlib.sha256(), 0
    for chunk in reader:
        hasher.update(chunk)
        size += len(chunk)
    counts = (reader.bare_lf, reader.bare_cr, reader.nul, reader.lost_cr)
    return Digested(hasher.digest(), size, *counts)
