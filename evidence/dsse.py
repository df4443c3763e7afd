"""DSSE 1.0 (github.com/secure-systems-lab/dsse): a payload, what it is, and a signature over both."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence import verifier
from evidence.bag_writer import STATEMENT
from model.errors import Misconfigured
from model.signing_keys import line_of

IN_TOTO = "application/vnd.in-toto+json"


def to_sign(payload: bytes, kind: str) -> bytes:
    """Return the pre-authentication encoding, which is what a signature is made over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def envelope(payload: bytes, kind: str, key: Ed25519PrivateKey) -> bytes:
    """Return the signed envelope of a payload.

    The same payload and key give the same bytes, because Ed25519 takes no random number.
    """
    signature = {"keyid": line_of(key), "sig": _text(key.sign(to_sign(payload, kind)))}
    document = {"payload": _text(payload), "payloadType": kind, "signatures": [signature]}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def statement_in(pack: Path) -> bytes:
    """Return the statement of a pack as it lies there.

    Raises:
        Misconfigured: there is none, it is no plain file, or it is too large to be one.
    """
    try:
        with verifier.open_file(pack.resolve() / STATEMENT) as file:
            return file.read()
    except verifier.VerificationFailed as error:
        raise Misconfigured("PACK", f"{error.args[0]}; `kogge audit verify` tells all") from None
    except OSError as error:
        raise Misconfigured("PACK", f"{STATEMENT} in it cannot be read ({error.strerror})") from None


def payload_in(pack: Path) -> dict[str, Any]:
    """Return what the statement of a pack says. It checks nothing, which is the verifier's part.

    Raises:
        Misconfigured: the statement is not of the form that `kogge audit seal` writes.
    """
    try:
        found = json.loads(statement_in(pack).decode())
        document = json.loads(b64decode(found["payload"], validate=True))
        if not isinstance(document["predicate"], dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise Misconfigured("PACK", f"{STATEMENT} in it is not what `kogge audit seal` wrote") from None
    return dict(document)


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
