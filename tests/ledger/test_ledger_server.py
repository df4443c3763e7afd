"""The ledger's PostgreSQL server: whom it is told to, and what does not answer."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from services import need_postgres
from sqlalchemy import make_url

from engine.config.ledger import LedgerSettings
from ledger.db import engine as database
from ledger.store import Ledger
from model.errors import MigrationError, Misconfigured, Transient
from practice.harness.tls import Certificate, make_certificate
from practice.servers.postgres import Postgres, run, serve

HOST, PASSWORD = "db.example.test", "THE-LEDGER-PASSWORD"
SSL_REQUEST = 80877103
CLEAR_TEXT = b"R" + struct.pack("!ii", 8, 3)
"""AuthenticationCleartextPassword."""


@dataclass
class Listener:
    """Says it has no TLS, and asks for the password as text; or never says anything. heard: all that came."""

    answers: bool
    heard: bytes = b""

    def __post_init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(4096):
                self.heard += data
                if not self.answers:
                    continue
                asked = len(data) >= 8 and struct.unpack("!i", data[4:8])[0] == SSL_REQUEST
                connection.sendall(b"N" if asked else CLEAR_TEXT)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def listener() -> Iterator[Callable[[bool], Listener]]:
    made: list[Listener] = []

    def make(answers: bool) -> Listener:
        made.append(Listener(answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def address(host: str, port: int, monkeypatch: pytest.MonkeyPatch, **settings: object) -> str:
    """What the configuration makes of it; a name that is not this machine's leads to it all the same."""
    monkeypatch.setenv("KOGGE_TEST_DB", PASSWORD)
    url = f"postgresql+psycopg://kogge@{host}:{port}/kogge"
    given = LedgerSettings.model_validate({"url": url, "password": {"env": "KOGGE_TEST_DB"}, **settings})
    return f"{given.address()}&hostaddr=127.0.0.1"


def tried(url: str) -> MigrationError:
    ledger = Ledger(url)
    with pytest.raises(MigrationError) as raised:
        ledger.revision()
    ledger.close()
    assert PASSWORD not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
@pytest.mark.parametrize("plain", [False, True])
def test_who_has_no_tls_and_asks_for_the_password_does_not_get_it(
    listener: Callable[[bool], Listener], monkeypatch: pytest.MonkeyPatch, host: str, plain: bool
) -> None:
    there = listener(True)
    error = tried(address(host, there.port, monkeypatch, plain=plain))
    assert isinstance(error, Misconfigured)
    assert there.heard
    assert PASSWORD.encode() not in there.heard
    if host == HOST and not plain:
        assert b"kogge" not in there.heard, "without TLS it is not even told who we are"
        assert "plain = true" in str(error)


def test_a_password_from_elsewhere_is_not_sent_as_text_either(
    listener: Callable[[bool], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = listener(True)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    settings = LedgerSettings(url=f"postgresql+psycopg://kogge@127.0.0.1:{there.port}/kogge")
    assert isinstance(tried(settings.address()), Misconfigured)
    assert PASSWORD.encode() not in there.heard


def test_a_server_that_never_answers_is_given_up(
    listener: Callable[[bool], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._POSTGRESQL, "connect_timeout", 2)
    there = listener(False)
    error = tried(address("127.0.0.1", there.port, monkeypatch))
    assert isinstance(error, Transient)
    assert error.code == "ledger-unavailable"
    assert there.heard


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("postgresql+psycopg://kogge@db.example.test/kogge", True),
        ("postgresql+psycopg://kogge@192.0.2.1:5432/kogge", True),
        ("postgresql+psycopg://kogge@/kogge?host=a.example.test&host=/run", True),
        ("postgresql+psycopg://kogge@/kogge?host=127.0.0.1,b.example.test", True),
        ("postgresql+psycopg://kogge@127.0.0.1:5433/kogge", False),
        ("postgresql+psycopg://kogge@[::1]:5433/kogge", False),
        ("postgresql+psycopg://kogge@localhost/kogge", False),
        ("postgresql+psycopg://kogge@/kogge?host=/run/postgresql", False),
        ("postgresql+psycopg://kogge@/kogge", False),
    ],
)
def test_what_leaves_this_machine(url: str, remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    settings = LedgerSettings(url=url)
    assert settings.is_remote is remote
    query = make_url(settings.address()).query
    assert (query.get("sslmode"), query.get("sslrootcert")) == (
        ("verify-full", "system") if remote else (None, None)
    )
    trusting = settings.model_copy(update={"plain": True})
    assert "sslmode" not in make_url(trusting.address()).query


def test_a_host_named_by_the_environment_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", HOST)
    assert LedgerSettings(url="postgresql+psycopg://kogge@/kogge").is_remote


@pytest.mark.parametrize("name", ["sslmode=disable", "require_auth=password", "x=1&hostaddr=192.0.2.1"])
def test_trust_is_no_part_of_the_url(name: str) -> None:
    with pytest.raises(ValueError, match="TLS is no part of the url"):
        LedgerSettings(url=f"postgresql+psycopg://kogge@db.example.test/kogge?{name}")


@dataclass(frozen=True)
class Secured:
    postgres: Postgres
    port: int
    certificate: Certificate


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A server with TLS and a password, at a port of this machine."""
    need_postgres()
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = int(reserved.getsockname()[1])
    with serve() as server:
        data = server.folder / "data"
        owner = data.stat()
        certificate = make_certificate(data, HOST)
        for path in (certificate.ca, certificate.key):
            os.chown(path, owner.st_uid, owner.st_gid)
        (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            for statement in (
                f"ALTER ROLE kogge PASSWORD '{PASSWORD}'",
                f"ALTER SYSTEM SET ssl_cert_file = '{certificate.ca}'",
                f"ALTER SYSTEM SET ssl_key_file = '{certificate.key}'",
                "ALTER SYSTEM SET ssl = on",
                "ALTER SYSTEM SET listen_addresses = '127.0.0.1'",
                f"ALTER SYSTEM SET port = {port}",
                "CREATE DATABASE kogge",
            ):
                connection.execute(statement)
        control = (server.programs / "pg_ctl", "-D", data, "-w", "-t", "30")
        run(*control, "-m", "fast", "-l", data.parent / "log", "restart")
        trusted = tmp_path_factory.mktemp("trusted")
        (trusted / "ca.pem").write_bytes(certificate.ca.read_bytes())
        yield Secured(server, port, Certificate(trusted / "ca.pem", certificate.key))


@pytest.mark.postgres
def test_a_server_of_a_named_authority_is_trusted(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = {"ca_file": str(secured.certificate.ca)}
    ledger = Ledger(address(HOST, secured.port, monkeypatch, tls=tls))
    ledger.ready()
    assert ledger.mailboxes() == []
    with ledger.engine.connect() as connection:
        said = connection.exec_driver_sql(
            "SELECT ssl, current_setting('lock_timeout'), current_setting('tcp_keepalives_idle')"
            " FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).one()
    assert tuple(said) == (True, "1min", "30")
    ledger.close()


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["another name", "another authority"])
def test_a_server_that_is_another_is_not_told_the_password(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    other = how == "another authority"
    ca = make_certificate(tmp_path).ca if other else secured.certificate.ca
    host = HOST if other else "another.example.test"
    error = tried(address(host, secured.port, monkeypatch, tls={"ca_file": str(ca)}))
    assert isinstance(error, Misconfigured)
    assert "tls.ca_file" in str(error)


@pytest.mark.postgres
def test_a_database_of_another_encoding_is_refused(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    error = tried(postgres.url("ascii"))
    assert isinstance(error, Misconfigured)
    assert "SQL_ASCII" in str(error)
    assert "ENCODING 'UTF8'" in str(error)
