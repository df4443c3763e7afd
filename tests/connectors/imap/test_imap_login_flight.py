"""Logins in as few questions as the server allows, and servers that promise more than they keep."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from imap_script import CAPABILITIES, Script, ScriptedServer, Serve, Settings

from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.settings import Account
from model.errors import Blocked

Opened = Callable[..., ImapTarget]
NAMED = CAPABILITIES + b" AUTH=PLAIN SASL-IR ID"
GREETING = b"* OK [CAPABILITY " + NAMED + b"] hi"
RESPONSE = base64.b64encode(b"\0anna\0secret")


def logging_in(answer: bytes) -> Script:
    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"AUTHENTICATE"):
            return answer
        return (
            b'* ID ("name" "Dovecot")\r\nTAG OK done\r\n' if command.startswith(b"ID") else b"TAG OK done\r\n"
        )

    return script


def asked(server: ScriptedServer, target: Opened) -> list[bytes]:
    """What a connection asks before its first use."""
    assert target(server).server()["server"]
    return [line.strip() for line in server.lines]


def test_a_server_that_says_everything_by_itself_is_asked_for_its_name_alone(
    serve: Serve, target: Opened
) -> None:
    server = serve(logging_in(b"TAG OK [CAPABILITY " + NAMED + b"] in [really]\r\n"), greeting=GREETING)
    assert asked(server, target) == [b"AUTHENTICATE PLAIN " + RESPONSE, b"ID NIL"]


def test_what_the_greeting_names_says_nothing_of_what_holds_after_the_login(
    serve: Serve, target: Opened
) -> None:
    server = serve(logging_in(b"TAG OK in\r\n"), greeting=GREETING, capabilities=CAPABILITIES + b" QUOTA ID")
    opened = target(server)
    assert "QUOTA" in opened.server()["extensions"]
    assert [line.strip() for line in server.lines][1:] == [b"CAPABILITY", b"ID NIL"]


@pytest.mark.parametrize("named", [b"", b"[CAPABILITY] ", b"[CAPABILITY SASL-IR AUTH=PLAIN] "])
def test_a_greeting_that_names_no_protocol_is_no_answer(serve: Serve, target: Opened, named: bytes) -> None:
    server = serve(
        logging_in(b"TAG OK " + named + b"in\r\n"),
        greeting=b"* OK " + named + b"hi",
        capabilities=CAPABILITIES,
    )
    assert asked(server, target) == [b"CAPABILITY", b'LOGIN "anna" "secret"', b"CAPABILITY"]


def test_without_sasl_ir_the_response_waits_to_be_asked_for(serve: Serve, target: Opened) -> None:
    plain = CAPABILITIES + b" AUTH=PLAIN"

    def script(command: bytes, stream: object, connection: object) -> bytes:
        if command.startswith(b"AUTHENTICATE"):
            assert command == b"AUTHENTICATE PLAIN\r\n"
            connection.sendall(b"+ \r\n")  # type: ignore[attr-defined]
            assert stream.readline().strip() == RESPONSE  # type: ignore[attr-defined]
        return b"TAG OK done\r\n"

    server = serve(script, capabilities=plain)
    assert asked(server, target) == [b"CAPABILITY", b"AUTHENTICATE PLAIN", b"CAPABILITY"]


def test_a_server_that_asks_again_for_what_it_got_gets_it_again(serve: Serve, target: Opened) -> None:
    def script(command: bytes, stream: object, connection: object) -> bytes:
        if command.startswith(b"AUTHENTICATE"):
            connection.sendall(b"+ \r\n")  # type: ignore[attr-defined]
            assert stream.readline().strip() == RESPONSE  # type: ignore[attr-defined]
        return b"TAG OK done\r\n"

    server = serve(script, greeting=GREETING, capabilities=NAMED.replace(b" ID", b""))
    assert asked(server, target)[0] == b"AUTHENTICATE PLAIN " + RESPONSE


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"TAG NO [AUTHENTICATIONFAILED] anna may not\r\n", "login-refused"),
        (b"* BYE [AUTHENTICATIONFAILED] anna may not\r\n", "login-refused"),
        (b"TAG NO [AUTHORIZATIONFAILED] x\r\n", "mailbox-missing"),
    ],
)
def test_a_refusal_at_once_is_a_refusal(serve: Serve, target: Opened, answer: bytes, code: str) -> None:
    def script(command: bytes, _: object, connection: object) -> bytes | None:
        if not answer.startswith(b"*"):
            return answer
        connection.sendall(answer)  # type: ignore[attr-defined]
        return None

    server = serve(script, greeting=GREETING)
    with pytest.raises(Blocked, match=code):
        target(server).server()
    assert len(server.lines) == 1


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("COURT\\anna smith", b'"COURT\\\\anna smith"'),
        ('an"na', b'"an\\"na"'),
        ("(anna)*{5}%", b'"(anna)*{5}%"'),
    ],
)
def test_a_login_is_sent_as_a_quoted_text(serve: Serve, settings: Settings, login: str, sent: bytes) -> None:
    """Where AUTHENTICATE PLAIN is missing, an atom could hold none of these."""
    server = serve(logging_in(b""))
    ImapSource(settings(server.port), Account(login=login), Path()).server()
    assert [line.strip() for line in server.lines if line.startswith(b"LOGIN")] == [
        b"LOGIN " + sent + b' "secret"'
    ]


@pytest.mark.parametrize("login", ["anna\r\nA2 DELETE INBOX", "anna\0bert", "anna\x7f"])
@pytest.mark.parametrize("capabilities", [CAPABILITIES, NAMED])
def test_a_login_that_holds_a_control_character_is_not_sent(
    serve: Serve, settings: Settings, login: str, capabilities: bytes
) -> None:
    server = serve(logging_in(b"TAG OK in\r\n"), capabilities=capabilities)
    with pytest.raises(Blocked, match="login-refused"):
        ImapSource(settings(server.port), Account(login=login), Path()).server()
    assert not [line for line in server.lines if line.startswith((b"LOGIN", b"AUTH", b"A2"))]
