"""Servers that take one command at a time: what was asked ahead of them costs a few attempts, and no more."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imap_script import CAPABILITIES, ScriptedServer, Serve, Settings

from connectors.imap.session import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.settings import Account
from model.errors import Transient
from model.protocols import Native

LISTS = CAPABILITIES + b" NAMESPACE LIST-EXTENDED LIST-STATUS METADATA OBJECTID"
MESSAGE = b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 4 %s)\r\n"
DATED = b'INTERNALDATE "01-Jan-2026 10:00:00 +0000" BODY[HEADER.FIELDS (MESSAGE-ID)] "Message-ID: <a>"'
OPENED = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 2] x\r\n"
EVERYTHING = ("m-1 4 staging", "F1", [("INBOX", 1), ("Work", 1)])
ATTEMPTS = 5
"""So many faults in a row a leg allows."""


def answered(command: bytes, *_: object) -> bytes:
    """What an orderly server says of two folders with one message each."""
    verb = command.split()[0]
    named = (b"INBOX", b"Work")
    if b"RETURN (STATUS (MAILBOXID))" in command:
        ids = b'* LIST () "/" "%s"\r\n* STATUS "%s" (MAILBOXID (F%d))\r\n'
        said = b"".join(ids % (name, name, len(name)) for name in named)
    elif verb == b"LIST":
        counts = b'* LIST () "/" "%s"\r\n* STATUS "%s" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n'
        said = b"".join(counts % (name, name) for name in named)
    elif verb in (b"EXAMINE", b"SELECT"):
        said = OPENED
    elif b"FETCH" in command:
        said = MESSAGE % (b"BODY[] {4}\r\nabcd" if b"BODY.PEEK[]" in command else DATED)
    else:
        said = {
            b"GETMETADATA": b'* METADATA "" (/private/vendor/vendor.kogge/pass-mail "m-1 4 staging")\r\n',
            b"STATUS": b'* STATUS "INBOX" (MAILBOXID (F1))\r\n',
            b"NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\n',
            b"CAPABILITY": b"* CAPABILITY " + LISTS + b"\r\n",
        }.get(verb, b"")
    return said + b"TAG OK done\r\n"


class OneAtATime(ScriptedServer):
    """Answer the first command of what was received at once. It closes then, or drops the others; but what
    `takes` says is taken whole."""

    def __init__(self, *, closes: bool, takes: Callable[[bytes], bool]) -> None:
        self._closes = closes
        self._takes = takes
        super().__init__(answered)

    def _talk(self, connection: socket.socket, stream: object) -> None:
        while received := connection.recv(1 << 16):
            commands = received.split(b"\r\n")[:-1]
            taken = commands if self._takes(received) else commands[:1]
            for one in taken:
                tag, _, command = one.partition(b" ")
                connection.sendall(answered(command).replace(b"TAG", tag))
            if self._closes and len(taken) < len(commands):
                return


def attempts(walk: Callable[[], object]) -> tuple[int, object]:
    """Walk until it goes well, as a leg does; return how often that took, and the result."""
    for number in range(1, ATTEMPTS + 1):
        try:
            return number, walk()
        except Transient:
            pass
    raise AssertionError("it never goes well")


@pytest.fixture(params=[True, False], ids=["closes", "drops"])
def closes(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def one_at_a_time(closes: bool) -> Iterator[Callable[..., OneAtATime]]:
    running: list[OneAtATime] = []

    def make(takes: Callable[[bytes], bool] = lambda _: False) -> OneAtATime:
        running.append(OneAtATime(closes=closes, takes=takes))
        return running[-1]

    yield make
    for server in running:
        server.close()


def look(opened: ImapTarget) -> tuple[object, list[str]]:
    try:
        opened.connect_ahead(copies=True)
        found = opened.mark(), opened.identity().id, [(one.id, one.total) for one in opened.containers()]
        return found, sorted(opened.empty(["INBOX", "Work"]))
    finally:
        opened.close()


def listed(opened: ImapSource) -> object:
    try:
        opened.connect_ahead(copies=False)
        found = list(opened.containers())
        pages = [page for one in found for page in opened.changes(one, None)]
        refs = [ref for page in pages for ref in page.refs]
        bodies = [one for one in opened.fetch(found[0], refs[:1]) if isinstance(one, Native)]
        return [ref.id for ref in refs], len(bodies)
    finally:
        opened.close()


Walk = Callable[[OneAtATime], object]


@pytest.fixture
def walks(settings: Settings, tmp_path: Path) -> dict[str, Walk]:
    def slow(server: OneAtATime) -> ImapSettings:
        return settings(server.port, timeout_seconds=0.4)

    def target(server: OneAtATime) -> object:
        return look(ImapTarget(slow(server), Account(login="anna"), lambda: None, tmp_path))

    def source(server: OneAtATime) -> object:
        return listed(ImapSource(slow(server), Account(login="anna"), tmp_path))

    return {"target": target, "source": source}


RESULTS = {"target": (EVERYTHING, []), "source": (["7:1", "7:1"], 1)}
NOTHING, ACCOUNT = re.compile(rb"(?!)"), re.compile(rb"[^ ]+ (?:CAPABILITY|ID|GETMETADATA|NAMESPACE|LIST)")


@pytest.mark.parametrize("side", ["target", "source"])
@pytest.mark.parametrize("takes", [NOTHING, ACCOUNT], ids=["nothing", "account"])
def test_everything_goes_well_in_the_end(
    one_at_a_time: Callable[..., OneAtATime], walks: dict[str, Walk], side: str, takes: re.Pattern[bytes]
) -> None:
    """With a server that takes no two commands, and with one that takes only some together."""
    server = one_at_a_time(lambda received: takes.match(received) is not None)
    assert attempts(lambda: walks[side](server))[1] == RESULTS[side]
    assert attempts(lambda: walks[side](server)) == (1, RESULTS[side]), "from then on it goes well at once"


@pytest.mark.parametrize("side", ["target", "source"])
@pytest.mark.parametrize("refused", [b"LIST", b"STATUS", b"NAMESPACE", b"GETMETADATA", b"FETCH", b"UID"])
def test_a_command_that_is_refused_among_others_is_sent_alone(
    serve: Serve, settings: Settings, tmp_path: Path, side: str, refused: bytes
) -> None:
    refusals = iter([b"TAG BAD one at a time\r\n"])

    def script(command: bytes, *_: object) -> bytes:
        return (next(refusals, None) if command.startswith(refused) else None) or answered(command)

    server = serve(script, capabilities=LISTS)
    account = Account(login="anna")
    if side == "target":
        found = look(ImapTarget(settings(server.port), account, lambda: None, tmp_path))[0]
        assert found == EVERYTHING
    else:
        assert listed(ImapSource(settings(server.port), account, tmp_path)) == RESULTS[side]
