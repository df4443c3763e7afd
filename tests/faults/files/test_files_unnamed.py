"""A file goes into a folder, and the folder is deleted, between two passes. A drive names a moved file in its
new folder alone, so that nothing at the source tells what became of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from drives import DRIVE, file, folder, make, marks
from memory.doubles import MemoryCabinet, MemoryMailbox
from walking import SOURCE, Trial, verified

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase, State
from model.protocols import Role

BOTH = Task(Level.BOTH, copy=False)


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    """Three files in the root, which moved, and an empty folder."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    root = make(mailbox, DRIVE, role=Role.FILES)
    make(mailbox, DRIVE, "Alt")
    for name in ("eins", "zwei", "drei"):
        mailbox.deliver(root, name.encode(), marks(name))
    trial = Trial(quick_path, mailbox, MemoryCabinet())
    verified(trial)
    return trial


def carry_and_delete(trial: Trial, name: str) -> None:
    alt = folder(trial.mailbox, "Alt")
    trial.mailbox.carry(file(trial.mailbox, name), alt.id)
    trial.mailbox.delete_folder(alt.id)


def there(trial: Trial) -> set[str]:
    return {name for _, name, *_ in trial.store.snapshot() if name}


def test_the_file_goes_and_the_leg_is_verified(trial: Trial) -> None:
    carry_and_delete(trial, "zwei")
    verified(trial)
    assert there(trial) == {"eins", "drei"}
    assert trial.states() == {State.VERIFIED: 2, State.GONE: 1}
    assert trial.run(task=BOTH).state is LegState.VERIFIED


def test_a_file_that_was_only_moved_stays(trial: Trial) -> None:
    """In the same pass as the one that is gone."""
    carry_and_delete(trial, "zwei")
    trial.mailbox.carry(file(trial.mailbox, "drei"), make(trial.mailbox, DRIVE, "Neu"))
    verified(trial)
    assert there(trial) == {"eins", "drei"}
    assert trial.states()[State.VERIFIED] == 2


def test_in_the_live_phase_nothing_is_removed(trial: Trial) -> None:
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    carry_and_delete(trial, "zwei")
    verified(trial)
    assert there(trial) == {"eins", "zwei", "drei"}
