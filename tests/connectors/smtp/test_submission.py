"""A mail is handed over once, and of each it is known whether the server took it."""

from __future__ import annotations

import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError
from servers.stubborn_smtp import ENDLESS, HANG_UP, StubbornSmtp

from connectors.settings import Secret, Tls
from connectors.smtp.settings import SmtpSettings
from connectors.smtp.submission import Delivery, Submission
from model.errors import Blocked, MigrationError, Misconfigured, Transient

FROM, TO = "it@example.org", "anna@example.org"
MAIL = b"Subject: A\r\n\r\nB\r\n.C\r\n"


def settings(port: int, **more: object) -> SmtpSettings:
    given = {"host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 5.0}
    return SmtpSettings.model_validate(given | more)


def sent(server: StubbornSmtp, count: int = 1, to: str = TO, **more: object) -> list[Delivery]:
    with Submission(settings(server.port, **more)) as submission:
        return [submission.send(FROM, to, MAIL) for _ in range(count)]


def test_mails_go_over_one_connection_each_whole() -> None:
    with StubbornSmtp() as server:
        assert sent(server, 3) == [Delivery.SENT] * 3
    assert server.connections == 1
    assert server.mails == ["Subject: A\r\n\r\nB\r\n..C\r\n"] * 3
    assert server.recipients == [TO] * 3
    assert server.commands[-1] == "QUIT"


@pytest.mark.parametrize("at", ["RCPT", "DATA", "END"])
@pytest.mark.parametrize(
    ("reply", "became"),
    [
        ("550 no such person", Delivery.REFUSED),
        ("552 5.2.2 full", Delivery.REFUSED),
        ("450 try later", Delivery.DEFERRED),
        ("421 going away", Delivery.DEFERRED),
    ],
)
def test_a_refusal_is_of_one_mail(at: str, reply: str, became: Delivery) -> None:
    with StubbornSmtp(**{at: [reply]}) as server:
        found = sent(server, 2 if at != "DATA" else 1)
    assert found[0] is became
    assert found[1:] == [Delivery.SENT] * (len(found) - 1)
    assert len(server.mails) == len(found) if at == "END" else len(server.mails) == len(found) - 1


def test_a_connection_that_breaks_before_the_answer_leaves_it_open() -> None:
    with StubbornSmtp(END=[HANG_UP]) as server:
        assert sent(server, 2) == [Delivery.UNSURE, Delivery.SENT]
    assert server.connections == 2


@pytest.mark.parametrize("at", ["MAIL", "RCPT"])
def test_a_connection_that_breaks_before_the_mail_sent_nothing(at: str) -> None:
    with StubbornSmtp(**{at: [HANG_UP]}) as server, Submission(settings(server.port)) as submission:
        with pytest.raises(Transient, match="connection-lost"):
            submission.send(FROM, TO, MAIL)
        assert submission.send(FROM, TO, MAIL) is Delivery.SENT
    assert len(server.mails) == 1


def test_a_sender_that_the_server_does_not_take_is_a_fault_of_the_configuration() -> None:
    with StubbornSmtp(MAIL="550 not yours") as server, pytest.raises(Misconfigured, match=r"notify\.sender"):
        sent(server)
    assert server.mails == []


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"GREETING": "554 go away"}, "protocol-error"),
        ({"GREETING": "* OK IMAP4rev1"}, "protocol-error"),
        ({"GREETING": "421 later"}, "server-busy"),
        ({"GREETING": HANG_UP}, "connection-lost"),
        ({"GREETING": ENDLESS}, "protocol-error"),
        ({"AUTH": "535 wrong"}, "login-refused"),
        ({"AUTH": "454 later"}, "server-busy"),
        ({"EHLO": "250 practice"}, "login-refused"),
    ],
)
def test_a_server_that_is_no_use_is_named(
    answers: dict[str, str], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOGGE_SMTP", "geheim")
    login = {"username": "kogge", "password": Secret(env="KOGGE_SMTP")}
    with StubbornSmtp(**answers) as server, pytest.raises(MigrationError) as caught:
        sent(server, **login)
    assert caught.value.code == code
    assert "geheim" not in f"{caught.value} {caught.value.local} {caught.value.detail}"
    assert server.mails == []


def test_nobody_listens() -> None:
    with StubbornSmtp() as server:
        port = server.port
    with pytest.raises(Transient, match="unreachable") as caught, Submission(settings(port)) as submission:
        submission.open()
    assert str(port) in caught.value.local


def test_an_address_beyond_ascii_needs_a_server_that_takes_it() -> None:
    with StubbornSmtp() as server:
        assert sent(server, to="änna@example.org") == [Delivery.REFUSED]
    assert server.mails == []


def test_a_login_is_not_said_before_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_SMTP", "geheim")
    login = {"username": "kogge", "password": Secret(env="KOGGE_SMTP"), "security": "starttls"}
    with StubbornSmtp() as server, pytest.raises(Blocked, match="tls-failed"):
        sent(server, **login)
    assert "AUTH" not in server.commands


def test_a_certificate_of_nobody_is_not_believed(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with StubbornSmtp() as server:
        plain, server._serve = server._serve, lambda client: secured(client)  # type: ignore[method-assign]
        seen = threading.Event()

        def secured(client: object) -> None:
            try:
                line = context.wrap_socket(client, server_side=True)  # type: ignore[arg-type]
            except ssl.SSLError:
                seen.set()
                return
            with line:
                plain(line)

        tls = {"host": "localhost", "security": "tls"}
        with pytest.raises(Blocked, match="tls-failed"):
            sent(server, **tls)
        assert seen.wait(5)
        assert server.mails == []
        assert sent(server, **tls, tls=Tls(ca_file=str(certificate))) == [Delivery.SENT]


@pytest.mark.parametrize(
    "odd",
    [
        {"host": "smtp.example.org", "security": "none"},
        {"host": "smtp.example.org", "username": "kogge"},
        {"host": "smtp.example.org", "password": {"env": "X"}},
        {"host": "smtp.example.org", "per_minute": 0},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(odd: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SmtpSettings.model_validate(odd)
