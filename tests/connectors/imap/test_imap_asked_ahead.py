"""Questions that go out before their answers are needed, and servers that answer them badly."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
from imap_script import CAPABILITIES, Script, ScriptedServer, Serve

from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from model.errors import Blocked, MigrationError, Transient

LISTS = CAPABILITIES + b" NAMESPACE LIST-EXTENDED LIST-STATUS METADATA OBJECTID"
MAILBOX = b'* LIST () "/" "%s"\r\n* STATUS "%s" (MESSAGES %d UIDNEXT 9 UIDVALIDITY 7)\r\n'
Opened = Callable[..., ImapTarget]


def answered(command: bytes, messages: int = 3) -> bytes:
    """What an orderly server says."""
    verb = command.split()[0]
    found = {
        b"GETMETADATA": b'* METADATA "" (/private/vendor/vendor.kogge/pass-mail "m-1 4 staging")\r\n',
        b"STATUS": b'* STATUS "INBOX" (MAILBOXID (F1))\r\n',
        b"NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\n',
        b"LIST": b"".join(MAILBOX % (name, name, messages) for name in (b"INBOX", b"Work")),
    }
    return found.get(verb, b"") + b"TAG OK done\r\n"


def orderly(command: bytes, *_: object) -> bytes:
    return answered(command)


def verbs(server: ScriptedServer) -> list[bytes]:
    return [line.split()[0] for line in server.lines if not line.startswith((b"LOGIN", b"CAPABILITY"))]


def looked_at(opened: ImapTarget) -> tuple[object, ...]:
    return opened.mark(), opened.identity().id, [(one.id, one.total) for one in opened.containers()]


EVERYTHING = ("m-1 4 staging", "F1", [("INBOX", 3), ("Work", 3)])


def test_what_was_asked_ahead_is_asked_once_and_says_the_same(serve: Serve, target: Opened) -> None:
    plain, ahead = (serve(orderly, capabilities=LISTS) for _ in range(2))
    assert looked_at(target(plain)) == EVERYTHING
    opened = target(ahead)
    opened.connect_ahead(copies=True)
    assert looked_at(opened) == EVERYTHING
    assert sorted(verbs(ahead)) == sorted(verbs(plain)) == [b"GETMETADATA", b"LIST", b"NAMESPACE", b"STATUS"]


def test_everything_is_asked_before_anything_is_answered(serve: Serve, target: Opened) -> None:
    held: list[bytes] = []

    def script(command: bytes, stream: object, connection: socket.socket) -> bytes:
        verb = command.split()[0]
        held.append(answered(command).replace(b"TAG", b"k%d" % (len(held) + 2)))
        return b"".join(held) if verb == b"LIST" else b"* OK wait\r\n"

    opened = target(serve(script, capabilities=LISTS))
    opened.connect_ahead(copies=True)
    assert looked_at(opened) == EVERYTHING


def test_an_answer_is_given_once(serve: Serve, target: Opened) -> None:
    numbers = iter(range(10))

    def script(command: bytes, *_: object) -> bytes:
        return answered(command, next(numbers) if command.startswith(b"LIST") else 0)

    opened = target(serve(script, capabilities=LISTS))
    opened.connect_ahead(copies=False)
    assert [[one.total for one in opened.containers()] for _ in range(3)] == [[0, 0], [1, 1], [2, 2]]


def test_a_command_that_was_not_foreseen_makes_every_answer_old(serve: Serve, target: Opened) -> None:
    server = serve(orderly, capabilities=LISTS)
    opened = target(server)
    opened.connect_ahead(copies=True)
    assert opened.keep_mark("m-1 5 staging")
    assert looked_at(opened) == EVERYTHING
    assert verbs(server).count(b"LIST") == verbs(server).count(b"GETMETADATA") == 2


def test_to_open_a_folder_changes_no_answer(serve: Serve, target: Opened) -> None:
    server = serve(orderly, capabilities=LISTS)
    opened = target(server)
    opened.connect_ahead(copies=True)
    assert opened.capabilities.separator == "/"
    assert looked_at(opened) == EVERYTHING
    assert verbs(server).count(b"LIST") == 1


@pytest.mark.parametrize("refused", [b"GETMETADATA", b"STATUS", b"NAMESPACE", b"LIST"])
def test_a_refusal_is_of_the_command_that_it_answers(serve: Serve, target: Opened, refused: bytes) -> None:
    def script(command: bytes, *_: object) -> bytes:
        return b"TAG NO [NOPERM] x\r\n" if command.startswith(refused) else answered(command)

    opened = target(serve(script, capabilities=LISTS))
    opened.connect_ahead(copies=True)
    if refused == b"GETMETADATA":
        assert looked_at(opened) == (None, *EVERYTHING[1:])
    else:
        with pytest.raises(Blocked, match="no-permission"):
            looked_at(opened)


@pytest.mark.parametrize("at", [b"GETMETADATA", b"STATUS", b"NAMESPACE", b"LIST"])
@pytest.mark.parametrize("words", [b"", b"* BYE [UNAVAILABLE] x\r\n"])
def test_a_connection_that_ends_among_the_answers(
    serve: Serve, target: Opened, at: bytes, words: bytes
) -> None:
    """And is as good as new at the next attempt."""
    cuts = iter([True])

    def script(command: bytes, _: object, connection: socket.socket) -> bytes | None:
        if command.startswith(at) and next(cuts, False):
            connection.sendall(words)
            return None
        return answered(command)

    opened = target(serve(script, capabilities=LISTS))
    opened.connect_ahead(copies=True)
    with pytest.raises(Transient, match="server-bye" if words else "connection-lost"):
        looked_at(opened)
    assert looked_at(opened) == EVERYTHING


def test_answers_may_come_in_any_order_and_at_the_same_time(serve: Serve, target: Opened) -> None:
    """Commands that only read may be answered so (RFC 9051, section 5.5); Dovecot does so for FETCH."""
    held: list[tuple[bytes, bytes]] = []

    def script(command: bytes, *_: object) -> bytes:
        own, _tag, done = answered(command).partition(b"TAG")
        held.append((own, b"k%d%s" % (len(held) + 2, done)))
        if not command.startswith(b"LIST"):
            return b"* OK wait\r\n"
        parts = [pair[0] for pair in reversed(held)] + [pair[1] for pair in reversed(held)]
        return b"".join(parts)

    opened = target(serve(script, capabilities=LISTS))
    opened.connect_ahead(copies=True)
    assert looked_at(opened) == EVERYTHING


def test_an_answer_to_nothing_that_was_asked_ends_the_connection(serve: Serve, target: Opened) -> None:
    """From then on this server is asked one thing at a time."""
    nonsense = iter([b"x9 OK what\r\n"])

    def script(command: bytes, *_: object) -> bytes:
        return next(nonsense, b"") + answered(command)

    server = serve(script, capabilities=LISTS)
    opened = target(server)
    opened.connect_ahead(copies=True)
    with pytest.raises(Transient, match="protocol-error"):
        looked_at(opened)
    again = target(server)
    again.connect_ahead(copies=True)
    again.ask_containers()
    assert verbs(server).count(b"GETMETADATA") == 1
    assert looked_at(again) == EVERYTHING


def test_a_flood_of_answers_is_not_kept(
    serve: Serve, target: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.imap.session.HELD_MOST", 10_000)
    flood = b"* STATUS x (X 1)\r\n" * 30_000
    server = serve(lambda command, *_: flood + answered(command), capabilities=LISTS)
    opened = target(server, batch_bytes=100_000)
    opened.connect_ahead(copies=True)
    with pytest.raises(Transient, match="protocol-error"):
        looked_at(opened)


def test_the_id_of_another_folder_is_not_the_accounts(serve: Serve, target: Opened) -> None:
    """What a server says of other folders while it is asked for INBOX."""

    def script(command: bytes, *_: object) -> bytes:
        more = b'* STATUS "Work" (MAILBOXID (F2))\r\n' if command.startswith(b"STATUS") else b""
        return answered(command).replace(b"TAG", more + b"TAG")

    opened = target(serve(script, capabilities=LISTS))
    opened.connect_ahead(copies=True)
    assert opened.identity().id == "F1"


def test_a_refused_login_is_raised_where_the_connection_is_needed_first(serve: Serve, target: Opened) -> None:
    refusing = LISTS + b" AUTH=PLAIN SASL-IR"
    server = serve(lambda *_: b"TAG NO [AUTHENTICATIONFAILED] x\r\n", capabilities=refusing)
    opened = target(server)
    opened.connect_ahead(copies=True)
    for _ in range(2):
        with pytest.raises(Blocked, match="login-refused"):
            opened.identity()
    assert verbs(server) == [b"AUTHENTICATE"], "a refused login is not tried again"


def test_a_listing_that_was_asked_for_is_taken_once(
    serve: Serve, source: Callable[[ScriptedServer], ImapSource]
) -> None:
    def script(command: bytes, *_: object) -> bytes:
        if b"STATUS (MAILBOXID)" in command:
            ids = b'* STATUS "INBOX" (MAILBOXID (F1))\r\n* STATUS "Work" (MAILBOXID (F2))\r\n'
            return b'* LIST () "/" "INBOX"\r\n* LIST () "/" "Work"\r\n' + ids + b"TAG OK done\r\n"
        return answered(command)

    server = serve(script, capabilities=LISTS)
    opened = source(server)
    for count in (1, 2, 3):
        opened.ask_containers()
        opened.ask_containers()
        assert [(one.id, one.total) for one in opened.containers()] == [("F1", 3), ("F2", 3)]
        assert verbs(server).count(b"LIST") == 2 * count


def test_names_and_ids_of_folders_are_of_one_listing(
    serve: Serve, source: Callable[[ScriptedServer], ImapSource]
) -> None:
    """Two folders may exchange their names between two listings."""
    listings = iter("12")

    def script(command: bytes, *_: object) -> bytes:
        if b"STATUS (MAILBOXID)" in command:
            last = next(listings).encode()
            ids = b'* STATUS "INBOX" (MAILBOXID (F%s))\r\n* STATUS "Sent" (MAILBOXID (G%s))\r\n' % (
                last,
                last,
            )
            return ids + b"TAG OK done\r\n"
        return (
            answered(command, 0).replace(b'() "/" "Work"', b'(\\Sent) "/" "Sent"').replace(b"Work", b"Sent")
        )

    opened = source(serve(script, capabilities=LISTS))
    opened.connect_ahead(copies=True)
    assert opened.sent_from() == []
    opened.ask_containers()
    assert [one.id for one in opened.containers()] == ["F2", "G2"]


def test_whoever_closes_need_not_wait_for_the_login(serve: Serve, target: Opened) -> None:
    asked = threading.Event()

    def script(command: bytes, stream: object, connection: socket.socket) -> bytes | None:
        asked.set()
        while connection.recv(1):  # as long as the other end is there
            pass
        return None

    silent: Script = script
    opened = target(serve(silent, capabilities=LISTS + b" AUTH=PLAIN SASL-IR"))
    opened.connect_ahead(copies=True)
    assert asked.wait(5)
    opened.close()
    with pytest.raises(MigrationError, match="connection-closed"):
        opened.identity()
