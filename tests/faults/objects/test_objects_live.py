"""The user works in the new calendar: what is late is added, and nothing that is there is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from calendars import HOME, WORK, calendar_trial, edit_calendar, folder
from memory.doubles import MemoryShelf
from memory.records import APPOINTMENT, event
from walking import Died, Trial

from ledger.db.rows import LegState, Phase, State
from model.errors import Blocked

DEFAULT = "/dav/default/"
TOUCHES = ("target.remove", "target.rename")


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = calendar_trial(quick_path)
    assert trial.run().state is LegState.VERIFIED
    return trial


def go_live(trial: Trial) -> None:
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")


def use(shelf: MemoryShelf) -> None:
    """What the user does: moves one, deletes one, writes one."""
    objects = shelf.collections[DEFAULT].objects
    first, second, *_ = sorted(objects)
    shelf.place(DEFAULT, first, objects[first].raw.replace(b"DTSTART:202603", b"DTSTART:202602"))
    shelf.place(DEFAULT, "mine.ics", objects[second].raw.replace(b"UID:", b"UID:mine-"))
    del objects[second]


def kept(shelf: MemoryShelf) -> dict[tuple[str, str], bytes]:
    return {(href, name): one.raw for href, name, one in shelf.objects()}


def test_late_items_are_added_and_what_the_user_did_survives(trial: Trial) -> None:
    go_live(trial)
    use(trial.store)
    before = kept(trial.store)
    late = event("late", "Spaet")
    trial.mailbox.deliver(folder(trial.mailbox, *HOME).id, late, APPOINTMENT)
    steps: list[str] = []
    result = trial.run(steps.append)
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    after = kept(trial.store)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    assert not [step for step in steps if step.startswith(TOUCHES)]


def test_nothing_the_source_changes_reaches_the_user(trial: Trial) -> None:
    go_live(trial)
    before = kept(trial.store)
    edit_calendar(trial.mailbox)
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert before.items() <= kept(trial.store).items()
    assert not [step for step in steps if step.startswith(TOUCHES)]


def test_an_emptied_source_removes_nothing(trial: Trial) -> None:
    go_live(trial)
    before = kept(trial.store)
    for one in list(trial.mailbox.folders.values()):
        trial.mailbox.shrink(one.id, 0)
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert kept(trial.store) == before


@pytest.mark.parametrize("when", ["", " done"], ids=["before", "after"])
@pytest.mark.parametrize("name", ["target.write", "target.remove", "source.fetch"])
def test_what_was_open_when_the_phase_began_is_dropped(trial: Trial, name: str, when: str) -> None:
    edit_calendar(trial.mailbox)

    def refuse(step: str) -> None:
        if step == name + when:
            raise Blocked("quota-full")

    assert trial.run(refuse).code == "quota-full"
    go_live(trial)
    before = kept(trial.store)
    steps: list[str] = []
    trial.run(steps.append)
    assert before.items() <= kept(trial.store).items()
    assert not [step for step in steps if step.startswith(TOUCHES)]
    assert not trial.states()[State.WRITING]


@pytest.mark.parametrize("user", ["moves it", "leaves it"])
def test_a_late_item_that_died_on_its_way_is_the_users_since(trial: Trial, user: str) -> None:
    go_live(trial)
    trial.mailbox.deliver(folder(trial.mailbox, *HOME).id, event("late", "Spaet"), APPOINTMENT)

    def die(step: str) -> None:
        if step == "target.write done":
            raise Died

    with pytest.raises(Died):
        trial.run(die)
    (name,) = [name for _, name, one in trial.store.objects() if b"UID:late" in one.raw]
    if user == "moves it":
        trial.store.alter(DEFAULT, name, b"DTSTART:202603", b"DTSTART:202602")
    before = kept(trial.store)
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert kept(trial.store) == before
    assert trial.states()[State.REJECTED] == (2 if user == "moves it" else 1)


def of_one(shelf: MemoryShelf) -> int:
    return sum(b"UID:uid-1\r\n" in one.raw for _, _, one in shelf.objects())


@pytest.mark.parametrize("twice", [False, True])
def test_what_the_source_moves_to_another_calendar_is_there_once(trial: Trial, *, twice: bool) -> None:
    go_live(trial)
    before = kept(trial.store)
    home, work = (folder(trial.mailbox, *path) for path in (HOME, WORK))
    item = next(item for item, one in home.messages.items() if b"uid-1" in one.raw)
    moved = trial.mailbox.move(item, work.id)
    assert trial.run().state is LegState.VERIFIED
    if twice:
        trial.mailbox.move(moved, home.id)
    trial.mailbox.deliver(home.id, event("late", "Spaet"), APPOINTMENT)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert of_one(trial.store) == 1
    assert len(kept(trial.store)) == len(before) + 1


def test_a_copy_in_another_calendar_is_no_move(trial: Trial) -> None:
    go_live(trial)
    home, work = (folder(trial.mailbox, *path) for path in (HOME, WORK))
    raw = next(one.raw for one in home.messages.values() if b"uid-1" in one.raw)
    trial.mailbox.deliver(work.id, raw, APPOINTMENT)
    assert trial.run().state is LegState.VERIFIED
    assert of_one(trial.store) == 2


@pytest.mark.parametrize("user", ["edits it", "deletes it"])
def test_a_late_event_that_its_user_changes_before_it_was_read_back(trial: Trial, user: str) -> None:
    """Nobody can see any more that it was written rightly: a person accepts that, and it stays as it is."""
    go_live(trial)
    trial.mailbox.deliver(folder(trial.mailbox, *HOME).id, event("late", "Spaet"), APPOINTMENT)

    def change(step: str) -> None:
        if step != "target.write done":
            return
        (name,) = [name for _, name, one in trial.store.objects() if b"UID:late" in one.raw]
        if user == "edits it":
            trial.store.alter(DEFAULT, name, b"SUMMARY:Spaet", b"SUMMARY:Frueh")
        else:
            del trial.store.collections[DEFAULT].objects[name]

    trial.run(change)
    before = kept(trial.store)
    result = trial.run()
    assert (result.state, result.code) == (LegState.DIFFERS, "changed-before-check"), trial.findings()
    trial.approve("changed-before-check")
    assert trial.run().state is LegState.VERIFIED
    assert trial.run().state is LegState.VERIFIED
    assert kept(trial.store) == before
