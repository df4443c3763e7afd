"""Decode and hash bodies of MIME parts as they stream by: see mappings.mail.digest."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable
from typing import Protocol

from mappings.mail.tnef import NotTnef, tnef_digest

HELD_MOST = 1 << 20
TNEF_MOST = 1 << 25
"""Bytes of a winmail.dat that are parsed."""
TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
WINMAIL = "winmail.dat"

# Begin only where a run begins, and give nothing back: a run that ends otherwise is read once.
_LINE_SPACE = re.compile(rb"(?<![ \t\r])[ \t\r]++\n")
_SPACE_BEFORE_END = re.compile(rb"(?<![ \t])[ \t]++\r\n")
_WHITE = b" \t\r\n"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


class NotUnderstood(Exception):
    """State that this message has no tolerant form. It never leaves mappings.mail.digest."""


class DigestSink(Protocol):
    """Take the bytes of a body and return their digest."""

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        ...

    def finish(self) -> bytes:
        """Return the digest of everything that was fed."""
        ...


class Exact:
    """Hash every byte."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._hash.update(data)

    def finish(self) -> bytes:
        """Return the digest."""
        return self._hash.digest()


class Tnef:
    """Hash the attributes of a winmail.dat; every byte counts if it is not understood, or is too large."""

    def __init__(self) -> None:
        self._exact = hashlib.sha256()
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._exact.update(data)
        if len(self._held) <= TNEF_MOST:
            self._held += data

    def finish(self) -> bytes:
        """Return the digest."""
        if len(self._held) > TNEF_MOST:
            return self._exact.digest()
        try:
            return tnef_digest(bytes(self._held))
        except NotTnef:
            return self._exact.digest()


class TextDigest:
    """Hash a text without white space at the ends of lines and blank lines at the end."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._white = b""

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        data = self._white + data
        kept = len(data.rstrip(_WHITE))
        if kept:
            self._hash.update(_LINE_SPACE.sub(b"\n", data[:kept]))
        self._white = data[kept:]
        if len(self._white) > HELD_MOST:
            raise NotUnderstood

    def finish(self) -> bytes:
        """Return the digest."""
        return self._hash.digest()


class Base64:
    """Decode before bytes are passed on. What strict decoders would not take counts as it stands."""

    def __init__(self, inner: DigestSink) -> None:
        self._inner = inner
        self._rest = b""
        self._raw = hashlib.sha256(b"damaged base64\n")
        self._damaged = False

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._raw.update(data)
        letters = data.translate(None, _WHITE)
        self._rest += letters
        # The last quantum waits: it may be padded, and nothing may follow padding.
        ready = max(0, (len(self._rest) - 1) // 4 * 4)
        whole, self._rest = self._rest[:ready], self._rest[ready:]
        self._damaged = self._damaged or b"=" in whole or bool(letters.translate(None, _BASE64))
        if not self._damaged:
            self._inner.feed(binascii.a2b_base64(whole))

    def finish(self) -> bytes:
        """Return the digest."""
        letters = self._rest.rstrip(b"=")
        odd = b"=" in letters or len(letters) == 1 or (self._rest and not letters)
        if self._damaged or odd:
            return self._raw.digest()
        self._inner.feed(binascii.a2b_base64(letters + b"=" * (-len(letters) % 4)))
        return self._inner.finish()


class QuotedPrintable:
    """Decode line by line: white space before a line end is padding (RFC 2045 section 6.7, rule 3)."""

    def __init__(self, inner: DigestSink) -> None:
        self._inner = inner
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        if end:
            self._inner.feed(binascii.a2b_qp(_SPACE_BEFORE_END.sub(b"\r\n", data[:end])))
        self._rest = data[end:]
        if len(self._rest) > HELD_MOST:
            raise NotUnderstood

    def finish(self) -> bytes:
        """Return the digest."""
        self._inner.feed(binascii.a2b_qp(self._rest.rstrip(b" \t")))
        return self._inner.finish()


def _as_is(inner: DigestSink) -> DigestSink:
    return inner


DECODERS: dict[str, Callable[[DigestSink], DigestSink]] = {
    "7bit": _as_is,
    "8bit": _as_is,
    "binary": _as_is,
    "base64": Base64,
    "quoted-printable": QuotedPrintable,
}


def sink_for(kind: str, encoding: str, charset: str, name: str = "") -> DigestSink:
    """Return the sink for a leaf's body. Under an unknown encoding the body is opaque.

    Args:
        kind: the content type, in lower case.
        encoding: the content transfer encoding, in lower case.
        charset: of a text; "" if there is none.
        name: of the file that it is, as its Content-Type says.

    Source:
        RFC 2045, section 6.4.
    """
    decoder = DECODERS.get(encoding)
    if decoder is None:
        return Exact()
    if kind in TNEF or name.lower() == WINMAIL:
        return decoder(Tnef())
    # In UTF-16 and UTF-32 the bytes of white space are parts of other characters.
    text = kind.startswith("text/") and not charset.lower().startswith(("utf-16", "utf-32", "utf16", "ucs"))
    return decoder(TextDigest() if text else Exact())
