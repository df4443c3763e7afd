"""A target that takes no more keywords: what it left out is a loss, and not a change at the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore, MemoryTarget
from walking import SOURCE, Trial, letter

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState
from model.protocols import Failed, Item, Role, Stored
from model.target_losses import KEYWORDS_NOT_TAKEN

WRITE = MemoryTarget.write


def taken(flags: frozenset[str]) -> frozenset[str]:
    return frozenset(flag for flag in flags if flag.startswith("\\"))


def write(self: MemoryTarget, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
    """As a server whose mailbox is full of keywords."""
    batch = {item.key: item for item in items}
    fewer = [replace(item, flags=taken(item.flags)) for item in batch.values()]
    for result in WRITE(self, href, fewer):
        flags = batch[result.key].flags
        if isinstance(result, Stored) and taken(flags) != flags:
            yield replace(result, losses=(KEYWORDS_NOT_TAKEN,), flags=taken(flags))
        else:
            yield result


@pytest.fixture
def trial(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(MemoryTarget, "write", write)
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    mailbox.deliver(where, letter(1))
    mailbox.deliver(where, letter(2), Marks(read=True, categories=("Rot",)))
    return Trial(quick_path, mailbox, MemoryStore())


def test_a_reading_of_both_sides_verifies_it(trial: Trial) -> None:
    for copy in (True, False):
        result = trial.run(task=Task(Level.BOTH, copy=copy))
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    (leg,) = trial.ledger.legs()
    assert KEYWORDS_NOT_TAKEN in [loss for _, _, loss in trial.ledger.losses(leg.id)]
