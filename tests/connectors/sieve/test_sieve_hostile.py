"""Servers that send without end, break off, lie, or speak before TLS."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from sieve_desk import item, meaning, rule
from sieve_script import GREETING, OddServer, Script

from connectors.settings import Account
from connectors.sieve import session as sessions
from connectors.sieve.session import Session
from connectors.sieve.settings import SieveSettings
from connectors.sieve.target import SieveTarget
from model.errors import Blocked, MigrationError, Transient
from model.kinds import Kind

Opened = Callable[..., SieveTarget]
WORDS = "the words of anna@new.example"


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """A target at a server that answers by a script; greeting and settings may be given."""
    monkeypatch.setenv("ODD_PASSWORD", "secret-of-odd")
    monkeypatch.setattr(sessions, "sleep", lambda _seconds: None)
    with contextlib.ExitStack() as stack:

        def make(
            script: Script = lambda _line: None, greeting: bytes = GREETING, **more: object
        ) -> SieveTarget:
            server = OddServer(script, greeting)
            stack.callback(server.close)
            given = {
                "host": "127.0.0.1",
                "port": server.port,
                "security": "none",
                "password": {"env": "ODD_PASSWORD"},
                "timeout_seconds": 5,
            }
            settings = SieveSettings.model_validate(given | more)
            target = SieveTarget(
                settings, Account(login="anna"), lambda: None, kind=Kind.MAIL, digest=meaning
            )
            stack.callback(target.close)
            return target

        yield make


def quiet(_line: bytes) -> None:
    """Leave each answer to the server."""


def answering(verb: bytes, answer: bytes) -> Script:
    return lambda line: answer if line.upper().startswith(verb) else None


def error_of(call: Callable[[], object]) -> MigrationError:
    with pytest.raises(MigrationError) as raised:
        call()
    assert WORDS not in f"{raised.value}{raised.value!r}{raised.value.detail}{raised.value.advice}"
    return raised.value


def write(target: SieveTarget) -> list[object]:
    return list(target.write("rules", [item(rule())]))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"{99999999999999999999}\r\n", "protocol-error"),
        (b"{4294967295}\r\n", "protocol-error"),
        (b"{10}\r\nabc", "connection-lost"),
        (b'"' + b"x" * 20_000, "protocol-error"),
        (b'"x"\r\n' * 10_002, "protocol-error"),
        (b"\r\n", "protocol-error"),
        (b'"open\r\nOK\r\n', "protocol-error"),
        (b"* OK what\r\n", "protocol-error"),
        (b"\x00\x01\r\n", "protocol-error"),
        (b'ACTIVE "x"\r\nOK\r\n', "protocol-error"),
        (b'"\xff"\r\nOK\r\n', "protocol-error"),
        (b'BYE (TRYLATER) "' + WORDS.encode() + b'"\r\n', "server-bye"),
        (b'NO (TRYLATER) "' + WORDS.encode() + b'"\r\n', "server-busy"),
        (b'NO "' + WORDS.encode() + b'"\r\n', "scripts-refused"),
        (b"NO (" + WORDS.encode() + b') "x"\r\n', "scripts-refused"),
    ],
)
def test_an_odd_answer_is_a_fault_of_the_server(odd: Opened, answer: bytes, code: str) -> None:
    def script(line: bytes) -> bytes | None:
        return answer if line.startswith(b"LISTSCRIPTS") else None

    target = odd(script)
    if code == "connection-lost":
        target = odd(script, timeout_seconds=0.5)
        code = "timeout"
    assert error_of(target._session.scripts).code == code


def test_a_script_without_end_is_not_read(odd: Opened) -> None:
    target = odd(answering(b"GETSCRIPT", b"{%d}\r\n" % (17 << 20) + b"x"))
    assert error_of(lambda: list(target.listing("rules"))).code == "protocol-error"


@pytest.mark.parametrize(
    "answer", [b"OK\r\n", b'"a" "b"\r\nOK\r\n', b'"a"\r\n"b"\r\nOK\r\n', b"ATOM\r\nOK\r\n"]
)
def test_a_script_that_is_none_is_not_taken_for_one(odd: Opened, answer: bytes) -> None:
    target = odd(answering(b"GETSCRIPT", answer + b"OK\r\n"))
    assert error_of(lambda: list(target.listing("rules"))).code == "protocol-error"


def test_a_status_within_a_literal_is_a_part_of_it(odd: Opened) -> None:
    text = b'OK\r\nBYE "x"\r\nNO "x"\r\n'
    target = odd(answering(b"GETSCRIPT", b"{%d}\r\n%b\r\nOK\r\n" % (len(text), text)))
    assert error_of(lambda: list(target.listing("rules"))).code == "script-unreadable"


def test_yes_for_nothing_is_noticed(odd: Opened) -> None:
    assert error_of(lambda: write(odd())).code == "scripts-refused"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("QUOTA", "sieve-quota"),
        ("QUOTA/MAXSIZE", "sieve-quota"),
        ("QUOTA/MAXSCRIPTS", "sieve-quota"),
        ("TRYLATER", "server-busy"),
        ("X-ODD", "scripts-refused"),
    ],
)
@pytest.mark.parametrize("verb", [b"HAVESPACE", b"PUTSCRIPT"])
def test_a_refusal_says_what_to_do(odd: Opened, verb: bytes, code: str, expected: str) -> None:
    target = odd(answering(verb, f'NO ({code}) "{WORDS}"\r\n'.encode()))
    error = error_of(lambda: write(target))
    assert error.code == expected
    assert error.detail == ("" if code == "X-ODD" else code)
    assert WORDS in error.words.spoken()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b'NO "x"\r\n', "server-busy"),
        (b'NO (TRYLATER) "x"\r\n', "server-busy"),
        (b'NO (QUOTA/MAXSIZE) "x"\r\n', "sieve-quota"),
    ],
)
def test_no_rule_is_blamed_for_a_server_that_is_unwell(odd: Opened, answer: bytes, code: str) -> None:
    assert error_of(lambda: write(odd(answering(b"CHECKSCRIPT", answer)))).code == code


@pytest.mark.parametrize(
    ("codes", "largest"),
    [(("",), None), (("QUOTA", "QUOTA/MAXSTORAGE", ""), 1 << 18), (("QUOTA/MAXSCRIPTS",), None)],
)
def test_the_largest_script_is_asked_for(odd: Opened, codes: tuple[str, ...], largest: int | None) -> None:
    left = list(codes)

    def script(line: bytes) -> bytes | None:
        if not line.startswith(b"HAVESPACE"):
            return None
        code = left.pop(0)
        return f'NO ({code}) "x"\r\n'.encode() if code else b"OK\r\n"

    assert odd(script).limits.script_bytes == largest


@pytest.mark.parametrize(
    "greeting",
    [
        b"* OK IMAP4rev1 ready\r\n",
        b"220 mail ESMTP\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x01\r\n",
    ],
)
def test_another_protocol_is_a_passing_fault_once(odd: Opened, greeting: bytes) -> None:
    target = odd(greeting=greeting)
    first, second = error_of(target.identity), error_of(target.identity)
    assert (first.code, second.code) == ("not-managesieve", "not-managesieve")
    assert (type(first), type(second)) == (Transient, Blocked)


def test_a_server_without_tls_gets_no_password(odd: Opened) -> None:
    seen: list[bytes] = []

    def script(line: bytes) -> bytes | None:
        seen.append(line)
        return None

    assert error_of(odd(script, security="starttls").identity).code == "tls-failed"
    assert seen == []


@pytest.mark.parametrize("injected", [b'"SASL" "PLAIN"\r\nOK\r\n', b"x"])
def test_what_is_sent_before_tls_does_not_count(odd: Opened, injected: bytes) -> None:
    seen: list[bytes] = []

    def script(line: bytes) -> bytes | None:
        seen.append(line)
        return b"OK\r\n" + injected if line.startswith(b"STARTTLS") else None

    target = odd(script, b'"STARTTLS"\r\n' + GREETING, security="starttls")
    assert error_of(target.identity).code == "tls-failed"
    assert seen == [b"STARTTLS\r\n"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b'NO "' + WORDS.encode() + b'"\r\n', "login-refused"),
        (b'NO (ENCRYPT-NEEDED) "x"\r\n', "login-refused"),
        (b'NO (TRYLATER) "x"\r\n', "server-busy"),
        (b'BYE "x"\r\n', "server-bye"),
        (b"nonsense\r\n", "protocol-error"),
    ],
)
def test_a_refused_login(odd: Opened, answer: bytes, code: str) -> None:
    assert error_of(odd(answering(b"AUTHENTICATE", answer)).identity).code == code


def test_the_owner_is_whom_the_server_names(odd: Opened) -> None:
    answer = b'"OWNER" "Anna.B"\r\n' + GREETING
    identity = odd(answering(b"CAPABILITY", answer)).identity()
    assert identity.user == "Anna.B"
    assert identity.id != odd().identity().id


def test_a_challenge_gets_an_empty_response(odd: Opened) -> None:
    lines: list[bytes] = []

    def script(line: bytes) -> bytes | None:
        lines.append(line)
        if line.startswith(b"AUTHENTICATE"):
            return b'"eyJzdGF0dXMiOiI0MDEifQ=="\r\n'
        return b'NO "x"\r\n' if line == b'""\r\n' else None

    assert error_of(odd(script, auth="xoauth2").identity).code == "login-refused"
    assert lines[1:] == [b'""\r\n']


def test_close_ends_a_wait_from_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_PASSWORD", "secret-of-odd")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = SieveSettings.model_validate(
            {
                "host": "127.0.0.1",
                "port": silent.getsockname()[1],
                "security": "none",
                "password": {"env": "ODD_PASSWORD"},
            }
        )
        session = Session(settings, Account(login="anna"), lambda: None)
        threading.Timer(0.3, session.close).start()
        assert error_of(session.scripts).code == "connection-closed"


def test_a_name_travels_whole(odd: Opened) -> None:
    lines: list[bytes] = []

    def script(line: bytes) -> bytes | None:
        lines.append(line)
        return None

    session = odd(script)._session
    session.delete('a"b\\c')
    session.delete("x\r\nLOGOUT")
    session.delete("ü" * 600)
    assert lines[-3:] == [
        b'DELETESCRIPT "a\\"b\\\\c"\r\n',
        b"DELETESCRIPT {9+}\r\nx\r\nLOGOUT\r\n",
        b"DELETESCRIPT {1200+}\r\n" + "ü".encode() * 600 + b"\r\n",
    ]
