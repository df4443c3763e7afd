"""A hostile IMAP source: listings, changes and bodies that go beyond what the folder can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imap_script import CAPABILITIES, Script, Serve, Settings

from connectors.imap.fetch import WINDOW_BYTES
from connectors.imap.source import ImapSource
from connectors.settings import Account
from model.errors import CursorLost, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Ref

QRESYNC = CAPABILITIES + b" ENABLE CONDSTORE QRESYNC"
INBOX = Container(Kind.MAIL, "INBOX", ("INBOX",))
Opened = Callable[..., ImapSource]


@pytest.fixture
def source(serve: Serve, settings: Settings, tmp_path: Path) -> Iterator[Opened]:
    opened: list[ImapSource] = []

    def make(script: Script, capabilities: bytes = CAPABILITIES, **more: object) -> ImapSource:
        port = serve(script, capabilities=capabilities).port
        opened.append(ImapSource(settings(port, **more), Account(login="anna"), tmp_path))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def answering(exists: int, fetch: Callable[[bytes], bytes]) -> Script:
    """A folder of UIDVALIDITY 7 and MODSEQ 9 whose FETCH replies are given."""
    codes = b"UIDVALIDITY 7", b"UIDNEXT 4294967295", b"HIGHESTMODSEQ 9"
    opened = b"* %d EXISTS\r\n" % exists + b"".join(b"* OK [%s] x\r\n" % code for code in codes)

    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"EXAMINE"):
            return opened + b"TAG OK done\r\n"
        return (fetch(command) if b"FETCH" in command else b"") + b"TAG OK done\r\n"

    return script


def listed(uid: int, size: int = 9) -> bytes:
    return b"* %d FETCH (UID %d FLAGS () RFC822.SIZE %d)\r\n" % (uid, uid, size)


def test_a_range_of_four_billion_that_vanished_is_no_list_of_four_billion(source: Opened) -> None:
    opened = source(answering(1, lambda _: b"* VANISHED (EARLIER) 1:4294967294\r\n"), QRESYNC)
    with pytest.raises(CursorLost):
        next(opened.changes(INBOX, "7:5:done:3"))


def test_more_changes_than_messages_are_not_believed(source: Opened) -> None:
    opened = source(answering(1, lambda _: b"".join(map(listed, range(1, 2000)))), QRESYNC)
    with pytest.raises(CursorLost):
        next(opened.changes(INBOX, "7:5:done:3"))


def test_what_vanished_is_told_in_either_order(source: Opened) -> None:
    opened = source(answering(1, lambda _: listed(3) + b"* VANISHED (EARLIER) 5:4,9\r\n"), QRESYNC)
    (page,) = opened.changes(INBOX, "7:5:done:3")
    assert [(ref.id, ref.deleted) for ref in page.refs] == [
        ("7:3", False),
        ("7:4", True),
        ("7:5", True),
        ("7:9", True),
    ]


def test_a_window_holds_no_more_than_was_asked_for(source: Opened) -> None:
    opened = source(answering(3, lambda _: b"".join(map(listed, range(1, 9)))))
    with pytest.raises(Transient, match="protocol-error"):
        next(opened.changes(INBOX, None))


def windowed(size: int) -> Callable[[bytes], bytes]:
    """A message said to have 70,000 bytes, of which every window is this large."""

    def fetch(command: bytes) -> bytes:
        if b"BODY.PEEK" not in command:
            return listed(5, 70_000)
        offset = command.partition(b"<")[2].partition(b".")[0]
        head = b"* 5 FETCH (UID 5 BODY[]<%s> {%d}\r\n" % (offset, size)
        return head + b"a" * size + b")\r\n"

    return fetch


def test_a_body_without_end_is_refused(source: Opened) -> None:
    opened = source(answering(5, windowed(WINDOW_BYTES)), spool_above=65_536)
    (found,) = opened.fetch(INBOX, [Ref("7:5", "", size=70_000)])
    assert isinstance(found, Failed)
    assert found.error.code == "item-refused"


def test_a_window_larger_than_asked_for_is_a_protocol_error(source: Opened) -> None:
    opened = source(answering(5, windowed(WINDOW_BYTES + 1)), spool_above=65_536)
    with pytest.raises(Transient, match="protocol-error"):
        list(opened.fetch(INBOX, [Ref("7:5", "", size=70_000)]))


def test_more_folders_than_any_account_has(source: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.imap.folders.FOLDERS_MOST", 3)
    lines = b"".join(b'* LIST () "/" f%d\r\n' % number for number in range(5))
    opened = source(lambda command, *_: (lines if b"LIST" in command else b"") + b"TAG OK done\r\n")
    with pytest.raises(Transient, match="protocol-error"):
        list(opened.containers())


@pytest.mark.parametrize(
    ("told", "total"), [(b"MESSAGES 12", 12), (b"MESSAGES x", None), (b"MESSAGES \xb2", None), (b"", None)]
)
def test_a_total_is_a_number_or_unknown(source: Opened, told: bytes, total: int | None) -> None:
    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"LIST"):
            return b'* LIST () "/" INBOX\r\nTAG OK done\r\n'
        return (b"* STATUS INBOX (" + told + b")\r\n" if b"STATUS" in command else b"") + b"TAG OK done\r\n"

    (container,) = source(script).containers()
    assert container.total == total


def test_a_limit_that_is_no_number_is_none(source: Opened) -> None:
    opened = source(lambda *_: b"TAG OK done\r\n", CAPABILITIES + b" APPENDLIMIT=9x")
    assert "append-limit" not in opened.server()


def test_capabilities_that_are_no_text_are_a_protocol_error(source: Opened) -> None:
    with pytest.raises(Transient, match="protocol-error"):
        source(lambda *_: b"TAG OK done\r\n", CAPABILITIES + b" \xb2").server()
