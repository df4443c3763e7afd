"""IMAP connections and logins against a scripted server: refusals, silence, cut connections."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from imap_script import (
    Open,
    Serve,
    Settings,
    refusing_login,
)

from connectors.accepted_logins import LOGINS, WAIT_SECONDS
from connectors.imap.source import ImapSource
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Transient


def test_a_refused_login_is_blocked_and_names_nobody(serve: Serve, target: Open) -> None:
    server = serve(refusing_login)
    with pytest.raises(Blocked, match="login-refused") as caught:
        target(server).identity()
    assert "anna" not in str(caught.value)
    assert [line.split()[0] for line in server.lines].count(b"LOGIN") == 1


def test_a_login_that_was_accepted_is_confirmed_before_it_is_refused(
    serve: Serve, target: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda *_: b"TAG OK done\r\n")
    first = target(server)
    assert first.capabilities
    first.close()
    server._script = refusing_login
    opened = target(server)
    for _ in range(3):  # this session logs in no more
        with pytest.raises(Transient, match="login-unconfirmed"):
            _ = opened.capabilities
    opened.close()
    monkeypatch.setattr(LOGINS, "clock", lambda: time.monotonic() + WAIT_SECONDS)
    with pytest.raises(Blocked, match="login-refused"):
        _ = target(server).capabilities
    assert [line.split()[0] for line in server.lines].count(b"LOGIN") == 3


@pytest.mark.parametrize(
    ("code", "kind", "ours"),
    [
        (b"UNAVAILABLE", Transient, "server-busy"),
        (b"LIMIT", Transient, "server-busy"),
        (b"AUTHORIZATIONFAILED", Blocked, "mailbox-missing"),
        (b"EXPIRED", Blocked, "login-refused"),
    ],
)
def test_login_codes(
    serve: Serve, settings: Settings, tmp_path: Path, code: bytes, kind: type[MigrationError], ours: str
) -> None:
    def script(command: bytes, *_: object) -> bytes:
        return b"TAG BAD no\r\n"

    server = serve(script)
    server._basic = lambda command: (  # type: ignore[method-assign]
        b"TAG NO [" + code + b"] x\r\n"
        if command.startswith(b"LOGIN")
        else b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n"
    )
    source = ImapSource(settings(server.port), Account(login="anna"), tmp_path)
    with pytest.raises(kind) as caught:
        source.identity()
    assert caught.value.code == ours
    source.close()


def test_nobody_listens(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = ImapSource(settings(port), Account(login="anna"), tmp_path)
    with pytest.raises(Transient, match="server-unreachable"):
        source.identity()


def test_a_silent_server_times_out(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = ImapSource(
            settings(silent.getsockname()[1], timeout_seconds=0.3), Account(login="a"), tmp_path
        )
        with pytest.raises(Transient, match="timeout"):
            source.identity()
        source.close()


def test_a_greeting_of_bye_is_transient(serve: Serve, target: Open) -> None:
    server = serve(lambda *_: None, greeting=b"* BYE [UNAVAILABLE] too many of anna")
    with pytest.raises(Transient, match="server-bye") as caught:
        target(server).identity()
    assert caught.value.detail == "UNAVAILABLE"


@pytest.mark.parametrize(("words", "detail"), [(b"[INUSE] anna", "INUSE"), (b"anna", ""), (b"[ANNA] x", "")])
def test_bye_at_the_login_is_no_refused_login(serve: Serve, target: Open, words: bytes, detail: str) -> None:
    server = serve(lambda *_: None)
    basic = server._basic
    server._basic = lambda command: (  # type: ignore[method-assign]
        b"* BYE " + words + b"\r\n" if command.startswith(b"LOGIN") else basic(command)
    )
    with pytest.raises(Transient, match="server-bye") as caught:
        target(server, timeout_seconds=2).identity()
    assert caught.value.detail == detail


@pytest.mark.parametrize("code", [b"AUTHENTICATIONFAILED", b"EXPIRED"])
def test_a_login_that_a_bye_refuses_is_not_repeated(serve: Serve, target: Open, code: bytes) -> None:
    server = serve(lambda *_: None)
    basic = server._basic
    server._basic = lambda command: (  # type: ignore[method-assign]
        b"* BYE [" + code + b"] anna\r\n" if command.startswith(b"LOGIN") else basic(command)
    )
    opened = target(server, timeout_seconds=2)
    for _ in range(3):
        with pytest.raises(Blocked, match="login-refused"):
            opened.identity()
    assert sum(line.startswith(b"LOGIN") for line in server.lines) == 1


@pytest.mark.parametrize(
    ("code", "detail"), [(b"NOPERM", "NOPERM"), (b"SERVERBUG", "SERVERBUG"), (b"ANNA", "")]
)
def test_what_a_refusal_may_tell(serve: Serve, target: Open, code: bytes, detail: str) -> None:
    opened = target(serve(lambda *_: b"TAG NO [" + code + b"] anna is away\r\n"))
    with pytest.raises(MigrationError) as caught:
        opened.position("INBOX")
    assert caught.value.detail == detail


def test_a_cut_reply_is_transient_and_the_next_call_connects_anew(serve: Serve, target: Open) -> None:
    cuts = iter([True, False])

    def script(command: bytes, *_: object) -> bytes | None:
        return None if next(cuts) else b"* STATUS INBOX (UIDVALIDITY 7 UIDNEXT 9)\r\nTAG OK done\r\n"

    opened = target(serve(script))
    with pytest.raises(Transient, match="connection-lost"):
        opened.position("INBOX")
    assert opened.position("INBOX") == "7:9"


def test_bye_in_the_middle_is_told_apart(serve: Serve, target: Open) -> None:
    def script(command: bytes, stream: object, connection: socket.socket) -> None:
        connection.sendall(b"* BYE [UNAVAILABLE] restart\r\n")

    with pytest.raises(Transient, match="server-bye"):
        target(serve(script)).position("INBOX")
