"""R8b: a target that was restored from a copy gives numbers to new mail that the ledger knows for its own.
What is there is not ours: it is neither removed nor amended, and ours is written again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from walking import SOURCE, Trial, letter

from connectors.base import Role
from ledger.rows import LegState, Phase, State
from practice.memory import Marks, MemoryMailbox, MemoryStore

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


def restore(trial: Trial, source_id: str) -> None:
    """The target lost the copy of an item, and delivered another mail under its number."""
    folder = trial.store.folders[INBOX]
    raw = trial.mailbox.find(source_id)[1].raw
    uid = next(uid for uid, message in folder.messages.items() if message.raw == raw)
    del folder.messages[uid]
    folder.uidnext = uid
    trial.store.append(INBOX, FOREIGN, frozenset(), None)
    folder.uidnext = max(folder.messages) + 1


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
def test_what_has_our_number_stays(trial: Trial, change: Callable[[Trial, str], None]) -> None:
    items = list(next(iter(trial.mailbox.folders.values())).messages)
    item = items[-1] if change is edited else items[2]
    restore(trial, item)
    change(trial, item)
    for _ in range(3):
        result = trial.run()
    raws = [message.raw for message in trial.store.folders[INBOX].messages.values()]
    assert raws.count(FOREIGN) == 1
    kept = next(one for one in trial.store.folders[INBOX].messages.values() if one.raw == FOREIGN)
    assert kept.flags == frozenset()
    ours = [message.raw for _, message in trial.mailbox.messages()]
    assert sorted(raws) == sorted([*ours, FOREIGN])
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")
    assert trial.findings() == [("-", "unknown")]
    trial.approve("target-not-empty")
    assert trial.finish().state is LegState.VERIFIED
    assert trial.states() == {State.VERIFIED: len(ours), **({State.GONE: 1} if change is deleted else {})}
