"""The ledger's PostgreSQL server: whom it is told to, and what does not answer."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from secured_postgres import Authority, Secured, serve_secured
from servers.postgres import Postgres
from services import need_postgres
from sqlalchemy import make_url, text

from engine.config.ledger import LedgerSettings
from ledger.db.engine import reading
from ledger.store import Ledger
from model.errors import MigrationError, Misconfigured, Transient

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
    there = listener(False)
    error = tried(address("127.0.0.1", there.port, monkeypatch, connect_seconds=2))
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


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    need_postgres()
    with serve_secured(tmp_path_factory.mktemp("authority"), PASSWORD) as served:
        yield served


@pytest.mark.postgres
def test_a_server_of_a_named_authority_is_trusted(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    secured.present(secured.authority.issue(HOST))
    tls = {"ca_file": str(secured.authority.file)}
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
def test_a_server_of_an_authority_of_the_system_is_trusted(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    secured.present(secured.authority.issue(HOST))
    known = ssl.get_default_verify_paths()._replace(cafile=str(secured.authority.file))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: known)
    ledger = Ledger(address(HOST, secured.port, monkeypatch))
    ledger.ready()
    ledger.close()


CASES = {
    "another name": (("another.example.test",), {}, "names another host"),
    "no name": ((), {}, "names another host"),
    "expired": ((HOST,), {"days": -1}, "has expired"),
    "not yet valid": ((HOST,), {"begins": 2}, "not valid yet"),
    "for clients alone": ((HOST,), {"server": False}, "may not be used for a server"),
}


@pytest.mark.postgres
@pytest.mark.parametrize("how", CASES)
def test_a_certificate_that_is_not_trusted_is_named(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    hosts, made, said = CASES[how]
    secured.present(secured.authority.issue(*hosts, **made))
    error = tried(address(HOST, secured.port, monkeypatch, tls={"ca_file": str(secured.authority.file)}))
    assert isinstance(error, Misconfigured)
    assert said in str(error)
    assert "tls.ca_file" in str(error)


@pytest.mark.postgres
def test_a_server_of_another_authority_is_not_told_the_password(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secured.present(secured.authority.issue(HOST))
    for tls in ({"ca_file": str(Authority(tmp_path).file)}, {}):
        error = tried(address(HOST, secured.port, monkeypatch, tls=tls))
        assert isinstance(error, Misconfigured)
        assert "no authority that is trusted here" in str(error)


@pytest.mark.postgres
def test_a_file_of_an_authority_that_is_not_there_is_named(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = tried(address(HOST, secured.port, monkeypatch, tls={"ca_file": str(tmp_path / "none.pem")}))
    assert isinstance(error, Misconfigured)
    assert "cannot be read" in str(error)


@pytest.mark.postgres
def test_a_login_that_is_refused_is_named(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = {"ca_file": str(secured.authority.file)}
    secured.present(secured.authority.issue(HOST))
    right = address(HOST, secured.port, monkeypatch, tls=tls)
    for wrong, said in (
        (right.replace(PASSWORD, "another"), "the user or the password"),
        (right.replace("/kogge?", "/none?"), "does not have the database"),
        (address(HOST, secured.port, monkeypatch, plain=True) + "&sslmode=disable", "pg_hba.conf"),
    ):
        error = tried(wrong)
        assert isinstance(error, Misconfigured)
        assert said in str(error)


@pytest.mark.postgres
def test_a_server_that_ends_a_connection_is_away_and_not_untrusted(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    secured.present(secured.authority.issue(HOST))
    ledger = Ledger(address(HOST, secured.port, monkeypatch, tls={"ca_file": str(secured.authority.file)}))
    ledger.ready()
    with pytest.raises(Transient, match="ledger-unavailable"), reading(ledger.engine) as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert ledger.mailboxes() == []
    ledger.close()


@pytest.mark.postgres
def test_a_database_of_another_encoding_is_refused(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    error = tried(postgres.url("ascii"))
    assert isinstance(error, Misconfigured)
    assert "SQL_ASCII" in str(error)
    assert "ENCODING 'UTF8'" in str(error)
