"""The keys that approvals are signed with: Ed25519, in a PEM file that its owner alone can read."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from model.errors import Misconfigured
from model.key_line import PREFIX


def new_key(passphrase: str | None = None) -> tuple[str, str]:
    """A private key as PEM, and the line of its public half."""
    key = Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    return pem.decode("ascii"), line_of(key)


def line_of(key: Ed25519PrivateKey) -> str:
    """Its public half as the configuration has it."""
    return PREFIX + b64encode(public_of(key)).decode("ascii")


def public_of(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def write_key(path: Path, pem: str) -> None:
    """Raises Misconfigured where there is such a file already: it may be the only copy of a key."""
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise Misconfigured("--out", "there is such a file already, and it stays as it is") from None
    except OSError as error:
        raise Misconfigured("--out", f"cannot be written ({error.strerror})") from None
    with os.fdopen(file, "w", encoding="ascii") as out:
        out.write(pem)


def read_key(path: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """Raises Misconfigured; nothing of the file or the passphrase is in its text."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(65_536)
    except OSError as error:
        raise Misconfigured("--key", f"cannot be read ({error.strerror})") from None
    if pem.lstrip().startswith((PREFIX.encode(), b"-----BEGIN PUBLIC KEY-----")):
        raise Misconfigured("--key", "is a public key already, to hand out; here the private one is wanted")
    if mode & 0o077:
        raise Misconfigured("--key", "others can read this file: chmod 600, or better make a new key")
    try:
        key = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except TypeError:
        advice = "has no passphrase" if passphrase else "has a passphrase: give --passphrase-env or -file"
        raise Misconfigured("--key", advice) from None
    except ValueError:
        raise Misconfigured("--key", "cannot be opened: no private key, or another passphrase") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured("--key", "is of another kind; `kogge keys new` makes one")
    return key


def is_signed(public: bytes, signature: bytes, statement: bytes) -> bool:
    """Whether the owner of this key signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True
