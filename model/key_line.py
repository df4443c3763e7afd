"""Read the line of a public key: "ed25519:BASE64", as `kogge keys new` prints it."""

from __future__ import annotations

from base64 import b64decode

PREFIX = "ed25519:"
KEY_BYTES = 32


def public_bytes(line: str) -> bytes:
    """Return the 32 bytes of the public key in a line.

    Args:
        line: "ed25519:BASE64".

    Raises:
        ValueError: the line is not spelled so, or the key has another length.
    """
    try:
        key = b64decode(line.removeprefix(PREFIX), validate=True) if line.startswith(PREFIX) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError('give "ed25519:BASE64", as `kogge keys new` prints it')
    return key
