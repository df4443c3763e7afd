"""Read the UID of an event: its name for all other systems.

Exchange numbers its own meetings by global object ids and writes those in hexadecimal. A UID from elsewhere
is wrapped into such an id (MS-OXCICAL 2.1.3.1.1.20.26); taken out again it is the one that the organizer's
next update will name.
"""

from __future__ import annotations

import re

LONGEST = 255
"""Bytes. Nextcloud 32 answers 500 to a longer one."""

_GOID = re.compile(
    r"040000008200E00074C5B7101A82E008[0-9A-F]{40}([0-9A-F]{8})7643616C2D55696401000000([0-9A-F]+)"
)
_MARK = 12
"""Bytes of "vCal-Uid" and the 1 behind it, which the length counts."""


def uid(text: str) -> str:
    """Return the UID in one line; "" for none."""
    plain = " ".join(text.split())
    wrapped = _GOID.fullmatch(plain.upper())
    return (_unwrapped(*wrapped.groups()) or plain) if wrapped else plain


def _unwrapped(size: str, data: str) -> str:
    """Return the UID inside an id; "" if it is damaged."""
    length = int.from_bytes(bytes.fromhex(size), "little") - _MARK
    if len(data) % 2 or length != len(data) // 2:
        return ""
    content = bytes.fromhex(data).rstrip(b"\0")
    return content.decode() if content.isascii() and content.decode().isprintable() else ""
