"""Encode ids, versions, flags and paths compactly: at 110 million items a byte of a row is 110 MB."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable

UNORDERED = ":0"
"""The position of a target whose hrefs have no order: it is the same before every batch."""

_TEXT, _BASE64, _URLSAFE, _HEX = b"\x00", b"\x01", b"\x02", b"\x03"

_CODECS: tuple[tuple[bytes, Callable[[str], bytes], Callable[[bytes], str]], ...] = (
    (_HEX, bytes.fromhex, lambda data: data.hex()),
    (
        _BASE64,
        lambda text: base64.b64decode(text, validate=True),
        lambda data: base64.b64encode(data).decode(),
    ),
    (
        _URLSAFE,
        lambda text: base64.b64decode(text, altchars=b"-_", validate=True),
        lambda data: base64.urlsafe_b64encode(data).decode(),
    ),
)
_UNPACK: dict[bytes, Callable[[bytes], str]] = {marker: decode for marker, _, decode in _CODECS} | {
    _TEXT: lambda data: data.decode("utf-8", "surrogatepass")
}


def pack_id(text: str) -> bytes:
    """Encode a source id: a marker, then the shortest form that gives back exactly this text."""
    if len(text) >= 16:
        for marker, encode, decode in _CODECS:
            try:
                data = encode(text)
            except (ValueError, binascii.Error):
                continue
            if decode(data) == text:
                return marker + data
    return _TEXT + text.encode("utf-8", "surrogatepass")


def unpack_id(data: bytes) -> str:
    """Return the source id that pack_id encoded."""
    return _UNPACK[data[:1]](data[1:])


def pack_since(position: str, doubted: Iterable[str]) -> str:
    """Encode a target's position, and the names under which a write of a file may still land.

    Args:
        position: the position; it holds no slash.
        doubted: the names; a file's name holds no slash.
    """
    return "/".join((position, *sorted(doubted)))


def unpack_since(since: str | None) -> tuple[str | None, frozenset[str]]:
    """Return the position and the names that pack_since encoded."""
    if since is None:
        return None, frozenset()
    position, *doubted = since.split("/")
    return position, frozenset(doubted)


def version_number(version: str) -> int:
    """Return a version's 8-byte hash as a signed integer. Connectors only compare versions for equality."""
    digest = hashlib.blake2b(version.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def version_text(number: int) -> str:
    """Return the stored hash as 16 hexadecimal digits: what ItemRow.version holds."""
    return f"{number & 0xFFFFFFFFFFFFFFFF:016x}"


def version_hash(version: str) -> str:
    """Return what ItemRow.version holds for this version of the source.

    Two of them are equal if and only if the versions are equal.
    """
    return version_text(version_number(version))


def pack_flags(flags: Iterable[str]) -> str | None:
    """Encode flags: sorted and separated by spaces; None if there are none."""
    return " ".join(sorted(flags)) or None


def pack_path(path: tuple[str, ...]) -> str:
    """Encode a container's path as JSON."""
    return json.dumps(path, ensure_ascii=False, separators=(",", ":"))


def unpack_path(text: str) -> tuple[str, ...]:
    """Return the path that pack_path encoded."""
    return tuple(json.loads(text))
