"""The user works on the target: Kogge adds what is late and touches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from walking import Trial, a_mailbox, edit, letter

from ledger.db.rows import LegState, Phase
from model.errors import Blocked

TOUCHES = ("target.amend", "target.remove", "target.rename")
INBOX = ("INBOX",)


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    return trial


def go_live(trial: Trial) -> None:
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")


def use(store: MemoryStore) -> None:
    """What the user does with the new mailbox."""
    messages = store.folders[INBOX].messages
    first, second, *_ = sorted(messages)
    messages[first].flags |= {"\\Answered", "\\Seen"}
    del messages[second]
    store.append(INBOX, letter(300), frozenset({"\\Seen"}), None)


def inbox_id(trial: Trial) -> str:
    return next(folder.id for folder in trial.mailbox.folders.values() if folder.path == ("Posteingang",))


def test_late_items_are_added_and_what_the_user_did_survives(trial: Trial) -> None:
    go_live(trial)
    use(trial.store)
    before = trial.store.snapshot()
    trial.mailbox.deliver(inbox_id(trial), letter(301))
    steps: list[str] = []
    trial.run(steps.append)
    assert (trial.store.snapshot() - before).total() == 1
    assert not before - trial.store.snapshot()
    assert not [step for step in steps if step.startswith(TOUCHES)]


def test_nothing_the_source_changes_reaches_the_user(trial: Trial) -> None:
    go_live(trial)
    before = trial.store.snapshot()
    edit(trial.mailbox)
    result = trial.run()
    assert result.state is LegState.VERIFIED
    assert not before - trial.store.snapshot()
    # The moved, the delivered (twice) and the one in a new folder.
    assert (trial.store.snapshot() - before).total() == 4


@pytest.mark.parametrize("emptied", ["messages", "folders"])
def test_an_emptied_source_removes_nothing(trial: Trial, emptied: str) -> None:
    go_live(trial)
    before = trial.store.snapshot()
    for folder in list(trial.mailbox.folders.values()):
        if emptied == "folders":
            trial.mailbox.folders.pop(folder.id)
        else:
            trial.mailbox.shrink(folder.id, 0)
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("name", ["target.amend", "target.remove"])
def test_what_was_open_when_the_phase_began_is_dropped(trial: Trial, name: str) -> None:
    edit(trial.mailbox)

    def refuse(step: str) -> None:
        if step == name:
            raise Blocked("quota-full")

    assert trial.run(refuse).code == "quota-full"
    go_live(trial)
    before = trial.store.snapshot()
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert not before - trial.store.snapshot()


def test_what_the_user_deleted_stays_deleted_when_the_server_renumbers(trial: Trial) -> None:
    go_live(trial)
    use(trial.store)
    before = trial.store.snapshot()
    trial.store.renumber(INBOX)
    trial.run()
    trial.run()
    assert trial.store.snapshot() == before
