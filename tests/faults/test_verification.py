"""What somebody does to the target in staging: `verify` alone names it, `migrate` repairs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from calendars import a_calendar
from drives import a_drive
from memory.doubles import MemoryCabinet, MemoryMailbox, MemoryShelf, MemoryStore
from walking import Died, Trial, a_mailbox, letter

from engine.context.leg_context import LegContext
from engine.control.remedies import advice
from engine.leg.run import Task
from engine.verify import source as verify_source
from engine.verify import target as verify_target
from engine.verify.compare import Level
from engine.verify.survey import Asked, Survey
from ledger.db.rows import ContainerRow, Finding, LegState, Outcome, Phase, State
from model.errors import Transient

INBOX = ("INBOX",)
BUSY = Transient("busy")
WRITES = {f"target.{verb}" for verb in ("write", "append", "amend", "remove", "ensure", "rename", "label")}


def first(store: MemoryStore) -> int:
    return min(store.folders[INBOX].messages)


def delete(store: MemoryStore) -> None:
    store.folders[INBOX].messages.pop(first(store))


def alter(store: MemoryStore) -> None:
    uid = first(store)
    store.alter(INBOX, uid, store.folders[INBOX].messages[uid].raw + b"something of a broken disk\r\n")


def duplicate(store: MemoryStore) -> None:
    store.duplicate(INBOX, first(store))


def move(store: MemoryStore) -> None:
    store.move(INBOX, first(store), ("Entwürfe",))


def reflag(store: MemoryStore) -> None:
    store.folders[INBOX].messages[first(store)].flags ^= {"\\Answered"}


def redate(store: MemoryStore) -> None:
    store.folders[INBOX].messages[first(store)].date = datetime(2001, 1, 1, tzinfo=UTC)


def add(store: MemoryStore) -> None:
    store.append(INBOX, letter(600), frozenset(), None)


def remove_folder(store: MemoryStore) -> None:
    del store.folders["Entwürfe",]


Meddle = Callable[[MemoryStore], None]
FOUND = [
    (delete, [("+", "")]),
    (alter, [("*", "body")]),
    (duplicate, [("-", "duplicate")]),
    (move, [("*", "folder")]),
    (reflag, [("*", "flags")]),
    (redate, [("*", "date")]),
    (add, [("-", "unknown")]),
    (remove_folder, [("+", "")]),
]


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = Trial(quick_path, a_mailbox(4), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    return trial


@pytest.mark.parametrize(("meddle", "findings"), FOUND, ids=[meddle.__name__ for meddle, _ in FOUND])
def test_verify_alone_names_it_and_touches_nothing(
    trial: Trial, meddle: Meddle, findings: list[tuple[str, str]]
) -> None:
    meddle(trial.store)
    before, steps = trial.store.snapshot(), list[str]()
    result = trial.run(steps.append, Task(Level.TARGET, copy=False))
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")
    assert trial.findings() == findings
    assert trial.store.snapshot() == before
    assert not WRITES & set(steps)


@pytest.mark.parametrize(
    ("content", "store"),
    [(a_mailbox, MemoryStore), (a_calendar, MemoryShelf), (a_drive, MemoryCabinet)],
    ids=["mail", "calendar", "files"],
)
def test_what_was_being_written_when_a_worker_died_is_unchecked_and_not_too_much(
    quick_path: Path,
    content: Callable[[], MemoryMailbox],
    store: Callable[[], MemoryStore | MemoryShelf | MemoryCabinet],
) -> None:
    def die(name: str) -> None:
        if name == "target.write done":
            raise Died

    trial = Trial(quick_path, content(), store())
    with pytest.raises(Died):
        trial.run(die)
    before = trial.store.snapshot()
    assert trial.states()[State.WRITING] > 0
    result = trial.run(task=Task(Level.TARGET, copy=False))
    assert (result.state, result.code) == (LegState.COPIED, "unsettled")
    assert "kogge migrate" in advice("unsettled")
    assert not [found for found in trial.findings() if found[0] in "-+*!"]
    assert trial.store.snapshot() == before
    assert trial.run().state is LegState.VERIFIED


@pytest.mark.parametrize(
    "meddle", [delete, alter, duplicate, reflag, redate, remove_folder], ids=lambda one: one.__name__
)
def test_migrate_repairs_it(trial: Trial, meddle: Meddle) -> None:
    wanted = trial.store.snapshot()
    meddle(trial.store)
    if meddle is alter:  # a pass reads back what is new; `verify` reads everything
        trial.run(task=Task(Level.TARGET, copy=False))
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot() == wanted
    assert trial.findings() == []


def test_another_mail_under_our_number_stays_beside_a_new_copy(trial: Trial) -> None:
    """A server that was restored gives numbers of ours to other mail."""
    wanted = Counter(trial.store.snapshot())
    trial.store.alter(INBOX, first(trial.store), letter(600))
    altered = Counter(trial.store.snapshot()) - wanted
    trial.run(task=Task(Level.TARGET, copy=False))  # a pass reads back what is new; `verify` reads everything
    result = trial.run()
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")
    assert Counter(trial.store.snapshot()) == wanted + altered
    assert trial.findings() == [("-", "unknown")]


def test_what_somebody_put_there_stays_and_is_named(trial: Trial) -> None:
    add(trial.store)
    before = trial.store.snapshot()
    assert trial.run().state is LegState.DIFFERS
    assert trial.store.snapshot() == before


def test_what_somebody_moved_says_that_they_work_there(trial: Trial) -> None:
    """A ledger from before `live` would call such an account staging: a person looks first."""
    move(trial.store)
    before = trial.store.snapshot()
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "target-in-use")
    assert trial.store.snapshot() == before


SEEN_BY = {
    Level.COUNTS: {delete, duplicate, move, reflag, redate, add, remove_folder},
    Level.TARGET: {meddle for meddle, _ in FOUND},
    Level.BOTH: {meddle for meddle, _ in FOUND},
}


@pytest.mark.parametrize("meddle", [meddle for meddle, _ in FOUND], ids=lambda one: one.__name__)
@pytest.mark.parametrize("level", SEEN_BY)
def test_each_level_sees_what_it_says(trial: Trial, level: Level, meddle: Meddle) -> None:
    meddle(trial.store)
    result = trial.run(task=Task(level, copy=False))
    assert (result.state is LegState.DIFFERS) == (meddle in SEEN_BY[level])


def test_levels_that_read_less_say_so(trial: Trial) -> None:
    for level, reads in ((Level.COUNTS, False), (Level.SAMPLE, True), (Level.TARGET, True)):
        steps: list[str] = []
        result = trial.run(steps.append, Task(level, 60.0, copy=False))
        thorough = level is Level.TARGET
        assert (result.state, result.code) == (
            LegState.VERIFIED,
            None if thorough else f"verified-by-{level}",
        )
        assert ("target.read" in steps) is reads


def test_both_reads_the_source_as_well(trial: Trial) -> None:
    """Exchange rebuilds MIME: other boundaries are no difference, other words are."""
    folder, message = next(iter(trial.mailbox.messages()))
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    altered = message.raw.replace(b"Subject: ", b"Subject: other ")
    folder.messages[message.id] = type(message)(message.id, message.change, altered, message.marks)
    assert trial.run(task=Task(Level.TARGET, copy=False)).state is LegState.VERIFIED
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.DIFFERS
    assert trial.findings() == [("*", "differs-at-source")]


@pytest.mark.parametrize("level", [Level.COUNTS, Level.SAMPLE, Level.TARGET])
def test_a_weaker_look_takes_nothing_away_that_a_stronger_one_found(trial: Trial, level: Level) -> None:
    """What was found at either side stays until that side is as it should be."""
    assert isinstance(trial.store, MemoryStore)
    folder, message = next(iter(trial.mailbox.messages()))
    altered = message.raw.replace(b"Subject: ", b"Subject: other ")
    folder.messages[message.id] = type(message)(message.id, message.change, altered, message.marks)
    number = first(trial.store)
    raw = trial.store.folders[INBOX].messages[number].raw
    trial.store.alter(INBOX, number, raw.replace(b"Subject: ", b"Subject: wrong "))
    both, weaker = Task(Level.BOTH, copy=False), Task(level, sample_percent=0.0, copy=False)
    assert trial.run(task=both).state is LegState.DIFFERS
    found = sorted(trial.findings())
    assert len(found) == 2
    for _ in range(2):
        assert trial.run(task=weaker).state is LegState.DIFFERS
        assert sorted(trial.findings()) == found
    folder.messages[message.id] = message
    trial.store.alter(INBOX, number, raw)
    assert trial.run(task=weaker).state is LegState.VERIFIED
    assert trial.findings() == []


def test_a_live_mailbox_does_not_miss_what_its_source_deletes(trial: Trial) -> None:
    folder, message = next(iter(trial.mailbox.messages()))
    altered = message.raw.replace(b"Subject: ", b"Subject: other ")
    folder.messages[message.id] = type(message)(message.id, message.change, altered, message.marks)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    trial.run(task=Task(Level.BOTH, copy=False))
    assert trial.findings() == [("*", "differs-at-source")]
    trial.mailbox.delete(message.id)
    for level in (Level.TARGET, Level.BOTH):
        assert trial.run(task=Task(level, copy=False)).state is LegState.VERIFIED
        assert trial.findings() == []


def test_what_was_rebuilt_hides_nothing_that_was_not_read(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exchange rendered one item in other bytes, and of another one the target's copy was never read."""
    listed = trial.store.snapshot()
    survey, reread = verify_target.survey, verify_source.reread
    unread: set[bytes] = set()

    def skipping(leg: LegContext, asked: Asked, **options: Any) -> Survey:
        found = survey(leg, asked, **options)
        number, keys = max(found.read.items(), key=lambda one: len(one[1]))
        unread.add(keys.pop())
        leg.ledger.doubted(number, unread)
        return found

    def rebuilding(leg: LegContext, box: ContainerRow) -> verify_source.Reading:
        others = [row for row in leg.ledger.rows(box.id) if row.key not in unread][:1]
        rebuilt = [Finding(Outcome.REBUILT, row.key, row.href, "") for row in others]
        return verify_source.Reading([*reread(leg, box).findings, *rebuilt], {})

    monkeypatch.setattr(verify_target, "survey", skipping)
    monkeypatch.setattr(verify_source, "reread", rebuilding)
    result = trial.run(task=Task(Level.BOTH, copy=False))
    assert (result.state, result.code) == (LegState.COPIED, "changed-since")
    assert {outcome for outcome, _ in trial.findings()} == {"~"}
    monkeypatch.undo()
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    assert trial.store.snapshot() == listed


def test_a_source_that_moved_on_is_unchecked_never_a_success(trial: Trial) -> None:
    folder, message = next(iter(trial.mailbox.messages()))
    trial.mailbox.touch(message.id)
    trial.mailbox.deliver(folder.id, letter(700))
    result = trial.run(task=Task(Level.TARGET, copy=False))
    assert (result.state, result.code) == (LegState.COPIED, "changed-since")
    assert sorted(trial.findings()) == [("?", "changed"), ("?", "new")]


def test_a_repair_interrupted_is_not_done_twice(trial: Trial) -> None:
    """A second walk over the same findings would write every missing item again."""
    wanted = trial.store.snapshot()
    trial.store.folders[INBOX].messages.clear()
    trial.run(task=Task(Level.TARGET, copy=False))
    faults = 3

    def step(name: str) -> None:
        nonlocal faults
        if name == "target.label" and faults:
            faults -= 1
            raise BUSY

    assert trial.run(step).state is LegState.VERIFIED
    assert trial.store.snapshot() == wanted
    assert trial.store.folders[INBOX].uidnext - 1 == 2 * len(trial.store.folders[INBOX].messages)


def test_a_finding_about_what_the_source_removed_meanwhile(trial: Trial) -> None:
    reflag(trial.store)
    redate(trial.store)
    trial.run(task=Task(Level.TARGET, copy=False))
    inbox = next(folder for folder in trial.mailbox.folders.values() if folder.path == ("Posteingang",))
    trial.mailbox.delete_folder(inbox.id)
    assert trial.run().code == "source-shrunk"
    trial.approve("source-shrunk")
    assert trial.run().state is LegState.VERIFIED
    assert not trial.store.folders[INBOX].messages
