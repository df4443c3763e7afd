"""Of folders that both servers state as unchanged nothing is listed; of all others everything is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from memory.mailbox import Marks, MemoryMailbox
from walking import TODAY, Trial, a_mailbox, letter, verified

from engine.leg.run import Task
from engine.steps.listing.unchanged import LOOK_AGAIN
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase, State

INBOX = ("INBOX",)
LOOKS = ("source.changes", "target.listing", "target.position")


def calls(trial: Trial, task: Task | None = None) -> Counter[str]:
    """The calls of a run that ends well."""
    steps: list[str] = []
    result = trial.run(lambda name="commit": steps.append(name), task)
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    return Counter(steps)


def looks(trial: Trial, task: Task | None = None) -> dict[str, int]:
    found = calls(trial, task)
    return {name: found[name] for name in LOOKS if found[name]}


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    found = Trial(tmp_path, a_mailbox(), MemoryStore())
    verified(found)
    return found


def inbox_of(mailbox: MemoryMailbox) -> str:
    return next(folder.id for folder in mailbox.folders.values() if folder.path == ("Posteingang",))


def first_of(mailbox: MemoryMailbox) -> str:
    return next(iter(mailbox.folders[inbox_of(mailbox)].messages))


def test_a_pass_with_nothing_new_lists_folders_alone_and_opens_each_side_once(trial: Trial) -> None:
    found = calls(trial)
    assert not any(found[name] for name in LOOKS)
    assert (found["source.containers"], found["target.containers"], found["source.identity"]) == (1, 1, 1)
    assert trial.states() == {State.VERIFIED: 13}


CHANGES: dict[str, Callable[[MemoryMailbox], object]] = {
    "new": lambda mailbox: mailbox.deliver(inbox_of(mailbox), letter(500), Marks(received=TODAY)),
    "flags": lambda mailbox: mailbox.mark(first_of(mailbox), Marks(flag="Flagged", categories=("Rot",))),
    "deleted": lambda mailbox: mailbox.delete(first_of(mailbox)),
    "moved": lambda mailbox: mailbox.move(first_of(mailbox), list(mailbox.folders)[1]),
    "renamed": lambda mailbox: mailbox.rename_folder(list(mailbox.folders)[1], ("Posteingang", "Neu")),
    "folder": lambda mailbox: mailbox.create_folder(("Leer",)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_at_the_source_arrives_as_without_states(tmp_path: Path, change: str) -> None:
    stores = []
    for states in (True, False):
        directory = tmp_path / str(states)
        directory.mkdir()
        mailbox, store = a_mailbox(), MemoryStore(states=states)
        mailbox.states = states
        trial = Trial(directory, mailbox, store)
        verified(trial)
        CHANGES[change](mailbox)
        verified(trial)
        stores.append((store.snapshot(), trial.states(), sorted(store.folders)))
    assert stores[0] == stores[1]


def test_only_the_folder_that_changed_is_listed(trial: Trial) -> None:
    CHANGES["new"](trial.mailbox)
    assert looks(trial) == {"source.changes": 5, "target.listing": 1, "target.position": 1}
    assert not looks(trial)


def _remove(store: MemoryStore) -> None:
    del store.folders[INBOX].messages[1]


def _flag(store: MemoryStore) -> None:
    store.folders[INBOX].messages[1].flags = frozenset({"\\Answered", "\\Deleted"})


def _renumber(store: MemoryStore) -> None:
    store.renumber(INBOX)


@pytest.mark.parametrize("damage", [_remove, _flag, _renumber])
def test_what_is_changed_at_the_target_is_found_by_the_next_pass_and_mended(
    trial: Trial, damage: Callable[[MemoryStore], None]
) -> None:
    before = trial.store.snapshot()
    damage(trial.store)
    for _ in range(2):
        trial.run()
    assert trial.store.snapshot() == before
    verified(trial)


def test_a_copy_of_ours_that_lands_late_is_found_by_the_next_pass_and_removed(trial: Trial) -> None:
    before = trial.store.snapshot()
    message = trial.store.folders[INBOX].messages[1]
    trial.store.append(INBOX, message.raw, message.flags, message.date)
    verified(trial)
    assert trial.store.snapshot() == before


def test_everything_is_listed_again_after_a_while(trial: Trial) -> None:
    """A server whose states say nothing hides a change until then."""
    trial.store.deaf = True
    moment = trial.now()
    before = trial.store.snapshot()
    calls(trial)
    _flag(trial.store)
    trial.now = lambda: moment + timedelta(seconds=LOOK_AGAIN - 60)
    assert not looks(trial)
    trial.now = lambda: moment + timedelta(seconds=LOOK_AGAIN + 60)
    verified(trial)
    assert trial.store.snapshot() == before
    trial.now = lambda: moment + timedelta(seconds=LOOK_AGAIN + 120)
    assert not looks(trial)


@pytest.mark.parametrize("task", [Task(copy=False), Task(Level.BOTH), Task(Level.BOTH, copy=False)])
def test_whoever_asks_for_everything_gets_it(trial: Trial, task: Task) -> None:
    assert looks(trial, task)["target.listing"] == 3


@pytest.mark.parametrize("phase", [Phase.FROZEN, Phase.LIVE])
def test_a_mailbox_that_is_frozen_or_live_is_listed_whatever_its_states(trial: Trial, phase: Phase) -> None:
    trial.ledger.set_phase(trial.id, phase, "somebody")
    found = looks(trial)
    assert found["target.listing"] == 3
    assert found["source.changes"] >= 3


def test_a_verification_that_finds_something_makes_the_next_pass_look(trial: Trial) -> None:
    _flag(trial.store)
    assert trial.run(task=Task(copy=False)).state is LegState.DIFFERS
    assert looks(trial)["target.listing"] >= 1
    assert not looks(trial)


@pytest.mark.parametrize("side", ["source", "target"])
def test_each_side_may_be_without_states(tmp_path: Path, side: str) -> None:
    trial = _without_states(tmp_path, side)
    found = calls(trial)
    assert bool(found["source.changes"]) is (side == "source")
    assert bool(found["target.listing"]) is (side == "target")


def _without_states(directory: Path, side: str, *, incremental: bool = True) -> Trial:
    mailbox, store = a_mailbox(), MemoryStore(states=side == "source")
    mailbox.states, mailbox.incremental = side == "target", incremental
    trial = Trial(directory, mailbox, store)
    verified(trial)
    return trial


def test_a_source_that_names_changes_is_asked_for_them_once(tmp_path: Path) -> None:
    trial = _without_states(tmp_path, "source")
    trial.mailbox.create_folder(("Leer",))
    verified(trial)
    found = calls(trial)
    assert {name: found[name] for name in LOOKS if found[name]} == {"source.changes": 3}, "none of the empty"
    assert (found["source.containers"], found["target.containers"], found["source.identity"]) == (1, 1, 1)


def test_a_source_that_lists_everything_anew_is_not_asked_for_changes_alone(tmp_path: Path) -> None:
    trial = _without_states(tmp_path, "source", incremental=False)
    assert calls(trial)["source.containers"] == 2


def test_a_change_that_the_source_alone_tells_of_ends_the_questions(tmp_path: Path) -> None:
    trial = _without_states(tmp_path, "source")
    CHANGES["new"](trial.mailbox)
    assert looks(trial) == {"source.changes": 12, "target.listing": 1, "target.position": 1}, "11 and one"
    assert calls(trial)["source.containers"] == 1


def test_a_lost_cursor_lists_everything_again(tmp_path: Path) -> None:
    trial = _without_states(tmp_path, "source")
    trial.mailbox.lose_cursors()
    trial.mailbox.delete(first_of(trial.mailbox))
    verified(trial)
    assert trial.states()[State.GONE] == 1
