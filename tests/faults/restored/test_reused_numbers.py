"""R8b: a target that was restored from a copy gives numbers to new mail that the ledger knows for its own.
What is there is not ours: it is neither removed nor amended, and ours is written again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from walking import SOURCE, Trial, letter

from connectors.imap.verify_uid import Judge, Looker, MessageMetadata
from ledger.db.rows import LegState, Phase, State
from model.protocols import Role, Stored

INBOX = ("INBOX",)
FOREIGN = (
    b"From: bert@else.example\r\nSubject: not ours\r\nMessage-ID: <foreign@else.example>\r\n\r\nhello\r\n"
)


@pytest.fixture(params=[Phase.STAGING, Phase.FROZEN])
def trial(request: pytest.FixtureRequest, quick_path: Path) -> Trial:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(8):
        mailbox.deliver(where, letter(number))
    mailbox.deliver(where, letter(20), Marks(draft=True))
    trial = Trial(quick_path, mailbox, MemoryStore(batch=50))
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, request.param, "somebody")
    return trial


def forged(raw: bytes) -> bytes:
    """A mail of the same size and Message-ID."""
    return raw.replace(b"Subject: letter", b"Subject: forged")


def restore(trial: Trial, source_id: str, made: Callable[[bytes], bytes]) -> bytes:
    """The target lost the copy of an item, and delivered another mail under its number."""
    folder = trial.store.folders[INBOX]
    raw = trial.mailbox.find(source_id)[1].raw
    uid = next(uid for uid, message in folder.messages.items() if message.raw == raw)
    del folder.messages[uid]
    folder.uidnext = uid
    trial.store.append(INBOX, made(raw), frozenset(), None)
    folder.uidnext = max(folder.messages) + 1
    return made(raw)


def deleted(trial: Trial, item: str) -> None:
    trial.mailbox.delete(item)


def read(trial: Trial, item: str) -> None:
    trial.mailbox.mark(item, Marks(read=True, flag="Flagged"))


def edited(trial: Trial, item: str) -> None:
    """A draft is taken back and written anew."""
    trial.mailbox.edit(item, letter(20, "another text"))


def untouched(_trial: Trial, _item: str) -> None:
    """The pass finds another date, and would put it right."""


@pytest.mark.parametrize("change", [deleted, read, edited, untouched])
@pytest.mark.parametrize("made", [lambda _: FOREIGN, forged])
def test_what_has_our_number_stays(
    trial: Trial, change: Callable[[Trial, str], None], made: Callable[[bytes], bytes]
) -> None:
    """Also a mail that somebody sent with the Message-ID and in the size of the lost one."""
    items = list(next(iter(trial.mailbox.folders.values())).messages)
    item = items[-1] if change is edited else items[2]
    foreign = restore(trial, item, made)
    change(trial, item)
    for _ in range(3):
        result = trial.run()
    raws = [message.raw for message in trial.store.folders[INBOX].messages.values()]
    assert raws.count(foreign) == 1
    kept = next(one for one in trial.store.folders[INBOX].messages.values() if one.raw == foreign)
    assert kept.flags == frozenset()
    ours = [message.raw for _, message in trial.mailbox.messages()]
    assert sorted(raws) == sorted([*ours, foreign])
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")
    assert trial.findings() == [("-", "unknown")]
    trial.approve("target-not-empty")
    assert trial.finish().state is LegState.VERIFIED
    assert trial.states() == {State.VERIFIED: len(ours), **({State.GONE: 1} if change is deleted else {})}


@dataclass(slots=True)
class Naming(MemoryStore):
    """A server that gives a Message-ID to what has none."""

    def append(self, path: tuple[str, ...], raw: bytes, flags: frozenset[str], date: datetime | None) -> int:
        named = raw if b"Message-ID:" in raw else b"Message-ID: <made@new.example>\r\n" + raw
        return MemoryStore.append(self, path, named, flags, date)


def test_a_copy_that_the_server_changes_is_not_taken_for_anothers(quick_path: Path) -> None:
    """Else each attempt to mend it would leave one copy more."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    nameless = mailbox.deliver(where, b"Subject: odd\r\n\r\nno name\r\n")
    for number in range(8):
        mailbox.deliver(where, letter(number))
    trial = Trial(quick_path, mailbox, Naming())
    for _ in range(3):
        result = trial.run()
    assert len(trial.store.folders[INBOX].messages) == 9
    assert (result.state, result.code) == (LegState.DIFFERS, "kept-otherwise")
    mailbox.delete(nameless)
    assert trial.run().state is LegState.VERIFIED
    assert len(trial.store.folders[INBOX].messages) == 8


NOON = int(datetime(2020, 1, 1, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("stored", "date", "known"),
    [
        (Stored(b"k", "7:1", digest=b"d", size=9, date=NOON), NOON, True),
        (Stored(b"k", "7:1", digest=b"d", size=9, date=NOON), NOON + 1, False),
        (Stored(b"k", "7:1", digest=b"d", size=9, date=NOON, mid=5), NOON, False),
        (Stored(b"k", "7:1", digest=b"d", size=9), NOON, False),
        (Stored(b"k", "7:1", digest=b"d", size=100, date=NOON, mid=1), NOON, True),
        (Stored(b"k", "7:1", digest=b"d", size=100, date=NOON, mid=1), NOON + 1, False),
        (Stored(b"k", "7:1", digest=b"d", size=100, mid=1), NOON, False),
    ],
)
def test_without_a_look_only_what_has_its_date_is_the_same(
    quick_path: Path, stored: Stored, date: int, known: bool
) -> None:
    judge = Judge(lambda _: b"", lambda _: 1)
    looker = Looker(None, b"INBOX", 7, quick_path, judge)  # type: ignore[arg-type]
    assert looker._matches(stored, MessageMetadata(frozenset(), 100, date, b"")) is known
