"""A ledger that was restored from a backup is noticed before anything is written, and finds what is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from backups import restored, saved
from calendars import calendar_trial
from drives import drive_trial
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from sqlalchemy import func, select
from walking import SOURCE, Died, Trial, dying_at, letter

from engine.leg.run import Task, approvals
from engine.steps.beginning.ledger_generation import Generations
from ledger.db.engine import reading
from ledger.db.rows import LegState, Phase
from ledger.db.schema import incident
from model.kinds import Kind
from model.protocols import Role

WRITES = ("target.write", "target.append", "target.amend", "target.remove", "target.ensure", "target.rename")


def begun(directory: Path, *, beside: str) -> tuple[Trial, Path]:
    """A mailbox of 6, backed up, and 10 more copied since; beside: where the number of a pass is kept."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(6):
        mailbox.deliver(where, letter(number))
    trial = Trial(directory, mailbox, MemoryStore(has_labels=beside == "target"))
    trial.generations = Generations(directory / "state") if beside == "state" else None
    assert trial.run().state is LegState.VERIFIED
    backup = saved(trial)
    for number in range(6, 15):
        mailbox.deliver(where, letter(number))
    mailbox.deliver(where, letter(14))
    assert trial.run().state is LegState.VERIFIED
    return trial, backup


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.LIVE])
@pytest.mark.parametrize("beside", ["target", "state"])
def test_nothing_is_written_twice(quick_path: Path, beside: str, phase: Phase) -> None:
    trial, backup = begun(quick_path, beside=beside)
    before = trial.store.snapshot()
    restored(trial, backup)
    trial.ledger.set_phase(trial.id, phase, "somebody")
    for _ in range(2):
        steps: list[str] = []
        result = trial.run(steps.append)
        assert (result.state, result.code) == (LegState.BLOCKED, "ledger-restored")
        assert not [step for step in steps if step.startswith(WRITES)]
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(90))
    trial.approve("ledger-restored")
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert result.tally.new == 1
    assert (trial.store.snapshot() - before).total() == 1
    assert not before - trial.store.snapshot()
    assert trial.run().state is LegState.VERIFIED  # and nobody is asked again
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(91))
    assert trial.run().tally.new == 1


def test_flags_that_changed_since_are_put_right(quick_path: Path) -> None:
    trial, backup = begun(quick_path, beside="target")
    restored(trial, backup)
    last = list(next(iter(trial.mailbox.folders.values())).messages)[-1]
    trial.mailbox.mark(last, Marks(read=True, last_verb=102))
    assert trial.run().code == "ledger-restored"
    trial.approve("ledger-restored")
    assert trial.run().state is LegState.VERIFIED
    flags = [message.flags for message in trial.store.folders["INBOX",].messages.values()]
    assert sum("\\Answered" in some for some in flags) == 1
    assert len(flags) == 16


def test_a_worker_that_dies_finds_the_rest(quick_path: Path) -> None:
    (quick_path / "start").mkdir()
    start, backup = begun(quick_path / "start", beside="target")
    restored(start, backup)
    assert start.run().code == "ledger-restored"
    start.approve("ledger-restored")
    before = start.store.snapshot()
    for number in range(1, 30):
        trial = start.copy(quick_path / str(number))
        left = number

        def die() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Died

        quiet = trial.commits(die)
        died = False
        try:
            trial.run()
        except Died:
            died = True
        finally:
            quiet()
        result = trial.finish()
        if result.code == "ledger-restored":
            trial.approve("ledger-restored")
            result = trial.finish()
        assert (result.state, result.code) == (LegState.VERIFIED, None), number
        assert trial.store.snapshot() == before, number
        trial.discard()
        if not died:
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("make", [calendar_trial, drive_trial], ids=["calendar", "files"])
def test_events_and_files_are_there_once(quick_path: Path, make: Callable[[Path], Trial]) -> None:
    trial = make(quick_path)
    trial.generations = Generations(quick_path / "state")
    folders = [one for one in trial.mailbox.folders.values() if one.omit is None and one.messages]
    (late, *_), source = folders[-1].messages.values(), folders[-1].messages
    source.pop(late.id)
    assert trial.finish().state is LegState.VERIFIED
    backup = saved(trial)
    source[late.id] = replace(late, change=trial.mailbox.counted)
    trial.mailbox.touch(late.id)
    assert trial.finish().state is LegState.VERIFIED
    before = trial.store.snapshot()
    restored(trial, backup)
    assert trial.run().code == "ledger-restored"
    trial.approve("ledger-restored")
    assert trial.finish().state is LegState.VERIFIED
    assert trial.store.snapshot() == before


def test_another_mailbox_s_mark_says_nothing(quick_path: Path) -> None:
    trial, _ = begun(quick_path, beside="target")
    trial.store.mark = "m-somebody 900"
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(90))
    assert trial.run().state is LegState.VERIFIED


@pytest.mark.parametrize("number", ["9" * 10, "9" * 30, "1" * 5000])
@pytest.mark.parametrize("beside", ["target", "state"])
def test_a_number_that_no_ledger_reaches_says_nothing(quick_path: Path, beside: str, number: str) -> None:
    """A user may write it into the account: no approval would bring the mailbox on."""
    trial, _ = begun(quick_path, beside=beside)
    trial.store.mark = f"{trial.id} {number} live"
    for file in (quick_path / "state").rglob("*.mail"):
        file.write_text(f"{number} live\n")
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(90))
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert result.tally.new == 1


@pytest.mark.parametrize("reached", [Phase.FROZEN, Phase.LIVE])
@pytest.mark.parametrize("beside", ["target", "state"])
def test_a_mailbox_is_not_mirrored_in_a_phase_that_it_left(
    quick_path: Path, beside: str, reached: Phase
) -> None:
    """A ledger from before a cutover says "staging" of a mailbox whose user works there."""
    trial, backup = begun(quick_path, beside=beside)
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    trial.ledger.set_phase(trial.id, reached, "somebody")
    assert trial.run().state is LegState.VERIFIED
    folder = trial.store.folders["INBOX",]
    folder.messages[min(folder.messages)].flags ^= {"\\Flagged"}
    trial.mailbox.delete(next(iter(next(iter(trial.mailbox.folders.values())).messages)))
    before = trial.store.snapshot()
    restored(trial, backup)
    for code in ("ledger-restored", "phase-behind", "phase-behind"):
        result = trial.run()
        assert (result.state, result.code) == (LegState.BLOCKED, code)
        assert trial.store.snapshot() == before
        trial.approve("ledger-restored")
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    assert trial.finish().state is LegState.VERIFIED
    assert trial.store.snapshot() == before


def test_a_mailbox_that_went_back_to_staging_is_mirrored(quick_path: Path) -> None:
    """Its number is no higher than the ledger's: the phase of an earlier pass says nothing."""
    trial, _ = begun(quick_path, beside="target")
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.STAGING, "somebody")
    assert trial.run().state is LegState.VERIFIED


def first_pass_lost(directory: Path) -> Trial:
    """A mailbox of 6 whose ledger was restored from before its first pass."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(6):
        mailbox.deliver(where, letter(number))
    trial = Trial(directory, mailbox, MemoryStore(has_labels=True))
    backup = saved(trial)
    assert trial.run().state is LegState.VERIFIED
    restored(trial, backup)
    return trial


def test_a_ledger_from_before_the_first_pass_is_asked_about_as_such(quick_path: Path) -> None:
    """And what the source deleted since is named, as strange in a mailbox that is staged."""
    trial = first_pass_lost(quick_path)
    trial.mailbox.delete(next(iter(next(iter(trial.mailbox.folders.values())).messages)))
    before = trial.store.snapshot()
    for _ in range(2):
        steps: list[str] = []
        result = trial.run(steps.append)
        assert (result.state, result.code) == (LegState.BLOCKED, "ledger-restored")
        assert not [step for step in steps if step.startswith(WRITES)]
    trial.approve("ledger-restored")
    result = trial.finish()
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")
    assert trial.store.snapshot() == before
    assert trial.findings() == [("-", "unknown")]


def test_a_worker_that_dies_while_it_finds_a_first_pass_asks_again(quick_path: Path) -> None:
    (quick_path / "start").mkdir()
    start = first_pass_lost(quick_path / "start")
    assert start.run().code == "ledger-restored"
    start.approve("ledger-restored")
    before = start.store.snapshot()
    for number in range(1, 12):
        trial = start.copy(quick_path / str(number))
        quiet = trial.commits(dying_at("commit", number))
        with suppress(Died):
            trial.run()
        quiet()
        result = trial.finish()
        if result.code == "ledger-restored":
            trial.approve("ledger-restored")
            result = trial.finish()
        assert (result.state, result.code) == (LegState.VERIFIED, None), number
        assert trial.store.snapshot() == before, number
        trial.discard()


def test_a_mark_excuses_no_strangers(quick_path: Path) -> None:
    """Where most of the account is somebody's, its mark may be a trace of two logins of one account."""
    trial = first_pass_lost(quick_path)
    folder = trial.store.folders["INBOX",]
    for number in list(folder.messages)[1:]:
        folder.messages[number].raw = b"Subject: of somebody\r\n\r\nelse\r\n"
    before = trial.store.snapshot()
    assert trial.run().code == "ledger-restored"
    trial.approve("ledger-restored")
    for _ in range(2):
        assert trial.run().code == "target-not-empty"
        assert trial.store.snapshot() == before


def test_an_approval_is_for_this_backup_alone(quick_path: Path) -> None:
    """One of the whole wave covers mailboxes that were never asked about, until their next pass."""
    trial, backup = begun(quick_path, beside="target")
    restored(trial, backup)
    trial.ledger.approve("wave:w", "ledger-restored", "somebody", "looked at it")
    assert trial.run().state is LegState.VERIFIED
    shutil.rmtree(backup)
    trial.ledger.approve("wave:w", "ledger-restored", "somebody", "for others of the wave")
    assert trial.run().state is LegState.VERIFIED
    backup = saved(trial)
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(92))
    assert trial.run().state is LegState.VERIFIED
    restored(trial, backup)
    assert trial.run().code == "ledger-restored"


def test_an_approval_that_a_later_backup_holds_is_not_for_it(quick_path: Path) -> None:
    """The backup was made when it was given, and not spent yet."""
    trial, backup = begun(quick_path, beside="target")
    restored(trial, backup)
    assert trial.run().code == "ledger-restored"
    trial.approve("ledger-restored")
    shutil.rmtree(backup)
    backup = saved(trial)
    assert trial.run().state is LegState.VERIFIED
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(92))
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    for _ in range(2):
        restored(trial, backup)
        for _ in range(2):
            assert trial.run().code == "ledger-restored"
        trial.approve("ledger-restored")
        assert trial.run().state is LegState.VERIFIED
        assert trial.store.snapshot() == before


def test_one_approval_is_spent_by_each_workload_for_itself(quick_path: Path) -> None:
    trial, backup = begun(quick_path, beside="target")
    restored(trial, backup)
    assert trial.run().code == "ledger-restored"
    trial.approve("ledger-restored")
    mailbox = trial.ledger.mailbox(trial.id)
    assert trial.run().state is LegState.VERIFIED
    assert not approvals(trial.ledger, mailbox, Kind.MAIL)("ledger-restored")
    assert approvals(trial.ledger, mailbox, Kind.CALENDAR)("ledger-restored")
    assert not approvals(trial.ledger, mailbox, Kind.CALENDAR)("source-shrunk")


def test_what_is_adopted_counts_as_no_rewrite(quick_path: Path) -> None:
    trial, backup = begun(quick_path, beside="state")
    restored(trial, backup)
    trial.run()
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(90))
    trial.approve("ledger-restored")
    with pytest.raises(Died):
        trial.run(dying_at("target.write"))
    assert "copies-adopted" in [one.kind for one in trial.ledger.events("w")]
    with reading(trial.ledger.engine) as connection:
        assert connection.execute(select(func.count()).select_from(incident)).scalar_one() == 0


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_dry_run_asks_as_a_pass_does(quick_path: Path, first: bool) -> None:
    if first:
        trial = first_pass_lost(quick_path)
    else:
        trial, backup = begun(quick_path, beside="state")
        restored(trial, backup)
    before, look = len(trial.ledger.events("w")), Task(dry=True)
    result = trial.run(task=look)
    assert (result.state, result.code) == (LegState.BLOCKED, "ledger-restored")
    assert len(trial.ledger.events("w")) == before, "it records nothing"
    assert trial.run().code == "ledger-restored"
    trial.approve("ledger-restored")
    assert trial.run(task=look).code == "dry-run"
    assert trial.finish().state is LegState.VERIFIED, "the approval was not spent by who looked"
