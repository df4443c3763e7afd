"""A folder hands its name on to another folder while it cannot have its own new name yet: each has its files
in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from drives import DRIVE, dated, file, folder, make, marks
from memory.doubles import MemoryCabinet, MemoryMailbox
from walking import SOURCE, Trial, verified

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState
from model.protocols import Role

BOTH = Task(Level.BOTH, copy=False)


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    """A file "Neu" and a folder "Alt", which moved."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    root = make(mailbox, DRIVE, role=Role.FILES)
    mailbox.deliver(root, b"a file", marks("Neu"))
    mailbox.deliver(make(mailbox, DRIVE, "Alt"), b"first", marks("first.txt"))
    trial = Trial(quick_path, mailbox, MemoryCabinet())
    verified(trial)
    return trial


def hand_on(trial: Trial) -> str:
    """The folder gets the name of the file, which is deleted, and another folder gets the folder's."""
    trial.mailbox.delete(file(trial.mailbox, "Neu"))
    trial.mailbox.rename_folder(folder(trial.mailbox, "Alt").id, (DRIVE, "Neu"))
    return make(trial.mailbox, DRIVE, "Alt", day=12)


def settled(trial: Trial) -> None:
    verified(trial)
    assert trial.run(task=BOTH).state is LegState.VERIFIED, trial.findings()


def there(trial: Trial) -> set[tuple[str, str]]:
    return {(href, name) for href, name, *_ in trial.store.snapshot() if (href, name) != ("", "")}


def losses(trial: Trial) -> set[tuple[str, str]]:
    (leg,) = trial.ledger.legs()
    return {(loss.field, loss.reason) for _, _, loss in trial.ledger.losses(leg.id)}


def test_a_new_folder_does_not_get_the_folder_that_waits_for_its_name(trial: Trial) -> None:
    trial.mailbox.deliver(hand_on(trial), b"second", marks("second.txt"))
    settled(trial)
    assert there(trial) == {("/Alt", ""), ("/Alt", "second.txt"), ("/Neu", ""), ("/Neu", "first.txt")}
    assert trial.store.drawer("/Alt").date == dated(12)
    assert losses(trial) == set()


def test_two_files_of_one_name(trial: Trial) -> None:
    """In one folder they would get other names, or one would be taken for the other."""
    trial.mailbox.deliver(hand_on(trial), b"first", marks("first.txt"))
    settled(trial)
    assert there(trial) == {("/Alt", ""), ("/Alt", "first.txt"), ("/Neu", ""), ("/Neu", "first.txt")}
    assert losses(trial) == set()


def test_a_new_folder_that_is_empty(trial: Trial) -> None:
    hand_on(trial)
    settled(trial)
    assert there(trial) == {("/Alt", ""), ("/Neu", ""), ("/Neu", "first.txt")}


def test_a_new_folder_with_a_folder_below(trial: Trial) -> None:
    hand_on(trial)
    below = make(trial.mailbox, DRIVE, "Alt", "Darin")
    trial.mailbox.deliver(below, b"second", marks("second.txt"))
    settled(trial)
    assert {href for href, _ in there(trial)} == {"/Alt", "/Alt/Darin", "/Neu"}
    assert ("/Alt/Darin", "second.txt") in there(trial)


def test_both_have_a_folder_of_one_name_below(trial: Trial) -> None:
    make(trial.mailbox, DRIVE, "Alt", "Darin")
    settled(trial)
    hand_on(trial)
    make(trial.mailbox, DRIVE, "Alt", "Darin")
    settled(trial)
    assert {href for href, name in there(trial)} == {"/Alt", "/Alt/Darin", "/Neu", "/Neu/Darin"}


def test_a_folder_that_replaces_a_file_of_the_folder_as_well(trial: Trial) -> None:
    """At all places at once: a file's name for the folder, the folder's for a new one, and one below."""
    trial.mailbox.deliver(folder(trial.mailbox, "Alt").id, b"", marks("Darin"))
    settled(trial)
    hand_on(trial)
    trial.mailbox.delete(file(trial.mailbox, "Darin"))
    make(trial.mailbox, DRIVE, "Neu", "Darin")
    settled(trial)
    assert there(trial) == {("/Alt", ""), ("/Neu", ""), ("/Neu/Darin", ""), ("/Neu", "first.txt")}
    assert losses(trial) == set()


def test_a_folder_that_was_made_anew_leaves_its_name_for_another(trial: Trial) -> None:
    """The folder of the former id is no folder any more that could have a name."""
    trial.mailbox.recreate_folder(folder(trial.mailbox, "Alt").id)
    settled(trial)
    hand_on(trial)
    settled(trial)
    assert there(trial) == {("/Alt", ""), ("/Neu", ""), ("/Neu", "first.txt")}
    assert losses(trial) == set()


def test_the_name_is_free_in_a_later_pass_as_well(trial: Trial) -> None:
    trial.mailbox.recreate_folder(folder(trial.mailbox, "Alt").id)
    settled(trial)
    trial.mailbox.rename_folder(folder(trial.mailbox, "Alt").id, (DRIVE, "Anders"))
    settled(trial)
    trial.mailbox.deliver(make(trial.mailbox, DRIVE, "Alt"), b"second", marks("second.txt"))
    settled(trial)
    assert {href for href, _ in there(trial)} == {"", "/Alt", "/Anders"}
    assert losses(trial) == set()


@pytest.mark.parametrize("name", ["first.txt", "second.txt"])
def test_a_deleted_folder_comes_back_beside_the_one_that_took_its_name(trial: Trial, name: str) -> None:
    """Out of the recycle bin, under another name and with its own id."""
    old = trial.mailbox.folders.pop(folder(trial.mailbox, "Alt").id)
    trial.mailbox.deliver(make(trial.mailbox, DRIVE, "Alt"), name[:-4].encode(), marks(name))
    settled(trial)
    old.path = (DRIVE, "Alt 1")
    trial.mailbox.folders[old.id] = old
    settled(trial)
    assert there(trial) == {
        ("", "Neu"),
        ("/Alt", ""),
        ("/Alt", name),
        ("/Alt 1", ""),
        ("/Alt 1", "first.txt"),
    }
