"""A server that leaves messages out of the answer to FETCH, and ends it with OK."""

from __future__ import annotations

from pathlib import Path

import pytest
from imap_script import Open, Serve, Settings

from connectors.imap.target import ImapTarget
from connectors.imap.verify_uid import Judge
from connectors.settings import Account
from model.errors import Transient
from model.protocols import Amendment, Failed, Stored

KEYS = [bytes([number]) * 16 for number in (1, 2, 3)]
ALL = [Stored(key, f"7:{number}") for number, key in enumerate(KEYS, 1)]


class Folder:
    """Three messages, of which FETCH tells all but hidden ones. gone: those that are not there."""

    def __init__(self, hidden: set[int], gone: set[int], *, hides_later: bool = False) -> None:
        self.hidden = hidden
        self.there = {1, 2, 3} - gone
        self.expunged: list[bytes] = []
        self.keeps = hides_later

    def __call__(self, command: bytes, *_: object) -> bytes:
        words = command.split()
        if words[:2] == [b"UID", b"FETCH"]:
            told = self.there - self.hidden
            lines = (b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 5)\r\n" % (one, one) for one in sorted(told))
            return b"".join(lines) + b"TAG OK done\r\n"
        if words[:2] == [b"UID", b"SEARCH"]:
            return b"* SEARCH %s\r\nTAG OK done\r\n" % b" ".join(b"%d" % one for one in sorted(self.there))
        if words[:2] == [b"UID", b"EXPUNGE"]:
            self.expunged.append(words[2])
            if self.keeps:
                self.hidden = {1, 2, 3}
            else:
                self.there &= self.hidden
        return b"TAG OK done\r\n"


def test_what_is_left_out_and_there_is_not_taken_for_gone(serve: Serve, target: Open) -> None:
    folder = Folder(hidden={2}, gone=set())
    results = list(target(serve(folder)).remove("INBOX", ALL))
    codes = [one.error.code if isinstance(one, Failed) else "" for one in results]
    assert codes == ["", "reply-incomplete", ""]
    assert folder.expunged == [b"1,3"]


def test_what_is_gone_is_gone(serve: Serve, target: Open) -> None:
    folder = Folder(hidden=set(), gone={2})
    assert list(target(serve(folder)).remove("INBOX", ALL)) == ALL
    assert folder.expunged == [b"1,3"]


def test_flags_of_what_is_left_out_are_set_another_time(serve: Serve, target: Open) -> None:
    folder = Folder(hidden={2}, gone={3})
    changes = [Amendment(one, frozenset()) for one in ALL]
    results = list(target(serve(folder)).amend("INBOX", changes))
    codes = [one.error.code if isinstance(one, Failed) else "" for one in results]
    assert codes == ["", "reply-incomplete", "vanished"]


def test_what_stays_though_fetch_says_nothing_of_it_was_not_removed(serve: Serve, target: Open) -> None:
    folder = Folder(hidden=set(), gone=set(), hides_later=True)
    with pytest.raises(Exception, match="no-permission"):
        list(target(serve(folder)).remove("INBOX", ALL))


class MadeAnew(Folder):
    """Somebody deletes the folder and makes it anew while what is doubtful in it is read."""

    def __init__(self) -> None:
        super().__init__(hidden=set(), gone=set())
        self.validity = 7

    def __call__(self, command: bytes, *rest: object) -> bytes:
        if command.startswith((b"SELECT", b"EXAMINE")):
            told = b"* 3 EXISTS\r\n* OK [UIDVALIDITY %d] x\r\n" % self.validity
            self.validity += command.startswith(b"EXAMINE")
            return told + b"* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\nTAG OK done\r\n"
        return super().__call__(command, *rest)


@pytest.mark.parametrize("change", [False, True])
def test_nothing_is_changed_in_a_folder_that_was_made_anew_meanwhile(
    serve: Serve, settings: Settings, tmp_path: Path, change: bool
) -> None:
    server = serve(MadeAnew())
    judge = Judge(lambda _: b"", lambda _: 1)
    target = ImapTarget(settings(server.port), Account(login="anna"), lambda: None, tmp_path, judge=judge)
    doubtful = [Stored(KEYS[0], "7:1", digest=b"another", size=999, date=1, mid=3), *ALL[1:]]
    changes = [Amendment(one, frozenset({"\\Seen"})) for one in doubtful]
    with pytest.raises(Transient, match="container-renumbered"):
        list(target.amend("Other", changes) if change else target.remove("Other", doubtful))
    target.close()
    assert not [line for line in server.lines if line.startswith((b"UID STORE", b"UID EXPUNGE"))]
