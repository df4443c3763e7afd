"""R8: a source that lost much is asked about, also where people have little, or many lose it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from calendars import calendar_trial, cards_trial
from drives import drive_trial
from memory.doubles import MemoryMailbox, MemoryStore
from walking import SOURCE, Trial, letter

from engine.context.shrink_guard import ShrinkBreaker
from ledger.db.rows import LegState, Phase, State
from model.protocols import Role


def few(directory: Path, items: int = 4) -> Trial:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(items):
        mailbox.deliver(where, letter(number))
    directory.mkdir(exist_ok=True)
    trial = Trial(directory, mailbox, MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    return trial


def lose(trial: Trial, share: float) -> None:
    """The first of each folder, as a retention rule takes them."""
    for folder in trial.mailbox.folders.values():
        items = list(folder.messages)
        for item in items[: round(share * len(items))]:
            trial.mailbox.delete(item)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FROZEN])
@pytest.mark.parametrize("make", [few, calendar_trial, cards_trial, drive_trial])
@pytest.mark.parametrize("share", [0.8, 1.0])
def test_most_of_a_small_workload_is_not_removed_unasked(
    quick_path: Path, make: Callable[[Path], Trial], share: float, phase: Phase
) -> None:
    trial = make(quick_path)
    assert trial.finish().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before = trial.store.snapshot()
    lose(trial, share)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "source-shrunk")
        assert trial.store.snapshot() == before
    trial.approve("source-shrunk")
    assert trial.finish().state is LegState.VERIFIED
    assert trial.store.snapshot().total() < before.total()
    assert trial.states()[State.LEAVING] == 0


def test_half_of_it_is_a_person_tidying_up(quick_path: Path) -> None:
    trial = few(quick_path)
    lose(trial, 0.5)
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == 2


def test_a_folder_that_is_emptied_item_by_item_goes(quick_path: Path) -> None:
    trial = few(quick_path, 6)
    for _ in range(3):
        for _, message in list(trial.mailbox.messages())[:2]:
            trial.mailbox.delete(message.id)
        assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == 0


def test_several_mailboxes_that_lose_their_few_stop_each_other(quick_path: Path) -> None:
    """Each of them is below its own guard."""
    breaker = ShrinkBreaker()
    trials = [few(quick_path / str(number), 2) for number in range(5)]
    for trial in trials:
        trial.breaker = breaker
        lose(trial, 1.0)
    results = [trial.run() for trial in trials]
    assert [result.code for result in results] == [None, None, *["source-shrunk"] * 3]
    assert [trial.store.snapshot().total() for trial in trials] == [0, 0, 2, 2, 2]
    fault = breaker.fault(results[2].code)
    assert fault is not None
    assert fault.code == "source-shrunk"
    assert breaker.fault("over-quota") is None
    trials[2].approve("source-shrunk")
    assert trials[2].run().state is LegState.VERIFIED
    assert trials[3].run().code == "source-shrunk"


def test_a_few_among_many_stop_nobody(quick_path: Path) -> None:
    breaker = ShrinkBreaker()
    for number in range(40):
        breaker.note(f"m-{number}", gone=False)
    trials = [few(quick_path / str(number), 2) for number in range(3)]
    for trial in trials:
        trial.breaker = breaker
        lose(trial, 1.0)
    assert [trial.run().code for trial in trials] == [None] * 3
    assert not breaker.pulled
    assert breaker.fault("source-shrunk") is None
