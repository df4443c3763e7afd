"""The request for a time stamp (RFC 3161, section 2.4.1): a few bytes of DER, always the same shape.

    TimeStampReq ::= SEQUENCE {
        version         INTEGER 1,
        messageImprint  SEQUENCE { AlgorithmIdentifier of SHA-256, OCTET STRING (32) },
        certReq         BOOLEAN TRUE }

There is no nonce: the hash is of a file that exists once, and the same file gives the same request. certReq
asks for the authority's certificate within the reply, so that no person has to look for it years later.
"""

from __future__ import annotations

_BEFORE = bytes.fromhex(
    "3039"  # SEQUENCE, 57 bytes
    "020101"  # version 1
    "3031"  # messageImprint, 49 bytes
    "300d0609608648016503040201"  # AlgorithmIdentifier: 2.16.840.1.101.3.4.2.1 …
    "0500"  # … without parameters
    "0420"  # 32 bytes
)
_AFTER = bytes.fromhex("0101ff")


def request(digest: bytes) -> bytes:
    """Return the request for a time stamp on a SHA-256 digest of 32 bytes."""
    if len(digest) != 32:
        raise ValueError("not a SHA-256")
    return _BEFORE + digest + _AFTER
