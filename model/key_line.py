"""Read the line of a public key: "ed25519:BASE64", as `kogge keys new` prints it."""

from __future__ import annotations

from base64 import b64decode

PREFIX = "ed25519:"
KEY_BYTES = 32
_FIELD = 2**255 - 19
_SMALL_ORDER = frozenset(
    {
        *(0, 1, _FIELD - 1),
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)
"""The y of all points whose eightfold is the neutral one: a few signatures fit each statement."""


def public_bytes(line: str) -> bytes:
    """Return the 32 bytes of the public key in a line.

    Args:
        line: "ed25519:BASE64".

    Raises:
        ValueError: the line is not spelled so, the key has another length, or everybody can sign for it.
    """
    try:
        key = b64decode(line.removeprefix(PREFIX), validate=True) if line.startswith(PREFIX) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError('give "ed25519:BASE64", as `kogge keys new` prints it')
    if is_forgeable(key):
        raise ValueError("everybody can sign for this key: `kogge keys new` makes another one")
    return key


def is_forgeable(key: bytes) -> bool:
    """Return True for a public key that is nobody's: signatures for it can be made without a private key.

    So are points of small order. A point that is not spelled in the one way of RFC 8032 counts as well: it
    would be a second key of the same person.

    Args:
        key: the 32 bytes of a public key.

    Source:
        RFC 8032, sections 5.1.2 and 5.1.3.
    """
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    return y >= _FIELD or y in _SMALL_ORDER
