"""A ledger from before a mailbox moved on is noticed, though no pass came after the move."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from backups import restored, saved
from calendars import calendar_trial
from cutting import Rig
from memory.doubles import MemoryMailbox, MemoryStore
from test_older_ledger import WRITES
from undoing import repaired
from walking import SOURCE, TARGET, Died, Trial, dying_at, letter

from engine.leg.repair_walk import What
from engine.leg.run import Task
from engine.steps.beginning.ledger_generation import Generations
from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from model.kinds import Kind
from model.protocols import Role

PLACES = pytest.mark.parametrize("beside", ["target", "state"])


def frozen(directory: Path, *, beside: str) -> tuple[Trial, Path]:
    """A mailbox whose last frozen pass has ended, and a backup of its ledger from then. beside: where its
    marks are kept."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(6):
        mailbox.deliver(where, letter(number))
    trial = Trial(directory, mailbox, MemoryStore(has_labels=beside == "target"))
    trial.generations = Generations(directory / "state") if beside == "state" else None
    assert trial.run().state is LegState.VERIFIED
    move(trial, Phase.FROZEN)
    assert trial.run().state is LegState.VERIFIED
    return trial, saved(trial)


def move(trial: Trial, phase: Phase) -> None:
    """As a command does it."""
    trial.ledger.set_phase(trial.id, phase, "somebody")
    trial.leave_move()


def used(trial: Trial) -> None:
    """The user works at the target, and the source still changes."""
    folder = trial.store.folders["INBOX",]
    folder.messages[min(folder.messages)].flags ^= {"\\Flagged", "\\Seen"}
    trial.store.append(("INBOX",), b"Subject: of the user\r\n\r\nnew\r\n", frozenset(), None)
    for one in list(next(iter(trial.mailbox.folders.values())).messages)[1:3]:
        trial.mailbox.delete(one)


def refused(trial: Trial, code: str = "phase-behind") -> None:
    before = trial.store.snapshot()
    steps: list[str] = []
    result = trial.run(steps.append)
    assert (result.state, result.code) == (LegState.BLOCKED, code)
    assert not [step for step in steps if step.startswith(WRITES)]
    assert trial.store.snapshot() == before
    trial.ledger.requeue()


@PLACES
def test_what_a_live_user_did_is_not_mirrored_over(quick_path: Path, beside: str) -> None:
    trial, backup = frozen(quick_path, beside=beside)
    move(trial, Phase.LIVE)
    used(trial)
    before = trial.store.snapshot()
    restored(trial, backup)
    refused(trial)
    trial.approve("ledger-restored")
    refused(trial)
    move(trial, Phase.LIVE)
    assert trial.finish().state is LegState.VERIFIED
    assert trial.store.snapshot() == before


@PLACES
def test_a_person_who_says_an_earlier_phase_after_that_is_believed(quick_path: Path, beside: str) -> None:
    """All of it may have been taken back since."""
    trial, backup = frozen(quick_path, beside=beside)
    move(trial, Phase.LIVE)
    restored(trial, backup)
    move(trial, Phase.FROZEN)
    refused(trial)  # nobody had told that person
    move(trial, Phase.FROZEN)
    assert trial.run().state is LegState.VERIFIED
    move(trial, Phase.STAGING)
    assert trial.run().state is LegState.VERIFIED


@PLACES
def test_a_move_in_a_restored_ledger_does_not_cover_the_lost_ones(quick_path: Path, beside: str) -> None:
    """It has as many moves then as were lost, and others."""
    trial, backup = frozen(quick_path, beside=beside)
    move(trial, Phase.LIVE)
    restored(trial, backup)
    move(trial, Phase.STAGING)
    move(trial, Phase.FROZEN)
    refused(trial)


@PLACES
def test_a_cutover_leaves_the_move_to_live(quick_path: Path, beside: str) -> None:
    trial, backup = frozen(quick_path, beside=beside)
    assert Rig(trial).cut().phase is Phase.LIVE
    used(trial)
    restored(trial, backup)
    # The cutover's own pass came after the backup; the phase of it is not what is told.
    refused(trial, "ledger-restored")
    trial.approve("ledger-restored")
    refused(trial)


@PLACES
def test_a_backup_between_the_last_pass_of_a_cutover_and_live(quick_path: Path, beside: str) -> None:
    trial, backup = frozen(quick_path, beside=beside)
    rig = Rig(trial)
    rig.fails = {"open": ["exit-1"]}
    assert rig.cut().code == "hook-failed"
    for file in backup.iterdir():
        file.unlink()
    backup.rmdir()
    left = saved(trial)
    assert rig.cut().phase is Phase.LIVE
    used(trial)
    restored(trial, left)
    assert trial.run().code == "releasing"
    with trial.ledger.engine.begin() as connection:  # a backup from just before the release
        connection.exec_driver_sql("DELETE FROM step WHERE name = 'release'")
    refused(trial)
    before = trial.store.snapshot()
    assert rig.cut().code == "phase-behind"
    assert trial.store.snapshot() == before


@PLACES
def test_a_mailbox_that_was_recalled_goes_on(quick_path: Path, beside: str) -> None:
    trial, _ = frozen(quick_path, beside=beside)
    rig = Rig(trial)
    rig.fails = {"open": ["exit-1"]}
    assert rig.cut().code == "hook-failed"
    with trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM step WHERE name LIKE 'release%'")
    assert rig.cut(back=True).phase is Phase.STAGING
    assert trial.run().state is LegState.VERIFIED


@PLACES
@pytest.mark.parametrize("back", [Phase.STAGING, Phase.FROZEN])
def test_an_old_mark_stops_no_deliberate_move_back(quick_path: Path, beside: str, back: Phase) -> None:
    """The mark of a later phase is still there: the process died before it could leave the newer one."""
    trial, _ = frozen(quick_path, beside=beside)
    move(trial, Phase.LIVE)
    with trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE leg SET state = 'blocked', code = 'rolled-back'")
    trial.ledger.set_phase(trial.id, back, "somebody")
    trial.ledger.requeue()
    assert trial.run().state is LegState.VERIFIED


@PLACES
def test_a_worker_that_dies_before_it_leaves_the_move_does_no_harm(quick_path: Path, beside: str) -> None:
    trial, _ = frozen(quick_path, beside=beside)
    for phase in (Phase.STAGING, Phase.FROZEN, Phase.STAGING):
        trial.ledger.set_phase(trial.id, phase, "somebody")  # and it dies
        assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    with pytest.raises(Died):
        trial.run(dying_at("target.keep-mark" if beside == "target" else "target.containers"))
    assert trial.finish().state is LegState.VERIFIED


@PLACES
def test_a_pass_that_writes_nothing_brings_the_marks_up_to_date(quick_path: Path, beside: str) -> None:
    trial, backup = frozen(quick_path, beside=beside)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")  # on a machine that keeps no marks
    assert trial.run().tally.new == 0
    used(trial)
    restored(trial, backup)
    refused(trial, "ledger-restored")
    trial.approve("ledger-restored")
    refused(trial)


def test_a_mark_of_an_older_version_is_read(quick_path: Path) -> None:
    trial, _ = frozen(quick_path, beside="target")
    trial.store.mark = f"{trial.id} 2 live"
    assert trial.run().state is LegState.VERIFIED, "the ledger has that pass"
    trial.store.mark = f"{trial.id} 90 live"
    refused(trial, "ledger-restored")
    trial.approve("ledger-restored")
    refused(trial)


NO_MOVES = (
    "9 live",
    "9 live 0123",
    "9 live 0123456789ABCDEF",
    "9 lively 0123456789abcdef",
    "x live 0123456789abcdef",
    "9999999999 live 0123456789abcdef",
    "9 live 0123456789abcdef more",
    "  ",
)


@pytest.mark.parametrize("words", NO_MOVES)
def test_what_is_no_mark_says_nothing(quick_path: Path, words: str) -> None:
    trial, _ = frozen(quick_path, beside="target")
    trial.store.mark = f"{trial.id} 2 frozen {words}"
    assert trial.run().state is LegState.VERIFIED


def test_a_forged_mark_stops_this_mailbox_until_a_person_sets_the_phase(quick_path: Path) -> None:
    trial, _ = frozen(quick_path, beside="target")
    trial.store.mark = f"{trial.id} 1 frozen 999999999 live 0123456789abcdef"
    refused(trial)
    move(trial, Phase.FROZEN)
    assert trial.run().state is LegState.VERIFIED


def test_a_target_gets_no_mark_in_place_of_another_mailbox_s(quick_path: Path) -> None:
    trial, _ = frozen(quick_path, beside="target")
    trial.store.mark = "m-somebody 4 frozen"
    move(trial, Phase.LIVE)
    assert trial.store.mark == "m-somebody 4 frozen"


def test_no_move_is_left_in_place_of_one_that_the_ledger_lost(quick_path: Path) -> None:
    """It is all that tells, where the target keeps nothing."""
    trial, backup = frozen(quick_path, beside="state")
    move(trial, Phase.LIVE)
    (file,) = (quick_path / "state").rglob("*.phase")
    lost = file.read_text()
    restored(trial, backup)
    move(trial, Phase.STAGING)
    assert file.read_text() == lost
    refused(trial)
    move(trial, Phase.STAGING)
    assert file.read_text() != lost
    assert trial.run().state is LegState.VERIFIED


def test_a_move_is_left_by_many_workers_at_once(quick_path: Path) -> None:
    trial, _ = frozen(quick_path, beside="state")
    generations = trial.generations
    assert generations is not None
    one = generations.read_move(trial.id)
    assert one is not None
    with ThreadPoolExecutor(4) as pool:
        moves = [one._replace(number=number) for number in range(200)]
        list(pool.map(lambda move: generations.write_move(trial.id, move), moves))
    assert generations.read_move(trial.id) in moves
    assert [file.suffix for file in (quick_path / "state").rglob("*phase*")] == [".phase"]


def test_every_workload_is_asked_and_one_answer_is_enough(quick_path: Path) -> None:
    """Of the calendar, the target keeps no mark; the state directory has one for the mailbox."""
    mail = Trial(quick_path, MemoryMailbox(addresses=frozenset({SOURCE})), MemoryStore(has_labels=True))
    mail.mailbox.deliver(mail.mailbox.create_folder(("Inbox",), Role.INBOX), letter(1))
    calendar = calendar_trial(quick_path)
    both = frozenset({Kind.MAIL, Kind.CALENDAR})
    mail.ledger.add_mailboxes([PlannedMailbox(SOURCE, TARGET, "w", Phase.STAGING, both)])
    mail.generations = calendar.generations = Generations(quick_path / "state")

    def run(code: str | None) -> None:
        for trial in (mail, calendar):
            trial.ledger = mail.ledger
            assert trial.run().code == code, trial.kind
        mail.ledger.requeue()

    run(None)
    move(mail, Phase.FROZEN)
    run(None)
    backup = saved(mail)
    move(mail, Phase.LIVE)
    restored(mail, backup)
    run("phase-behind")
    move(mail, Phase.FROZEN)
    run(None)


def test_a_repair_sets_back_no_flag_of_a_live_user(quick_path: Path) -> None:
    trial, backup = frozen(quick_path, beside="target")
    move(trial, Phase.LIVE)
    used(trial)
    before = trial.store.snapshot()
    restored(trial, backup)
    assert repaired(trial, What.FLAGS).code == "phase-behind"
    assert trial.store.snapshot() == before
    move(trial, Phase.LIVE)
    assert repaired(trial, What.FLAGS).code is None
    assert trial.store.snapshot() == before


@PLACES
def test_a_dry_run_finds_a_lost_move_as_a_pass_does(quick_path: Path, beside: str) -> None:
    trial, backup = frozen(quick_path, beside=beside)
    move(trial, Phase.LIVE)
    restored(trial, backup)
    events = len(trial.ledger.events("w"))
    result = trial.run(task=Task(dry=True))
    assert (result.state, result.code) == (LegState.BLOCKED, "phase-behind")
    assert len(trial.ledger.events("w")) == events
