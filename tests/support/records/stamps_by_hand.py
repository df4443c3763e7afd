"""Time stamps put together by hand (RFC 3161, RFC 5652), so that any part of them can be wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from stamping import Holder

SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
HASHES = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha1": "1.3.14.3.2.26"}
INTEGER, OCTETS, OID, UTC_TIME, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x18, 0x30, 0x31


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(length)]) + length + body


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    body = bytearray([first * 40 + second])
    for number in rest:
        digits = [number & 127]
        while number := number >> 7:
            digits.append(number & 127 | 128)
        body += bytes(reversed(digits))
    return der(OID, bytes(body))


def algorithm(name: str) -> bytes:
    return der(SEQUENCE, oid(HASHES[name]))


@dataclass
class ByHand:
    """Of data, by signer. The fields are what a right one says; each may be something else."""

    data: bytes
    signer: Holder
    certificates: Sequence[Holder] = ()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: int = 0
    hash: str = "sha256"
    imprint_hash: str = "sha256"
    imprint: bytes | None = None
    content: str = TST_INFO
    typed: str | None = TST_INFO
    digest: bytes | None = None
    bound: Holder | None = None
    """Whose certificate the signature is bound to; by default to none."""
    pss: bool = False
    time: str = ""
    signed_by: Any = None
    """Another key than the signer's."""

    def reply(self) -> bytes:
        return der(SEQUENCE, der(SEQUENCE, der(INTEGER, bytes([self.status]))), self.token())

    def info(self) -> bytes:
        imprint = (
            self.imprint if self.imprint is not None else hashlib.new(self.imprint_hash, self.data).digest()
        )
        moment = self.time or f"{self.at:%Y%m%d%H%M%S}Z"
        return der(
            SEQUENCE,
            der(INTEGER, b"\1"),
            oid("1.2.3.4.1"),
            der(SEQUENCE, algorithm(self.imprint_hash), der(OCTETS, imprint)),
            der(INTEGER, b"\7"),
            der(UTC_TIME, moment.encode()),
        )

    def token(self) -> bytes:
        info = self.info()
        attributes = self.attributes(info)
        holders = self.certificates or (self.signer,)
        certificates = [one.certificate.public_bytes(Encoding.DER) for one in holders]
        issuer, serial = self.signer.certificate.issuer, self.signer.certificate.serial_number
        number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
        signer = der(
            SEQUENCE,
            der(INTEGER, b"\1"),
            der(SEQUENCE, issuer.public_bytes(), der(INTEGER, number)),
            algorithm(self.hash),
            der(0xA0, attributes),
            der(SEQUENCE, oid("1.2.840.113549.1.1.10" if self.pss else "1.2.840.113549.1.1.1")),
            der(OCTETS, self.signature(der(SET, attributes))),
        )
        signed = der(
            SEQUENCE,
            der(INTEGER, b"\3"),
            der(SET, algorithm(self.hash)),
            der(SEQUENCE, oid(self.content), der(0xA0, der(OCTETS, info))),
            der(0xA0, *certificates),
            der(SET, signer),
        )
        return der(SEQUENCE, oid(SIGNED_DATA), der(0xA0, signed))

    def attributes(self, info: bytes) -> bytes:
        digest = self.digest if self.digest is not None else hashlib.new(self.hash, info).digest()
        found = [attribute(MESSAGE_DIGEST, der(OCTETS, digest))]
        if self.typed is not None:
            found.append(attribute(CONTENT_TYPE, oid(self.typed)))
        if self.bound is not None:
            fingerprint = self.bound.certificate.fingerprint(hashes.SHA256())
            certificate = der(SEQUENCE, der(OCTETS, fingerprint))
            found.append(attribute(SIGNING_CERTIFICATE_V2, der(SEQUENCE, der(SEQUENCE, certificate))))
        return b"".join(sorted(found))

    def signature(self, data: bytes) -> bytes:
        key, kind = self.signed_by or self.signer.key, getattr(hashes, self.hash.upper())()
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        if isinstance(key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(kind), padding.PSS.DIGEST_LENGTH)
            return key.sign(data, pss if self.pss else padding.PKCS1v15(), kind)
        return bytes(key.sign(data, ec.ECDSA(kind)))


def attribute(name: str, value: bytes) -> bytes:
    return der(SEQUENCE, oid(name), der(SET, value))
