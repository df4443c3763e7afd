"""A state directory that was emptied, is read-only or full: a code of its own, and nothing is written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from memory.doubles import MemoryMailbox, MemoryStore
from powerless import powerless
from walking import SOURCE, Trial, letter

from engine.control import crash_note
from engine.steps.beginning.ledger_generation import Generations
from ledger.db.rows import LegState
from model.errors import Blocked
from model.protocols import Role


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    mailbox.deliver(mailbox.create_folder(("Inbox",), Role.INBOX), letter(1))
    made = Trial(quick_path, mailbox, MemoryStore())
    made.generations = Generations(quick_path / "state")
    return made


def test_an_emptied_one_is_made_again(trial: Trial) -> None:
    assert trial.run().state is LegState.VERIFIED
    for one in sorted((trial.directory / "state").rglob("*"), reverse=True):
        one.rmdir() if one.is_dir() else one.unlink()
    assert trial.run().state is LegState.VERIFIED


def test_one_that_takes_nothing_blocks(trial: Trial) -> None:
    (trial.directory / "state").mkdir(mode=0o500)
    with powerless():
        result = trial.run()
    assert (result.state, result.code, result.detail) == (LegState.BLOCKED, "state-unusable", "EACCES")
    assert not trial.store.snapshot()


def test_one_that_is_a_file_blocks(trial: Trial) -> None:
    (trial.directory / "state").write_text("no directory")
    assert trial.run().code == "state-unusable"


def test_a_full_disk_blocks(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        result = trial.run()
    assert (result.state, result.code, result.detail) == (LegState.BLOCKED, "state-full", "ENOSPC")
    assert not trial.store.snapshot()
    assert trial.run().state is LegState.VERIFIED


def test_a_process_that_cannot_leave_its_note_says_so(tmp_path: Path) -> None:
    (tmp_path / "crashes").write_text("no directory")
    with pytest.raises(Blocked, match="state-unusable"), crash_note.noting_crashes(tmp_path):
        raise AssertionError("unreachable")
