"""Habits of Cyrus 3.10.2, by script: what it answered when it was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from imap_script import CAPABILITIES, Open, Serve, Settings, item

from connectors.imap.keywords import NOT_TAKEN
from connectors.imap.source import ImapSource
from connectors.settings import Account
from model.errors import Transient
from model.protocols import Amendment, Failed, Stored

CYRUS = CAPABILITIES + b" OBJECTID LIST-EXTENDED LIST-STATUS STATUS=SIZE NAMESPACE"
SPACES = b'* NAMESPACE (("INBOX/" "/")) (("user/" "/")) (("" "/"))\r\n'
IDS = {b"INBOX": b"a-1", b"INBOX/Projekte": b"b_2", b"Firmenweit": b"c3", b"user/bert": b"d4"}
GARBAGE = b"\xa0\xa0]j\x87U"


def talking(ids: dict[bytes, bytes]) -> Callable[..., bytes]:
    """A server with these mailboxes, each with one message, whose ids are garbage beside other items."""

    def status(name: bytes, command: bytes) -> bytes:
        if b"(MAILBOXID)" in command:
            return b"MAILBOXID (%s)" % ids[name]
        told = b"MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7 SIZE 9"
        return told + b" MAILBOXID (" + GARBAGE + b")" if b"MAILBOXID" in command else told

    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"NAMESPACE"):
            return SPACES + b"TAG OK done\r\n"
        asked = ids if command.startswith(b"LIST") else [command.split()[1].strip(b'"')]
        said = b""
        for name in asked:
            said += b'* LIST () "/" "%s"\r\n' % name if command.startswith(b"LIST") else b""
            if b"STATUS" in command:
                said += b'* STATUS "%s" (%s)\r\n' % (name, status(name, command))
        return said + b"TAG OK done\r\n"

    return script


@pytest.mark.parametrize("more", [b"", b"-NOT"])
def test_ids_are_asked_for_alone_and_stay_the_same(
    more: bytes, serve: Serve, settings: Settings, tmp_path: Path
) -> None:
    server = serve(talking(IDS), capabilities=CYRUS.replace(b"LIST-STATUS", b"LIST-STATUS" + more))
    source = ImapSource(settings(server.port), Account(login="anna"), tmp_path)
    try:
        found = {one.path: one.id for one in source.containers() if one.omit is None}
        assert found == {("INBOX",): "a-1", ("Projekte",): "b_2"}
        assert source.identity().id == "a-1"
        assert [one.total for one in source.containers()] == [1] * 4
    finally:
        source.close()


def test_what_is_no_id_is_a_fault_and_no_other_folder(
    serve: Serve, settings: Settings, tmp_path: Path
) -> None:
    server = serve(talking(IDS | {b"INBOX/Projekte": GARBAGE}), capabilities=CYRUS)
    source = ImapSource(settings(server.port), Account(login="anna"), tmp_path)
    with pytest.raises(Transient, match="protocol-error"):
        list(source.containers())
    source.close()


def test_what_lies_outside_of_the_own_prefix_is_others(
    serve: Serve, settings: Settings, target: Open, tmp_path: Path
) -> None:
    server = serve(talking(IDS), capabilities=CYRUS)
    source = ImapSource(settings(server.port), Account(login="anna"), tmp_path)
    omitted = {one.path: one.omit for one in source.containers() if one.omit}
    source.close()
    assert omitted == {("Firmenweit",): "shared-folder", ("user", "bert"): "shared-folder"}
    assert [one.path for one in target(server).containers()] == [("INBOX",), ("Projekte",)]


FULL = b"TAG NO [LIMIT] Too many user flags in mailbox\r\n"
HAS = b"* FLAGS (\\Seen one two)\r\n"


def limited(command: bytes, *_: object) -> bytes:
    """A mailbox that has the keywords one and two and takes no other."""
    if command.startswith(b"EXAMINE"):
        return HAS + b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK done\r\n"
    if command.startswith(b"SELECT"):
        return b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK done\r\n"
    if b"FETCH" in command:
        return b"* 1 FETCH (UID 1 FLAGS (one))\r\nTAG OK done\r\n"
    if command.startswith((b"APPEND", b"UID STORE")) and b"three" in command:
        return FULL
    if command.startswith(b"APPEND"):
        uids = b",".join(b"%d" % (5 + n) for n in range(command.count(b"+}\r\n")))
        return b"TAG OK [APPENDUID 7 %s] x\r\n" % uids
    return b"TAG OK done\r\n"


@pytest.mark.parametrize("multiappend", [b" MULTIAPPEND", b""])
def test_a_mail_with_a_keyword_too_many_arrives_without_it(
    multiappend: bytes, serve: Serve, target: Open
) -> None:
    server = serve(limited, capabilities=b"IMAP4rev1 LITERAL+ UIDPLUS" + multiappend)
    opened = target(server)
    given = [
        replace(item(1), flags=frozenset({"\\Seen", "one", "three"})),
        replace(item(2), flags=frozenset({"Two"})),
        replace(item(3), flags=frozenset({"three"})),
    ]
    results = {one.key[0]: one for one in opened.write("Projekte", given)}
    assert all(isinstance(one, Stored) for one in results.values())
    kept = {number: (one.flags, one.losses) for number, one in results.items() if isinstance(one, Stored)}
    assert kept == {
        1: (frozenset({"\\Seen", "one"}), (NOT_TAKEN,)),
        2: (None, ()),
        3: (frozenset(), (NOT_TAKEN,)),
    }
    before = len(server.lines)
    list(opened.write("Projekte", [replace(item(4), flags=frozenset({"three"}))]))
    assert not any(b"three" in line for line in server.lines[before:])  # remembered


def test_flags_that_are_amended_are_fewer_too(serve: Serve, target: Open) -> None:
    server = serve(limited)
    stored = Stored(b"k", "7:1")
    (result,) = target(server).amend("Projekte", [Amendment(stored, frozenset({"\\Seen", "three"}))])
    assert result == Stored(b"k", "7:1", losses=(NOT_TAKEN,), flags=frozenset({"\\Seen"}))


def test_another_limit_is_still_a_refusal(serve: Serve, target: Open) -> None:
    def script(command: bytes, *_: object) -> bytes:
        return FULL if command.startswith(b"APPEND") else HAS + b"TAG OK done\r\n"

    (result,) = target(serve(script)).write("Projekte", [replace(item(1), flags=frozenset({"one"}))])
    assert isinstance(result, Failed)
    assert result.error.code == "refused-by-target"
