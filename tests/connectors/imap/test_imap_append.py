"""APPEND against a scripted server: confirmations, refusals, lost leases."""

from __future__ import annotations

import io
import socket

import pytest
from imap_script import (
    CAPABILITIES,
    Open,
    Serve,
    appending,
    item,
)

from model.errors import Blocked, LeaseLost, MigrationError, Rejected, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Item, Stored


def test_a_confirmation_of_too_few_is_not_believed(serve: Serve, target: Open) -> None:
    opened = target(serve(appending(b"TAG OK [APPENDUID 7 3:4] done\r\n")))
    with pytest.raises(Transient, match="append-unconfirmed"):
        list(opened.write("INBOX", [item(1), item(2), item(3)]))


def test_a_no_is_never_success(serve: Serve, target: Open) -> None:
    opened = target(
        serve(appending(b"TAG NO no\r\n", b"TAG OK [APPENDUID 7 3] x\r\n", b"TAG NO [TOOBIG] x\r\n"))
    )
    results = list(opened.write("INBOX", [item(1), item(2)]))
    assert results[0] == Stored(item(1).key, "7:3")
    assert isinstance(results[1], Failed)
    assert results[1].error.code == "too-large"


def test_a_full_mailbox_stores_what_fits_then_blocks(serve: Serve, target: Open) -> None:
    over = b"TAG NO [OVERQUOTA] full\r\n"
    server = serve(
        appending(over, b"TAG OK [APPENDUID 7 1:2] x\r\n", over, b"TAG OK [APPENDUID 7 3] x\r\n", over)
    )
    writing = target(server).write("INBOX", [item(number) for number in range(4)])
    assert [next(writing) for _ in range(3)] == [Stored(item(n).key, f"7:{n + 1}") for n in range(3)]
    with pytest.raises(Blocked, match="over-quota"):
        next(writing)


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (b"TAG NO [TRYCREATE] x\r\n", Blocked, "container-missing"),
        (b"TAG NO [NOPERM] x\r\n", Blocked, "no-permission"),
        (b"TAG NO [UNAVAILABLE] x\r\n", Transient, "server-busy"),
        (b"TAG NO [INUSE] x\r\n", Transient, "server-busy"),
    ],
)
def test_a_refusal_of_everything_is_not_bisected(
    serve: Serve, target: Open, reply: bytes, kind: type[MigrationError], code: str
) -> None:
    server = serve(appending(reply))
    with pytest.raises(kind) as caught:
        list(target(server).write("INBOX", [item(number) for number in range(4)]))
    assert caught.value.code == code
    assert sum(line.startswith(b"APPEND") for line in server.lines) == 1


def test_append_limit_is_kept_before_anything_is_sent(serve: Serve, target: Open) -> None:
    server = serve(
        appending(b"TAG OK [APPENDUID 7 1] x\r\n"), capabilities=CAPABILITIES + b" APPENDLIMIT=100"
    )
    results = list(target(server).write("INBOX", [item(1, 400), item(2)]))
    assert [type(result) for result in results] == [Failed, Stored]


def test_without_literal_plus_the_server_may_refuse_before_the_bytes(serve: Serve, target: Open) -> None:
    server = serve(appending(b"TAG NO [TOOBIG] x\r\n"), capabilities=b"IMAP4rev1 UIDPLUS")
    (result,) = target(server).write("INBOX", [item(1)])
    assert isinstance(result, Failed)
    assert isinstance(result.error, Rejected)


def test_a_lease_lost_before_the_last_byte_cuts_the_connection(serve: Serve, target: Open) -> None:
    calls = iter(range(100))

    def guard() -> None:
        if next(calls) >= 1:
            raise LeaseLost("lease-lost")

    server = serve(appending(b"TAG OK [APPENDUID 7 1:2] x\r\n"))
    with pytest.raises(LeaseLost):
        list(target(server, guard).write("INBOX", [item(1), item(2)]))
    assert not any(line.startswith(b"APPEND") for line in server.lines), (
        "the command's line end must not arrive"
    )


def test_a_body_that_shrinks_while_it_is_sent_is_not_stored(serve: Serve, target: Open) -> None:
    lengths = iter([300_000, 200_000])
    shrinking = Item(Kind.MAIL, b"k" * 16, b"", 300_000, lambda: io.BytesIO(b"x" * next(lengths)))

    def script(command: bytes, stream: io.BufferedReader, connection: socket.socket) -> bytes | None:
        connection.sendall(b"+ go\r\n")
        return None if len(stream.read(300_000)) < 300_000 else b"TAG OK [APPENDUID 7 1] x\r\n"

    opened = target(serve(script, capabilities=b"IMAP4rev1 UIDPLUS"), spool_above=65_536)
    with pytest.raises(Transient, match="body-changed"):
        list(opened.write("INBOX", [shrinking]))


def test_server_texts_reach_no_error(serve: Serve, target: Open) -> None:
    server = serve(lambda *_: b"TAG NO Mailbox Geheim of anna@example.org is shut\r\n")
    with pytest.raises(Rejected) as caught:
        target(server).ensure(Container(Kind.MAIL, "x", ("Geheim",)))
    assert "Geheim" not in repr(caught.value) + str(caught.value)
