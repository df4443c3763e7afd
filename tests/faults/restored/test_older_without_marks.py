"""An older ledger, a target that keeps no mark, and a machine that never worked on the mailbox: what the
target holds tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from backups import restored, saved
from memory.doubles import MemoryMailbox, MemoryStore
from test_older_ledger import WRITES
from undoing import repaired
from walking import SOURCE, Trial, letter, verified

from engine.leg.repair_walk import What
from engine.leg.run import Task
from ledger.db.rows import LegState, Phase
from model.protocols import Role

INBOX = ("INBOX",)
BEFORE, AFTER = 6, 15


def begun(directory: Path, *, states: bool = True) -> Trial:
    """A mailbox of 6 that was copied; nothing keeps a mark of it."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    mailbox.create_folder(("Work",))
    for number in range(BEFORE):
        mailbox.deliver(where, letter(number))
    trial = Trial(directory, mailbox, MemoryStore(has_labels=False, states=states))
    verified(trial)
    return trial


def inbox(trial: Trial) -> str:
    return next(one.id for one in trial.mailbox.folders.values() if one.role is Role.INBOX)


def refused(trial: Trial, code: str) -> None:
    """Nothing is written, and a dry run says the same."""
    before = trial.store.snapshot()
    looked = trial.run(task=Task(dry=True))
    steps: list[str] = []
    result = trial.run(steps.append)
    assert (result.state, result.code, looked.code) == (LegState.BLOCKED, code, code)
    assert not [step for step in steps if step.startswith(WRITES)]
    assert trial.store.snapshot() == before
    trial.ledger.requeue()


@pytest.mark.parametrize("states", [True, False])
@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FROZEN])
@pytest.mark.parametrize("late", [1, AFTER - BEFORE])
def test_nothing_is_written_twice(quick_path: Path, phase: Phase, late: int, states: bool) -> None:
    trial = begun(quick_path, states=states)
    trial.ledger.set_phase(trial.id, phase, "somebody")
    backup = saved(trial)
    for number in range(BEFORE, BEFORE + late):
        trial.mailbox.deliver(inbox(trial), letter(number))
    verified(trial)
    before = trial.store.snapshot()
    restored(trial, backup)
    for number in range(40, 52):
        trial.mailbox.deliver(inbox(trial), letter(number))
    refused(trial, "ledger-restored")
    trial.approve("ledger-restored")
    verified(trial)
    assert (trial.store.snapshot() - before).total() == 12
    assert not before - trial.store.snapshot()
    verified(trial)


def test_a_folder_that_is_newer_than_the_backup_is_not_filled_again(quick_path: Path) -> None:
    trial = begun(quick_path)
    backup = saved(trial)
    new = trial.mailbox.create_folder(("New",))
    for number in range(3):
        trial.mailbox.deliver(new, letter(60 + number))
    verified(trial)
    before = trial.store.snapshot()
    restored(trial, backup)
    refused(trial, "ledger-restored")
    trial.approve("ledger-restored")
    verified(trial)
    assert trial.store.snapshot() == before


def works(trial: Trial) -> None:
    """What its user does in a live mailbox, while the source goes on."""
    folder = trial.store.folders[INBOX]
    first, second, third, *_ = folder.messages
    folder.messages[first].flags ^= {"\\Flagged", "\\Seen"}
    del folder.messages[second]
    trial.store.create(("Filed",))
    trial.store.move(INBOX, third, ("Filed",))
    trial.mailbox.delete(list(trial.mailbox.folders[inbox(trial)].messages)[3])


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FROZEN])
@pytest.mark.parametrize("mails", [0, 2])
def test_a_live_account_is_not_treated_by_the_rules_of_staging(
    quick_path: Path, phase: Phase, mails: int
) -> None:
    trial = begun(quick_path)
    trial.ledger.set_phase(trial.id, phase, "somebody")
    verified(trial)
    backup = saved(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    verified(trial)
    works(trial)
    for number in range(mails):
        trial.store.append(INBOX, letter(80 + number), frozenset(), None)
    verified(trial)
    before = trial.store.snapshot()
    restored(trial, backup)
    assert repaired(trial, What.FLAGS).code == "target-in-use"
    assert trial.store.snapshot() == before
    refused(trial, "target-in-use")
    refused(trial, "target-in-use")
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    verified(trial)
    assert trial.store.snapshot() == before


def test_both_are_asked_about_one_after_the_other(quick_path: Path) -> None:
    trial = begun(quick_path)
    backup = saved(trial)
    trial.mailbox.deliver(inbox(trial), letter(30))
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    verified(trial)
    works(trial)
    restored(trial, backup)
    refused(trial, "ledger-restored")
    trial.approve("ledger-restored")
    refused(trial, "target-in-use")
    trial.approve("target-in-use")
    trial.finish()
    assert trial.store.folders[INBOX].messages


def test_what_was_always_right_asks_nobody(quick_path: Path) -> None:
    """A mail of somebody, a mark and a deletion, each alone, in staging; and more mail from the source."""
    trial = begun(quick_path)
    folder = trial.store.folders[INBOX]
    folder.messages[min(folder.messages)].flags ^= {"\\Flagged"}
    del folder.messages[max(folder.messages)]
    trial.mailbox.deliver(inbox(trial), letter(30))
    verified(trial)
    trial.store.append(INBOX, b"Subject: of a person\r\n\r\nhello\r\n", frozenset(), None)
    trial.mailbox.deliver(inbox(trial), letter(31))
    result = trial.run()
    assert (result.state, trial.findings()) == (LegState.DIFFERS, [("-", "unknown")])


def test_a_first_copy_that_was_cut_off_asks_nobody(quick_path: Path) -> None:
    """Beside what a person accepted, which may be the same mail."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(12):
        mailbox.deliver(where, letter(number))
    trial = Trial(quick_path, mailbox, MemoryStore(has_labels=False))
    for number in range(3):
        trial.store.append(INBOX, letter(number), frozenset(), None)
    assert trial.run().code == "target-not-empty"
    trial.approve("target-not-empty")
    left = 2

    def stop(name: str = "commit") -> None:
        nonlocal left
        left -= name == "target.write"
        if left == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial.run(stop)
    trial.finish()
    assert trial.findings() == [("-", "duplicate")] * 3
