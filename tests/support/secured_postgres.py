"""A PostgreSQL with TLS and a password, and an authority that issues certificates of every kind for it."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from practice.servers.postgres import Postgres, run, serve

DAY = datetime.timedelta(days=1)
SIGNS = {"key_cert_sign": True, "crl_sign": True}
USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Issued:
    """PEM texts."""

    certificate: bytes
    key: bytes


class Authority:
    """May sign certificates and nothing else (basicConstraints, keyUsage). file: what a client trusts."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"Authority {x509.random_serial_number():x}")
        self.file = folder / "authority.pem"
        builder = _builder(self._name, self._name, self._key.public_key(), 0, 30)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_uses(**SIGNS), critical=True)
        made = builder.sign(self._key, hashes.SHA256())
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, *hosts: str, begins: int = 0, days: int = 30, server: bool = True) -> Issued:
        """begins, days: it is valid from so many days from now on, until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name("database"), self._name, key.public_key(), begins, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_uses(digital_signature=True), critical=True)
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = builder.add_extension(authority, critical=False).sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(made.public_bytes(serialization.Encoding.PEM), private)


@dataclass(frozen=True)
class Secured:
    """At a port of this machine; its database is kogge, and so is its user."""

    postgres: Postgres
    port: int
    authority: Authority

    @property
    def data(self) -> Path:
        return self.postgres.folder / "data"

    def present(self, issued: Issued) -> None:
        """From the next connection on, the server presents this certificate."""
        owner = self.data.stat()
        for name, content in (("server.pem", issued.certificate), ("server.key", issued.key)):
            path = self.data / name
            path.touch(mode=0o600)
            path.write_bytes(content)
            os.chown(path, owner.st_uid, owner.st_gid)
        control = self.postgres.programs / "pg_ctl"
        run(control, "-D", self.data, "-w", "-m", "fast", "-l", self.postgres.folder / "log", "restart")


@contextmanager
def serve_secured(folder: Path, password: str) -> Iterator[Secured]:
    """folder: for the authority's file. The server has no certificate yet."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = int(reserved.getsockname()[1])
    with serve() as server:
        secured = Secured(server, port, Authority(folder))
        rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        (secured.data / "pg_hba.conf").write_text(rules)
        with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            for statement in (
                f"ALTER ROLE kogge PASSWORD '{password}'",
                "ALTER SYSTEM SET ssl_cert_file = 'server.pem'",
                "ALTER SYSTEM SET ssl_key_file = 'server.key'",
                "ALTER SYSTEM SET ssl = on",
                "ALTER SYSTEM SET listen_addresses = '127.0.0.1'",
                f"ALTER SYSTEM SET port = {port}",
                "CREATE DATABASE kogge",
            ):
                connection.execute(statement)
        secured.present(secured.authority.issue("localhost"))
        yield secured


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _uses(**granted: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: granted.get(use, False) for use in USES})


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: int, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + (begins - 5) * DAY if begins < 1 else now + begins * DAY)
    builder = builder.not_valid_after(now + days * DAY)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
