"""Why no connection came about: what this machine found, with host and port, and what to do."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from test_deadline import ANNA

from connectors.caldav.settings import DavSettings
from connectors.graph_api.client import GraphClient
from connectors.graph_api.settings import GraphSettings
from connectors.http.client import HttpClient
from connectors.imap.session import ImapSettings, Session
from connectors.settings import Secret, Tls
from model.errors import MigrationError
from practice.harness.tls import make_certificate

GREETING = b"* OK secret words of anna@old.example\r\n"


def certificate(folder: Path, name: str, days: int) -> tuple[Path, Path]:
    """A self-signed one for a name, which ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "practice")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    ca, private = folder / "ca.pem", folder / "key.pem"
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    return ca, private


Serve = Callable[[tuple[Path, Path] | None], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Servers that speak TLS with a certificate, or none, and greet."""
    listening: list[socket.socket] = []

    def start(pair: tuple[Path, Path] | None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if pair is not None:
            context.load_cert_chain(*pair)

        def talk() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                try:
                    secured = client if pair is None else context.wrap_socket(client, server_side=True)
                    secured.sendall(GREETING)
                    secured.recv(1000)
                    secured.close()
                except OSError:
                    client.close()

        threading.Thread(target=talk, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for one in listening:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


def imap(host: str, port: int, tls: Tls, spool: Path) -> None:
    settings = ImapSettings(kind="imap", host=host, port=port, password=Secret(env="CAUSE"), tls=tls)
    Session(settings, ANNA).done(b"NOOP")


def dav(host: str, port: int, tls: Tls, spool: Path) -> None:
    url = f"https://{host}:{port}/"
    settings = DavSettings(kind="caldav", url=url, password=Secret(env="CAUSE"), tls=tls)

    class Habits:
        writers, user_agent = 2, "Kogge"

    HttpClient(settings, ANNA, Habits()).ask("PROPFIND", "/")


def graph(host: str, port: int, tls: Tls, spool: Path) -> None:
    base = f"https://{host}:{port}"
    settings = GraphSettings(tenant="t", client_id="c", client_secret=Secret(env="CAUSE"), tls=tls,
                             graph_url=base, authority=base)  # fmt: skip
    wire = GraphClient(settings, ANNA, spool)
    with wire.opened("GET", f"{base}/x", {}, bearer=False):
        raise AssertionError("it answered")


def found(asks: Callable[..., None], host: str, port: int, tls: Tls, spool: Path) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        asks(host, port, tls, spool)
    error = caught.value
    assert error.local.startswith(f"{host}:{port}")
    assert "anna" not in error.local
    assert host not in str(error)
    return error


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSE", "secret")


ASKS = pytest.mark.parametrize("asks", [imap, dav, graph])


@ASKS
def test_tls_to_a_plain_port(asks: Callable[..., None], serve: Serve, tmp_path: Path) -> None:
    error = found(asks, "localhost", serve(None), Tls(), tmp_path)
    assert error.code == "tls-failed"
    assert "the port does not speak TLS" in error.local
    assert error.detail == "no-tls-on-port"


@ASKS
def test_an_authority_that_nobody_knows(asks: Callable[..., None], serve: Serve, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    error = found(asks, "localhost", serve((made.ca, made.key)), Tls(), tmp_path)
    assert (error.code, "set tls.ca_file" in error.local) == ("tls-failed", True)
    assert error.detail == "unknown-authority"


@ASKS
@pytest.mark.parametrize(
    ("name", "days", "said", "word"),
    [
        ("other.example", 30, "for other names", "certificate-of-another-name"),
        ("localhost", -3, "has expired", "certificate-expired"),
    ],
)
def test_a_certificate_of_another_name_or_time(
    asks: Callable[..., None], name: str, days: int, said: str, word: str, serve: Serve, tmp_path: Path
) -> None:
    pair = certificate(tmp_path, name, days)
    error = found(asks, "localhost", serve(pair), Tls(ca_file=str(pair[0])), tmp_path)
    assert error.code == "tls-failed"
    assert said in error.local
    assert error.detail == word


@ASKS
def test_nobody_listens(asks: Callable[..., None], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = int(closed.getsockname()[1])
    error = found(asks, "127.0.0.1", port, Tls(), tmp_path)
    assert error.code in {"unreachable", "server-unreachable"}
    assert "Connection refused" in error.local
    assert error.detail == "ECONNREFUSED"
