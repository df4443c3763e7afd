"""An IMAP server that sends more than was asked for, or nonsense: a coded error, in bounded memory."""

from __future__ import annotations

import io
import socket
import tracemalloc

import pytest
from imap_script import Open, Script, Serve, appending, item

from connectors.imap.wire import connection as imap_connection
from model.errors import Transient

MIB = 1 << 20


def endless(beginning: bytes) -> Script:
    def script(command: bytes, stream: io.BufferedReader, connection: socket.socket) -> None:
        connection.sendall(beginning)
        while True:  # until the other side hangs up: then sendall raises
            connection.sendall(b"A" * MIB)

    return script


@pytest.mark.parametrize(
    "beginning",
    [b"* STATUS INBOX (", b"* X {%d}\r\n" % (1 << 40), b"* X {" + b"9" * 30 + b"}\r\n"],
    ids=["line", "literal", "absurd literal"],
)
def test_what_never_ends_is_not_held(serve: Serve, target: Open, beginning: bytes) -> None:
    opened = target(serve(endless(beginning)))
    tracemalloc.start()
    try:
        with pytest.raises(Transient, match="protocol-error"):
            opened.position("INBOX")
        assert tracemalloc.get_traced_memory()[1] < 3 * imap_connection.LINE_MOST
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("line", [b"* STATUS INBOX (MESSAGES 1)\r\n", b"* X {3}\r\nabc\r\n"])
def test_responses_without_end_are_not_waited_out(
    serve: Serve, target: Open, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    monkeypatch.setattr("connectors.imap.session.REPLY_MOST", MIB)
    opened = target(serve(lambda *_: line * 1_000_000 + b"TAG OK done\r\n"), batch_bytes=100_000)
    with pytest.raises(Transient, match="protocol-error"):
        opened.position("INBOX")


def test_a_greeting_without_end_is_no_greeting(serve: Serve, target: Open) -> None:
    opened = target(serve(lambda *_: None, greeting=b"* OK " + b"A" * 3 * MIB))
    with pytest.raises(Transient, match="server-unreachable"):
        opened.position("INBOX")


@pytest.mark.parametrize(
    "reply",
    [
        b"* OK [UIDVALIDITY x] x\r\n",
        b"* many EXISTS\r\n",
        b"* " + b"9" * 5000 + b" EXISTS\r\n",
        b"* STATUS INBOX " + b"(" * 5000 + b"\r\n",
        b"* STATUS INBOX (UIDVALIDITY x UIDNEXT 1)\r\n",
        b"* STATUS INBOX (UIDNEXT 1)\r\n",
    ],
)
def test_nonsense_is_a_protocol_error(serve: Serve, target: Open, reply: bytes) -> None:
    opened = target(serve(lambda *_: reply + b"TAG OK done\r\n"))
    with pytest.raises(Transient, match="protocol-error"):
        opened.position("INBOX") if b"STATUS" in reply else next(opened.listing("INBOX"))


@pytest.mark.parametrize("multiappend", [b" MULTIAPPEND", b""])
@pytest.mark.parametrize(
    "code",
    [b"7", b"7 x", b"7 3,3", b"7 4:3", b"7 1:4294967295", b"7 3:5", b"7 3:4:5", b"7 0:1", b"", b"x 3:4"],
)
def test_a_confirmation_that_makes_no_sense_is_not_believed(
    serve: Serve, target: Open, multiappend: bytes, code: bytes
) -> None:
    replies = [b"TAG OK [APPENDUID " + code + b"] done\r\n"] * 2
    server = serve(appending(*replies), capabilities=b"IMAP4rev1 LITERAL+ UIDPLUS" + multiappend)
    with pytest.raises(Transient, match="append-unconfirmed"):
        list(target(server).write("INBOX", [item(1), item(2)]))


def test_two_messages_cannot_get_the_same_place(serve: Serve, target: Open) -> None:
    replies = [b"TAG OK [APPENDUID 7 3] done\r\n"] * 2
    server = serve(appending(*replies), capabilities=b"IMAP4rev1 LITERAL+ UIDPLUS")
    with pytest.raises(Transient, match="append-unconfirmed"):
        list(target(server).write("INBOX", [item(1), item(2)]))
