"""A rollback by a restored ledger would leave what came since, or undo what a user has made their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from backups import restored, saved
from memory.doubles import MemoryStore
from undoing import Undoing, undone
from walking import Trial, a_mailbox, letter

from engine.steps.beginning.ledger_generation import Generations
from ledger.db.rows import LegState, Phase
from model.errors import Blocked

PLACES = pytest.mark.parametrize("beside", ["target", "state"])


def copied(directory: Path, beside: str) -> Trial:
    """A mailbox after its first pass. beside: where the number of a pass is kept."""
    trial = Trial(directory, a_mailbox(5), MemoryStore(has_labels=beside == "target"))
    trial.generations = Generations(directory / "state") if beside == "state" else None
    assert trial.run().state is LegState.VERIFIED
    return trial


def refused(trial: Trial, code: str) -> None:
    before = trial.store.snapshot()
    undoing = Undoing(trial)
    with pytest.raises(Blocked, match=code):
        undoing.look()
    undoing.approve()
    result = undoing.run()
    assert (result.state, result.code) == (LegState.BLOCKED, code)
    assert trial.store.snapshot() == before


@PLACES
def test_what_the_ledger_does_not_know_is_not_left_unseen(quick_path: Path, beside: str) -> None:
    trial = copied(quick_path, beside)
    backup = saved(trial)
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(90))
    assert trial.run().state is LegState.VERIFIED
    restored(trial, backup)
    refused(trial, "ledger-restored")
    trial.approve("ledger-restored")
    items = sum(trial.store.snapshot().values())
    assert undone(trial).counts["ours"] == items - 1
    assert sum(trial.store.snapshot().values()) == 1


@PLACES
def test_a_mailbox_that_is_live_by_now_is_not_undone(quick_path: Path, beside: str) -> None:
    trial = copied(quick_path, beside)
    backup = saved(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    trial.leave_move()
    restored(trial, backup)
    refused(trial, "phase-behind")
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    undone(trial)
    assert not trial.store.snapshot()


def test_a_ledger_from_before_the_first_pass_does_not_say_that_nothing_is_there(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    trial.generations = Generations(quick_path / "state")
    backup = saved(trial)
    assert trial.run().state is LegState.VERIFIED
    restored(trial, backup)
    refused(trial, "ledger-restored")


def test_a_ledger_that_knows_all_is_rolled_back_twice(quick_path: Path) -> None:
    trial = copied(quick_path, "target")
    undone(trial)
    assert not Undoing(trial).look()["ours"]
    undone(trial)


def test_nothing_is_asked_of_a_target_without_an_account(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(5), MemoryStore(has_labels=True))
    steps: list[str] = []
    undoing = Undoing(trial)
    undoing.approve()
    assert undoing.run(steps.append).code == "rolled-back"
    assert not [step for step in steps if "mark" in step]
