"""A server that refuses everything without a reason for a while, and one that refuses one mail for good."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from imap_script import CAPABILITIES, Open, ScriptedServer, Serve, item

from connectors.imap.source import ImapSource
from connectors.imap.wire import refusals
from connectors.imap.wire.refusals import ATTEMPTS, MANY_ATTEMPTS, PAUSES
from model.errors import Rejected, Transient
from model.kinds import Kind
from model.protocols import Amendment, Container, Failed, Item, Native, Ref, Stored, key_of

NO = b"TAG NO Internal error, try again\r\n"
SINGLE = b"IMAP4rev1 LITERAL+ UIDPLUS"
MINUTE = 60.0
INBOX = Container(Kind.MAIL, "INBOX", ("INBOX",))


class Clock:
    """Stands still but for those who sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(refusals, "sleep", made.sleep)
    monkeypatch.setattr(refusals, "_in_vain", type(refusals._in_vain)())
    return made


def broken(clock: Clock, until: float, bad: bytes = b"none") -> Callable[..., bytes]:
    """Refuses every APPEND until that moment, and each that carries what is bad for ever."""
    number = 0

    def script(command: bytes, *_: object) -> bytes:
        nonlocal number
        if not command.startswith(b"APPEND"):
            return b"TAG OK done\r\n"
        if clock.now < until or bad in command:
            return NO
        count = command.count(b"+}\r\n")
        first, number = number + 1, number + count
        return b"TAG OK [APPENDUID 7 %d:%d] x\r\n" % (first, number)

    return script


def walked(target: Open, server: ScriptedServer, clock: Clock, count: int) -> list[Stored | Failed]:
    """As a leg does: everything that is open again, with a pause after each fault."""
    opened, results = target(server, connections=1), list[Stored | Failed]()
    left = {number: item(number) for number in range(1, count + 1)}
    for attempt in range(30):
        try:
            for one in opened.write("INBOX", list(left.values())):
                results.append(one)
                del left[one.key[0]]
            return results
        except Transient:
            clock.sleep(min(2.0**attempt, 60.0))
    raise AssertionError


@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize("capabilities", [CAPABILITIES, SINGLE, b"IMAP4rev1 UIDPLUS LITERAL+ MULTIAPPEND"])
def test_a_minute_in_which_everything_is_refused_rejects_nothing(
    count: int, capabilities: bytes, clock: Clock, serve: Serve, target: Open
) -> None:
    server = serve(broken(clock, MINUTE), capabilities=capabilities)
    results = walked(target, server, clock, count)
    assert len(results) == count
    assert all(isinstance(one, Stored) for one in results)
    assert clock.now >= MINUTE


@pytest.mark.parametrize("capabilities", [CAPABILITIES, SINGLE])
def test_a_mail_that_is_refused_for_good_is_rejected_at_once_where_others_are_stored(
    capabilities: bytes, clock: Clock, serve: Serve, target: Open
) -> None:
    server = serve(broken(clock, 0.0, bad=marked(2)), capabilities=capabilities)
    found = {one.key[0]: one for one in target(server).write("INBOX", [marked_item(n) for n in (1, 2, 3)])}
    assert {number for number, one in found.items() if isinstance(one, Stored)} == {1, 3}
    assert isinstance(found[2], Failed)
    assert found[2].error.code == "refused-by-target"
    assert clock.now == 0.0
    assert sum(line.count(marked(2)) for line in server.lines) <= 4


def test_a_mail_that_stands_alone_is_rejected_in_the_end(clock: Clock, serve: Serve, target: Open) -> None:
    (found,) = walked(target, serve(broken(clock, 1e9)), clock, 1)
    assert isinstance(found, Failed)
    assert isinstance(found.error, Rejected)
    assert clock.now >= MINUTE
    assert ATTEMPTS * sum(PAUSES) + 15 >= MINUTE


def test_many_that_are_refused_at_a_time_are_believed_later(clock: Clock, serve: Serve, target: Open) -> None:
    found = walked(target, serve(broken(clock, 1e9)), clock, refusals.FEW + 1)
    assert all(isinstance(one, Failed) for one in found)
    assert clock.now >= MANY_ATTEMPTS * sum(PAUSES)


def test_a_server_that_is_not_well_blames_nobody(clock: Clock, serve: Serve, target: Open) -> None:
    server = serve(lambda command, *_: NO if command.startswith((b"APPEND", b"NOOP")) else b"TAG OK x\r\n")
    opened = target(server)
    for _ in range(2 * ATTEMPTS):
        with pytest.raises(Transient, match="server-busy"):
            list(opened.write("INBOX", [item(1)]))


def giving(clock: Clock, until: float, reply: bytes, *bad: int) -> Callable[..., bytes]:
    """A folder of five messages, of which none is given until that moment, and some never."""

    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"EXAMINE"):
            return b"* 5 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 6] x\r\nTAG OK done\r\n"
        if not command.startswith(b"UID FETCH"):
            return b"TAG OK done\r\n"
        chosen = command.split()[2]
        uids = [n for n in range(1, 6) if str(n).encode() in chosen or (chosen == b"1:5" and 1 < n < 5)]
        if clock.now < until or set(bad) & set(uids):
            return reply
        given = b"".join(GIVEN % (uid, uid) for uid in uids)
        return given + b"TAG OK done\r\n"

    return script


GIVEN = (
    b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 2 INTERNALDATE "
    b'"01-May-2021 12:00:00 +0000" BODY[] {2}\r\nx\n)\r\n'
)


@pytest.mark.parametrize("reply", [NO, b"TAG NO [SERVERBUG] Internal error\r\n"])
def test_a_source_that_gives_nothing_for_a_minute_loses_nothing(
    reply: bytes, clock: Clock, serve: Serve, source: Callable[[ScriptedServer], ImapSource]
) -> None:
    opened = source(serve(giving(clock, MINUTE, reply)))
    refs = [Ref(f"7:{number}", "", size=2) for number in range(1, 6)]
    for attempt in range(30):
        try:
            found = list(opened.fetch(INBOX, refs))
            break
        except Transient:
            clock.sleep(min(2.0**attempt, 60.0))
    assert len(found) == 5
    assert all(isinstance(one, Native) for one in found)


@pytest.mark.parametrize("reply", [NO, b"TAG NO [SERVERBUG] Internal error\r\n"])
def test_a_message_that_is_never_given_is_refused_at_once_beside_others(
    reply: bytes, clock: Clock, serve: Serve, source: Callable[[ScriptedServer], ImapSource]
) -> None:
    opened = source(serve(giving(clock, 0.0, reply, 3)))
    found = list(opened.fetch(INBOX, [Ref(f"7:{number}", "", size=2) for number in range(1, 6)]))
    failed = [one for one in found if isinstance(one, Failed)]
    assert [(one.key, one.error.code) for one in failed] == [(key_of("7:3"), "item-refused")]
    assert len(found) == 5
    assert clock.now == 0.0


def test_sizes_that_are_not_told_make_no_message_vanish(
    clock: Clock, serve: Serve, source: Callable[[ScriptedServer], ImapSource]
) -> None:
    given = giving(clock, 0.0, NO)
    opened = source(serve(lambda command, *_: NO if b"(UID RFC822.SIZE)" in command else given(command)))
    found = list(opened.fetch(INBOX, [Ref(f"7:{number}", "") for number in range(1, 6)]))
    assert all(isinstance(one, Native) for one in found)


def test_flags_that_are_refused_for_a_minute_are_set_then(clock: Clock, serve: Serve, target: Open) -> None:
    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"UID STORE"):
            return NO if clock.now < MINUTE else b"TAG OK done\r\n"
        if command.startswith(b"UID FETCH"):
            return GIVEN % (1, 1) + b"TAG OK done\r\n"
        return b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK done\r\n"

    opened = target(serve(script))
    change = Amendment(Stored(b"k" * 16, "7:1"), frozenset({"\\Seen"}))
    for attempt in range(30):
        try:
            found = list(opened.amend("INBOX", [change]))
            break
        except Transient:
            clock.sleep(min(2.0**attempt, 60.0))
    assert found == [change.stored]


def marked(number: int) -> bytes:
    return b"{%d+}" % (40 + number)


def marked_item(number: int) -> Item:
    return item(number, 40 + number)
