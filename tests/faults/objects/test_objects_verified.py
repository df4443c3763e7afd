"""Verification of objects that are replaced in place: what is amiss is named field by field and repaired
where it is; what could not be brought up to date is no stranger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from calendars import HOME, calendar_trial, cards_trial, edit_calendar, folder
from memory.doubles import Marks, MemoryShelf
from memory.records import APPOINTMENT, broken, event
from walking import Died, Trial, verified

from engine.leg.run import Task
from engine.steps.settling.accepted_differences import REWRITES_MOST
from engine.steps.settling.worker_deaths import BEFORE_REJECTED
from engine.verify.compare import Level
from ledger.db.rows import KEPT, LegState, State
from model.protocols import key_of

DEFAULT = "/dav/default/"
WRITES = {"target.write", "target.remove", "target.ensure", "target.rename"}
LOOK = Task(Level.TARGET, copy=False)
Meddle = Callable[[MemoryShelf], None]


def name_of(shelf: MemoryShelf, words: bytes) -> str:
    return next(name for name, one in shelf.collections[DEFAULT].objects.items() if words in one.raw)


def alter(shelf: MemoryShelf, words: bytes, old: bytes, new: bytes) -> None:
    shelf.alter(DEFAULT, name_of(shelf, words), old, new)


def retitle(shelf: MemoryShelf) -> None:
    alter(shelf, b"SUMMARY:Termin 1", b"SUMMARY:Termin 1", b"SUMMARY:Verschoben")


def shift(shelf: MemoryShelf) -> None:
    alter(shelf, b"SUMMARY:Termin 1", b"DTSTART:20260302T09", b"DTSTART:20260302T08")


def uninvite(shelf: MemoryShelf) -> None:
    alter(shelf, b"UID:series", b"mailto:bert@old.example", b"mailto:bernd@old.example")


def spoil(shelf: MemoryShelf) -> None:
    shelf.place(DEFAULT, name_of(shelf, b"SUMMARY:Termin 1"), b"BEGIN:VCALENDAR\r\n")


def drop(shelf: MemoryShelf) -> None:
    del shelf.collections[DEFAULT].objects[name_of(shelf, b"SUMMARY:Termin 1")]


def drop_all(shelf: MemoryShelf) -> None:
    del shelf.collections[DEFAULT]


def annotate(shelf: MemoryShelf) -> None:
    """A server's own note changes bytes and ETag, and means nothing."""
    for href, name, one in list(shelf.objects()):
        shelf.place(href, name, one.raw.replace(b"\r\nUID:", b"\r\nX-SEEN-BY:me\r\nUID:"))


FOUND: list[tuple[Meddle, list[tuple[str, str]]]] = [
    (retitle, [("*", "title")]),
    (shift, [("*", "start+duration+occurrences")]),
    (uninvite, [("*", "attendees+answers")]),
    (spoil, [("*", "body")]),
    (drop, [("+", "")]),
    (annotate, []),
]


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = calendar_trial(quick_path)
    verified(trial)
    return trial


def item(trial: Trial, words: bytes) -> str:
    return next(message.id for _, message in trial.mailbox.messages() if words in message.raw)


@pytest.mark.parametrize(("meddle", "findings"), FOUND, ids=[meddle.__name__ for meddle, _ in FOUND])
def test_verify_alone_names_the_field_and_touches_nothing(
    trial: Trial, meddle: Meddle, findings: list[tuple[str, str]]
) -> None:
    meddle(trial.store)
    before, steps = list(trial.store.objects()), list[str]()
    result = trial.run(steps.append, LOOK)
    assert trial.findings() == findings
    assert result.state is (LegState.DIFFERS if findings else LegState.VERIFIED)
    assert list(trial.store.objects()) == before
    assert not WRITES & set(steps)


@pytest.mark.parametrize("meddle", [retitle, uninvite, spoil, drop, drop_all], ids=lambda one: one.__name__)
def test_migrate_repairs_it_where_it_is(trial: Trial, meddle: Meddle) -> None:
    wanted, names = trial.store.snapshot(), {name for _, name, _ in trial.store.objects()}
    meddle(trial.store)
    trial.run(task=LOOK)
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED, trial.findings()
    assert trial.store.snapshot() == wanted
    assert {name for _, name, _ in trial.store.objects()} == names
    assert "target.remove" not in steps


class Spoiler:
    """A target that changes one event at each write."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.spoils = True
        self.writes = 0

    def __call__(self, name: str) -> None:
        written = name == "target.write done" and b"SUMMARY:Termin 1\r" in self._raw()
        self.writes += written
        if written and self.spoils:
            retitle(self.trial.store)

    def _raw(self) -> bytes:
        return b"".join(one.raw for _, _, one in self.trial.store.objects())


def test_what_the_target_changes_at_each_write_is_left_to_a_person(quick_path: Path) -> None:
    """It is made anew twice, then it stays and is named. Nobody died of it, so nothing is rejected."""
    trial = calendar_trial(quick_path)
    spoiler = Spoiler(trial)
    for _ in range(4):
        result = trial.run(spoiler)
        assert (result.state, result.code) == (LegState.DIFFERS, KEPT)
        assert trial.findings() == [("*", f"{KEPT}:title")]
    assert spoiler.writes == 1 + REWRITES_MOST
    assert "kills-worker" not in [item.code for _, _, item in trial.ledger.rejected()]
    spoiler.spoils = False
    trial.run(spoiler)
    assert spoiler.writes == 1 + REWRITES_MOST
    trial.ledger.requeue(states=frozenset(LegState))
    assert trial.run(spoiler).state is LegState.VERIFIED
    assert spoiler.writes == 2 + REWRITES_MOST


def test_what_was_found_right_may_be_made_anew_as_often_again(trial: Trial) -> None:
    for _ in range(REWRITES_MOST + 2):
        retitle(trial.store)
        trial.run(task=LOOK)
        verified(trial)


def test_a_card_too(quick_path: Path) -> None:
    trial = cards_trial(quick_path)
    verified(trial)
    href, name, _ = next(one for one in trial.store.objects() if b"FN:Person 1" in one[2].raw)
    trial.store.alter(href, name, b"+49 431 1", b"+49 431 9")
    assert trial.run(task=LOOK).state is LegState.DIFFERS
    assert trial.findings() == [("*", "phones")]


def test_a_stranger_in_a_calendar_stays_and_is_named(trial: Trial) -> None:
    raw = next(one.raw for _, _, one in trial.store.objects() if b"UID:uid-1" in one.raw)
    trial.store.place(DEFAULT, "mine.ics", raw.replace(b"uid-1", b"mine"))
    assert trial.run().state is LegState.DIFFERS
    assert trial.findings() == [("-", "unknown")]
    assert "mine.ics" in trial.store.collections[DEFAULT].objects


def test_what_somebody_renamed_has_arrived_and_is_not_ours_any_more(trial: Trial) -> None:
    """A UID is taken once: it cannot be written beside it."""
    wanted = trial.store.snapshot()
    objects = trial.store.collections[DEFAULT].objects
    objects["mine.ics"] = objects.pop(name_of(trial.store, b"SUMMARY:Termin 1"))
    assert trial.run(task=LOOK).state is LegState.DIFFERS
    assert sorted(trial.findings()) == [("+", ""), ("-", "duplicate")]
    verified(trial)
    assert trial.store.snapshot() == wanted
    trial.mailbox.delete(item(trial, b"Termin 1"))
    assert trial.finish().state is LegState.DIFFERS
    assert trial.findings() == [("-", "unknown")]
    assert trial.store.snapshot() == wanted


def test_what_landed_late_takes_no_missing_items_place(quick_path: Path) -> None:
    """Of two of one UID the first was deleted at the source; its late copy is there, the other's is gone."""
    trial = calendar_trial(quick_path)
    verified(trial)
    name = name_of(trial.store, b"UID:twice")
    late = trial.store.collections[DEFAULT].objects[name].raw
    first = next(one.id for _, one in trial.mailbox.messages() if f"k-{key_of(one.id).hex()}.ics" == name)
    old = trial.mailbox.find(first)[1].raw
    trial.mailbox.delete(first)
    (second,) = [one.id for _, one in trial.mailbox.messages() if b">twice<" in one.raw]
    trial.mailbox.edit(second, old)
    verified(trial)
    del trial.store.collections[DEFAULT].objects[name_of(trial.store, b"UID:twice")]
    trial.store.place(DEFAULT, name, late)
    trial.run(task=LOOK)
    trial.run()
    assert name_of(trial.store, b"UID:twice") in (name, f"k-{key_of(second).hex()}.ics")
    trial.mailbox.edit(second, event("twice", "Danach", 9))
    trial.run()
    assert not [
        one for _, _, one in trial.store.objects() if b"UID:twice" in one.raw and b"Zweimal" in one.raw
    ]


@pytest.mark.parametrize("fate", ["rejected", "skipped"])
def test_a_change_that_cannot_be_written_leaves_the_older_copy(trial: Trial, fate: str) -> None:
    changed = item(trial, b"Termin 1")
    if fate == "rejected":
        trial.mailbox.edit(changed, broken("uid-1"))
    else:
        trial.mailbox.mark(changed, Marks(item_class="IPM.Note"))
    before = trial.store.snapshot()
    verified(trial)
    assert trial.store.snapshot() == before
    assert trial.run(task=LOOK).state is LegState.VERIFIED
    trial.mailbox.edit(changed, event("uid-1", "Termin 1 geheilt", 3))
    trial.mailbox.mark(changed, APPOINTMENT)
    verified(trial)
    assert name_of(trial.store, b"SUMMARY:Termin 1 geheilt")
    trial.mailbox.edit(changed, broken("uid-1"))
    verified(trial)
    trial.mailbox.delete(changed)
    verified(trial)
    assert not [one for _, _, one in trial.store.objects() if b"UID:uid-1" in one.raw]


def test_a_change_that_kills_workers_leaves_the_older_copy(trial: Trial) -> None:
    killer = item(trial, b"Termin 1")
    trial.mailbox.edit(killer, event("uid-1", "Toedlich", 3))
    before = trial.store.snapshot()

    def die(name: str) -> None:
        if name == "target.write" and killer in trial.in_hand():
            raise Died

    for _ in range(BEFORE_REJECTED):
        with pytest.raises(Died):
            trial.run(die)
    result = trial.run(die)
    assert (result.state, result.code) == (LegState.COPIED, "kills-worker"), trial.findings()
    assert trial.store.snapshot() == before
    assert trial.states()[State.REJECTED] == 2


@pytest.mark.parametrize("at", ["target.write", "target.remove", "source.fetch"])
def test_what_an_interrupted_run_still_owes_is_no_stranger(trial: Trial, at: str) -> None:
    edit_calendar(trial.mailbox)

    def die(name: str) -> None:
        if name == at:
            raise Died

    with pytest.raises(Died):
        trial.run(die)
    trial.run(task=LOOK)
    assert not [finding for finding in trial.findings() if finding[0] == "-"]
    verified(trial)


def test_both_reads_the_source_as_well(trial: Trial) -> None:
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    where = folder(trial.mailbox, *HOME)
    old = where.messages[item(trial, b"Termin 1")]
    where.messages[old.id] = type(old)(old.id, old.change, event("uid-1", "Still geaendert"), old.marks)
    assert trial.run(task=LOOK).state is LegState.VERIFIED
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.DIFFERS
    assert trial.findings() == [("*", "source-body")]
    verified(trial)
    assert name_of(trial.store, b"SUMMARY:Still geaendert")


def test_a_second_run_writes_nothing(trial: Trial) -> None:
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert not WRITES & set(steps)
    assert trial.states() == {State.VERIFIED: 6, State.SKIPPED: 1, State.REJECTED: 1}


def test_a_new_version_that_says_the_same_costs_one_write_and_no_copy(trial: Trial) -> None:
    before = trial.store.snapshot()
    trial.mailbox.touch(item(trial, b"Termin 1"))
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert steps.count("target.write") == 1
    assert trial.store.snapshot() == before
