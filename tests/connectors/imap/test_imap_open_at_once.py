"""Many folders opened with one wait, and servers that mix up what they say of each."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest
from imap_script import Script, ScriptedServer, Serve

from connectors.imap.open_at_once import AT_ONCE
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from model.errors import MigrationError, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Ref

Opened = Callable[..., ImapTarget]
NAMES = ["A", "B", "C"]
_NAME = re.compile(rb'(?:EXAMINE|SELECT) "([^"]*)"')


def opening(exists: int, validity: int = 7, uidnext: int = 9) -> bytes:
    return b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT %d] x\r\n" % (exists, validity, uidnext)


def folders(said: dict[str, bytes]) -> Script:
    """What the server says when it opens each of them; it has no others."""

    def script(command: bytes, *_: object) -> bytes:
        name = _NAME.match(command)
        if name is None:
            return b"TAG OK done\r\n"
        return said.get(name[1].decode(), b"TAG NO [NONEXISTENT] x\r\n").replace(b"+", b"TAG OK done\r\n")

    return script


def server_of(serve: Serve, **said: bytes) -> ScriptedServer:
    return serve(folders(said))


def test_empty_folders_are_told_from_others(serve: Serve, target: Opened) -> None:
    server = server_of(serve, A=opening(0) + b"+", B=opening(1) + b"+", C=opening(0) + b"+")
    assert target(server).empty(NAMES) == {"A", "C"}


def test_all_of_them_are_asked_before_one_is_answered(serve: Serve, target: Opened) -> None:
    held: list[bytes] = []

    def script(command: bytes, *_: object) -> bytes:
        held.append(b"%sk%d OK done\r\n" % (opening(len(held)), len(held) + 2))
        return b"".join(held) if len(held) == len(NAMES) else b"* OK wait\r\n"

    assert target(serve(script)).empty(NAMES) == {"A"}


def test_a_folder_that_cannot_be_opened_is_not_called_empty(serve: Serve, target: Opened) -> None:
    server = server_of(serve, A=opening(0) + b"+", C=opening(0) + b"+")
    assert target(server).empty(NAMES) == {"A", "C"}


@pytest.mark.parametrize("said", [b"+", b"* OK [UIDNEXT 9] x\r\n+", b"* 0 RECENT\r\n+"])
def test_a_folder_of_which_no_count_is_told_is_not_called_empty(
    serve: Serve, target: Opened, said: bytes
) -> None:
    assert target(server_of(serve, A=opening(0) + b"+", B=said)).empty(["A", "B"]) == {"A"}


@pytest.mark.parametrize("closed", [b"", b"* OK [CLOSED] x\r\n"])
def test_mail_that_comes_into_the_folder_before_counts_there(
    serve: Serve, target: Opened, closed: bytes
) -> None:
    server = server_of(serve, A=opening(3) + b"+", B=b"* 4 EXISTS\r\n" + closed + opening(0) + b"+")
    assert target(server).empty(["A", "B"]) == {"B"}


def test_what_is_said_of_the_folder_before_is_no_count_of_the_next(serve: Serve, target: Opened) -> None:
    server = server_of(serve, A=opening(0) + b"+", B=b"* 0 EXISTS\r\n* OK [CLOSED] x\r\n+")
    assert target(server).empty(["A", "B"]) == {"A"}


def test_mail_that_comes_while_a_folder_is_opened_counts(serve: Serve, target: Opened) -> None:
    server = server_of(serve, A=opening(0) + b"* 1 EXISTS\r\n+")
    assert target(server).empty(["A"]) == frozenset()


@pytest.mark.parametrize("words", [b"", b"* BYE [UNAVAILABLE] x\r\n"])
def test_a_connection_that_ends_in_the_middle_says_nothing(
    serve: Serve, target: Opened, words: bytes
) -> None:
    cuts = iter([True])

    def script(command: bytes, _: object, connection: socket.socket) -> bytes | None:
        if b'"B"' in command and next(cuts, False):
            connection.sendall(opening(0) + words)
            return None
        return opening(0) + b"TAG OK done\r\n"

    opened = target(serve(script))
    with pytest.raises(Transient, match="server-bye" if words else "connection-lost"):
        opened.empty(NAMES)
    assert opened.empty(NAMES) == {*NAMES}


def test_a_server_that_mixes_up_its_answers_is_asked_one_by_one(serve: Serve, target: Opened) -> None:
    def script(command: bytes, *_: object) -> bytes:
        return opening(0) + (b"k9 OK what\r\n" if b'"B"' in command else b"TAG OK done\r\n")

    opened = target(serve(script))
    with pytest.raises(Transient, match="protocol-error"):
        opened.empty(NAMES)
    assert opened.empty(NAMES) == frozenset()


def test_more_folders_than_are_opened_at_once(serve: Serve, target: Opened) -> None:
    names = [f"F{number}" for number in range(2 * AT_ONCE + 1)]
    server = serve(lambda *_: opening(0) + b"TAG OK done\r\n")
    assert target(server).empty(names) == {*names}
    assert sum(line.startswith(b"EXAMINE") for line in server.lines) == len(names)


def test_none_of_them_is_taken_for_open_afterwards(serve: Serve, target: Opened) -> None:
    server = server_of(serve, A=opening(0) + b"+", B=opening(0) + b"+")
    opened = target(server)
    opened.empty(["A", "B"])
    assert list(opened.listing("B")) == []
    assert server.lines[-1].startswith(b'EXAMINE "B"')


def test_a_position_is_known_of_folders_that_were_just_opened(serve: Serve, target: Opened) -> None:
    server = server_of(serve, A=opening(0, 7, 12) + b"+", B=opening(0, 8, 0) + b"+")
    opened = target(server)
    opened.empty(["A", "B"])
    assert opened.position("A") == "7:12"
    assert not any(line.startswith(b"STATUS") for line in server.lines)
    with pytest.raises(MigrationError):  # of B no UIDNEXT was told: the server is asked
        opened.position("B")
    assert sum(line.startswith(b"STATUS") for line in server.lines) == 1


Reads = Callable[[ScriptedServer], ImapSource]


def mail_folder(name: str, total: int | None) -> Container:
    return Container(Kind.MAIL, name, (name,), total=total)


def listed(opened: ImapSource, folder: Container) -> tuple[list[str], str]:
    pages = list(opened.changes(folder, None))
    return [ref.id for page in pages for ref in page.refs], pages[-1].cursor


def test_empty_folders_are_listed_together(serve: Serve, source: Reads) -> None:
    server = server_of(serve, **{name: opening(0, number) + b"+" for number, name in enumerate(NAMES, 1)})
    opened = source(server)
    expected = [mail_folder(name, 0) for name in NAMES]
    opened.expect(expected)
    assert [listed(opened, folder)[1] for folder in expected] == ["1:0:done:", "2:0:done:", "3:0:done:"]
    assert sum(line.startswith(b"EXAMINE") for line in server.lines) == len(NAMES)


NEWEST = (
    b'* %d FETCH (UID %d INTERNALDATE "01-Jan-2020 00:00:00 +0000" BODY[HEADER.FIELDS (MESSAGE-ID)] {0}\r\n)'
)


def mailbox(*uids: int, swapped: bool = False) -> Script:
    """A folder with these UIDs; swapped: the second of two FETCH commands ends before the first one."""
    held: list[bytes] = []

    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"EXAMINE"):
            return opening(len(uids), 7, max(uids) + 1) + b"TAG OK done\r\n"
        if b":* (UID INTERNALDATE" in command:
            newest = b"".join(NEWEST % pair + b"\r\n" for pair in enumerate(uids, 1))
            if not swapped:
                return newest + b"TAG OK done\r\n"
            held.append(newest + b"k4 OK done\r\n")
            return b"* OK wait\r\n"
        if not command.startswith(b"FETCH"):
            return b"TAG OK done\r\n"
        low, high = map(int, command.split()[1].split(b":"))
        if high > len(uids):
            return b"TAG BAD no such message\r\n"
        numbered = enumerate(uids[low - 1 : high], low)
        sizes = b"".join(b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 2)\r\n" % pair for pair in numbered)
        return sizes + b"TAG OK done\r\n" + b"".join(held)

    return script


@pytest.mark.parametrize(("total", "swapped"), [(None, False), (1, False), (3, False), (3, True), (9, False)])
def test_a_folder_is_listed_whatever_it_was_counted_as(
    serve: Serve, source: Reads, total: int | None, swapped: bool
) -> None:
    server = serve(mailbox(2, 4, 8, swapped=swapped))
    ids, cursor = listed(source(server), mail_folder("A", total))
    assert ids == ["7:2", "7:4", "7:8"]
    validity, uid, state, _, marks, _ = cursor.split(":")
    assert (validity, uid, state) == ("7", "8", "done")
    assert [mark.partition("-")[0] for mark in marks.split(",")] == ["2", "4", "8"]
    asked = sum(line.startswith((b"EXAMINE", b"FETCH", b"UID")) for line in server.lines)
    assert asked == {None: 3, 1: 4, 3: 3, 9: 5}[total], "a wrong count costs a question or two more"


def test_mail_that_came_into_a_folder_that_was_counted_as_empty(serve: Serve, source: Reads) -> None:
    opened = source(serve(mailbox(2, 4)))
    opened.expect([mail_folder("A", 0)])
    assert listed(opened, mail_folder("A", 0))[0] == ["7:2", "7:4"]


BODY = (
    b'* 1 FETCH (UID 2 FLAGS () INTERNALDATE "01-Jan-2020 00:00:00 +0000" RFC822.SIZE 2 BODY[] {2}\r\nhi)\r\n'
)


def read(opened: ImapSource, folder: str, reference: str) -> list[object]:
    results = opened.fetch(mail_folder(folder, None), [Ref(reference, "", size=2)])
    return [result.error.code if isinstance(result, Failed) else result.ref.id for result in results]


def test_bodies_are_asked_together_with_their_folder(serve: Serve, source: Reads) -> None:
    def script(command: bytes, *_: object) -> bytes:
        told = opening(1) if command.startswith(b"EXAMINE") else BODY if b"FETCH" in command else b""
        return told + b"TAG OK done\r\n"

    server = serve(script)
    assert read(source(server), "A", "7:2") == ["7:2"]
    assert sum(b"FETCH" in line for line in server.lines) == 1


def test_bodies_of_a_folder_that_was_made_anew_are_not_taken(serve: Serve, source: Reads) -> None:
    def script(command: bytes, *_: object) -> bytes:
        told = opening(1, 8) if command.startswith(b"EXAMINE") else BODY if b"FETCH" in command else b""
        return told + b"TAG OK done\r\n"

    assert read(source(serve(script)), "A", "7:2") == ["vanished"]


def test_a_server_that_keeps_the_former_folder_open_gives_no_body_of_it(serve: Serve, source: Reads) -> None:
    """RFC 9051, 6.3.2: after a refusal no folder is open. What such a server says counts for nothing."""

    def script(command: bytes, *_: object) -> bytes:
        if b'"B"' in command:
            return b"TAG NO [UNAVAILABLE] x\r\n"
        told = opening(1) if command.startswith(b"EXAMINE") else BODY if b"FETCH" in command else b""
        return told + b"TAG OK done\r\n"

    opened = source(serve(script))
    assert read(opened, "A", "7:2") == ["7:2"]
    with pytest.raises(Transient, match="server-busy"):
        read(opened, "B", "7:2")
    assert read(opened, "A", "7:2") == ["7:2"]


def test_bodies_that_were_asked_in_one_folder_are_not_those_of_another(serve: Serve, source: Reads) -> None:
    """Both ask for the same UIDs; the first one is closed before its answer was taken."""

    was_opened: list[bytes] = []

    def script(command: bytes, *_: object) -> bytes:
        name = _NAME.match(command)
        if name is not None:
            was_opened.append(name[1])
            return opening(1) + b"TAG OK done\r\n"
        body = BODY.replace(b"hi", b"in" if was_opened[-1:] == [b"B"] else b"hi")
        return (body if b"FETCH" in command else b"") + b"TAG OK done\r\n"

    opened = source(serve(script))
    first = opened.fetch(mail_folder("A", None), [Ref("8:2", "", size=2)])
    assert isinstance(next(first), Failed), "of another UIDVALIDITY: what was asked stays unread"
    (result,) = opened.fetch(mail_folder("B", None), [Ref("7:2", "", size=2)])
    assert not isinstance(result, Failed)
    assert result.body is not None
    assert result.body().read() == b"in"
