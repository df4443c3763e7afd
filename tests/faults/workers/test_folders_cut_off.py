"""A worker dies while it creates folders: what it made is known as ours, and what stood there is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from undoing import Undoing
from walking import Died, Trial, a_mailbox, dying_at, letter

from ledger.db.rows import LegState

STOOD = ("Ablage",)
MADE = [("Projekte",), ("Projekte", "Alt")]


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    """One of the folders that move stands at the target before, and is empty there."""
    trial = Trial(quick_path, a_mailbox(), MemoryStore(atomic=True))
    for path in (STOOD, *MADE):
        trial.mailbox.deliver(trial.mailbox.create_folder(path), letter(410))
    assert isinstance(trial.store, MemoryStore)
    trial.store.create(STOOD)
    return trial


@pytest.mark.parametrize("step", ["target.ensure", "target.ensure done"])
@pytest.mark.parametrize("times", range(1, 6))
def test_a_rollback_removes_the_folders_that_a_dead_worker_made(trial: Trial, step: str, times: int) -> None:
    before = set(trial.store.folders)
    with pytest.raises(Died):
        trial.run(dying_at(step, times))
    assert trial.run().state is LegState.VERIFIED
    assert set(MADE) <= set(trial.store.folders)
    undoing = Undoing(trial)
    undoing.approve()
    assert undoing.run().code == "rolled-back"
    assert set(trial.store.folders) == before
