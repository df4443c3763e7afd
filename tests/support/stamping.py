"""A time-stamping authority made on the spot: certificates by cryptography, the stamp itself by OpenSSL."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR = timedelta(days=365)
STAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)
CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {place}/serial
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
signer_digest = {digest}
accuracy = secs:1
ess_cert_id_alg = {bound}
"""


def new_key(kind: str) -> Any:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curve = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "brainpool": ec.BrainpoolP256R1()}[kind]
    return ec.generate_private_key(curve)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        return bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


@dataclass(frozen=True)
class Certified:
    """What a certificate says. ca: whether it may issue others, and through how many."""

    name: str
    kind: str = "rsa"
    ca: bool | None = None
    path: int | None = None
    uses: tuple[x509.ObjectIdentifier, ...] = ()
    critical: bool = True
    begins: timedelta = -YEAR
    ends: timedelta = YEAR

    def by(self, issuer: Holder | None = None) -> Holder:
        key, now = new_key(self.kind), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.certificate.subject if issuer else name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + self.begins)
            .not_valid_after(now + self.ends)
        )
        if self.ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(self.ca, self.path), critical=True)
        if self.uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.uses), critical=self.critical)
        return Holder(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


ROOT = Certified("Root of time", ca=True)
SIGNER = Certified("Time stamps 1", uses=STAMPING)


@dataclass(frozen=True)
class Authority:
    """Who stamps. chain: the certificates between it and its root, which a reply brings along."""

    place: Path
    root: Holder
    signer: Holder
    chain: tuple[Holder, ...] = ()
    digest: str = "sha256"
    bound: str = "sha256"

    def with_root(self, root: Holder) -> Authority:
        return replace(self, root=root)

    def root_file(self) -> Path:
        path = self.place / "root.pem"
        path.write_bytes(self.root.pem())
        return path

    def reply(self, file: Path, imprint: str = "sha256") -> bytes:
        """To a request that OpenSSL makes of that file."""
        query = self.place / "request.tsq"
        self._run("ts", "-query", "-data", str(file), f"-{imprint}", "-cert", "-out", str(query))
        return self.answer(query)

    def answer(self, query: Path) -> bytes:
        (self.place / "serial").write_text("01\n")
        (self.place / "tsa.cnf").write_text(
            CONFIG.format(place=self.place, digest=self.digest, bound=self.bound)
        )
        (self.place / "signer.pem").write_bytes(self.signer.pem())
        (self.place / "signer.key").write_bytes(self.signer.key_pem())
        arguments = ["-config", "tsa.cnf", "-signer", "signer.pem", "-inkey", "signer.key"]
        if self.chain:
            (self.place / "chain.pem").write_bytes(b"".join(one.pem() for one in self.chain))
            arguments += ["-chain", "chain.pem"]
        out = self.place / "reply.tsr"
        self._run("ts", "-reply", "-queryfile", str(query), *arguments, "-out", str(out))
        return out.read_bytes()

    def _run(self, *arguments: str) -> None:
        ran = subprocess.run(
            ["openssl", *arguments], cwd=self.place, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == 0, ran.stderr


def authority(place: Path, signer: Certified = SIGNER, root: Certified = ROOT, **other: Any) -> Authority:
    """Whose root signed its certificate itself."""
    place.mkdir(exist_ok=True)
    holder = root.by()
    return Authority(place, holder, signer.by(holder), **other)
