"""Make, write and read the keys that sign approvals: Ed25519, in a PEM file that only its owner can read."""

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
from model.key_line import PREFIX, is_forgeable


def new_key(passphrase: str | None = None) -> tuple[str, str]:
    """Make a private key.

    Args:
        passphrase: encrypts the PEM; None or "" leaves it in the clear.

    Returns:
        The private key as PEM, and the line of its public key ("ed25519:BASE64").
    """
    key = Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    return pem.decode("ascii"), line_of(key)


def line_of(key: Ed25519PrivateKey) -> str:
    """Return the line of the key's public half, as the configuration holds it: "ed25519:BASE64"."""
    return PREFIX + b64encode(public_of(key)).decode("ascii")


def public_of(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the key's public half."""
    return key.public_key().public_bytes_raw()


def write_key(path: Path, pem: str) -> None:
    """Write a private key to a new file with mode 0600. An existing file stays as it is.

    Args:
        path: the new file.
        pem: the key as `new_key` returns it.

    Raises:
        Misconfigured: the file exists already (it may be the only copy of a key), or it cannot be written.
    """
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise Misconfigured("--out", f"{path.name!a} is there already, and it stays as it is") from None
    except OSError as error:
        raise Misconfigured("--out", f"cannot be written ({error.strerror})") from None
    with os.fdopen(file, "w", encoding="ascii") as out:
        out.write(pem)


def read_key(path: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """Read a private key from a PEM file. At most 65,536 bytes of the file are read.

    Args:
        path: the PEM file; group and others may have no right to it.
        passphrase: opens an encrypted key; None if the key is not encrypted.

    Raises:
        Misconfigured: the file cannot be read, others can read it, it is a public key, it is of another kind,
            or the passphrase is missing, wrong or not needed. The text holds nothing of the file or the
            passphrase.
    """
    option = f"--key {path}"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(65_536)
    except OSError as error:
        raise Misconfigured(option, f"cannot be read ({error.strerror})") from None
    if pem.lstrip().startswith((PREFIX.encode(), b"-----BEGIN PUBLIC KEY-----")):
        raise Misconfigured(option, "is a public key already, to hand out; here the private one is wanted")
    if mode & 0o077:
        raise Misconfigured(option, "others can read this file: chmod 600, or better make a new key")
    try:
        key = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except TypeError:
        advice = "has no passphrase" if passphrase else "has a passphrase: give --passphrase-env or -file"
        raise Misconfigured(option, advice) from None
    except ValueError:
        raise Misconfigured(option, "cannot be opened: no private key, or another passphrase") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(option, "is of another kind; `kogge keys new` makes one")
    return key


def is_signed(public: bytes, signature: bytes, statement: bytes) -> bool:
    """Return True if the owner of the key signed exactly these bytes. A key that is nobody's signed nothing.

    Args:
        public: the 32 bytes of the public key.
        signature: the 64 bytes of the Ed25519 signature (RFC 8032).
        statement: the bytes that were signed.
    """
    if is_forgeable(public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True
