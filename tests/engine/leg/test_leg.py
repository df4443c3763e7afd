"""The walk of one leg, over connectors in memory."""

from __future__ import annotations

from pathlib import Path

from memory.doubles import MemoryStore
from walking import Trial, a_mailbox

from engine.leg.run import Task
from ledger.db.rows import LegState, State

INBOX = ("INBOX",)


def test_a_mailbox_arrives_and_a_second_run_writes_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.states() == {State.VERIFIED: 13}
    before = trial.store.snapshot()
    assert before.total() == 13
    writes: list[str] = []
    assert trial.run(lambda name: writes.append(name)).state is LegState.VERIFIED
    assert trial.store.snapshot() == before
    assert not [name for name in writes if name.startswith(("target.write", "target.amend", "target.remove"))]


def test_what_was_read_back_once_is_read_again_only_on_request(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    reads: list[str] = []
    assert trial.run(lambda name: reads.append(name)).state is LegState.VERIFIED
    assert "target.read" not in reads
    assert trial.run(lambda name: reads.append(name), Task(copy=False)).state is LegState.VERIFIED
    assert "target.read" in reads


def test_what_a_later_look_doubts_is_no_longer_verified_and_a_pass_repairs_it(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    del trial.store.folders[INBOX].messages[1]
    assert trial.run(task=Task(copy=False)).state is LegState.DIFFERS
    assert trial.states() == {State.VERIFIED: 12, State.WRITTEN: 1}
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == before


def test_what_lies_under_a_number_of_ours_now_is_kept_and_ours_is_written_anew(tmp_path: Path) -> None:
    """A stored mail never changes: another one under its number was put there by somebody."""
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot().total()
    trial.store.alter(INBOX, 1, b"Subject: another\r\n\r\nbody\r\n")
    assert trial.run(task=Task(copy=False)).state is LegState.DIFFERS
    for _ in range(2):
        assert trial.run().state is LegState.DIFFERS
        assert trial.findings() == [("-", "unknown")]
        assert trial.store.snapshot().total() == before + 1
    del trial.store.folders[INBOX].messages[1]
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == before
