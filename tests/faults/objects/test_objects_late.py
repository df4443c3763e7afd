"""Objects that are replaced in place: a request whose reply was lost lands long after its sender gave up.
Nothing is there twice, nothing old comes back, and nothing that the source deleted stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from calendars import HOME, WORK, calendar_trial, edit_calendar, folder
from memory.doubles import MemoryShelf
from memory.records import APPOINTMENT, broken, event
from walking import Died, Trial, verified

from ledger.db.rows import LegState

MOMENTS = ("target.read", "target.containers", "source.fetch", "target.position", "target.label")


class Late:
    """The n-th request of a name gets no reply; it lands right before a later call of another name. dies: the
    worker ends there, too."""

    def __init__(
        self, shelf: MemoryShelf, nth: int, lands_at: str | None, name: str = "target.write"
    ) -> None:
        self.shelf, self.left, self.lands_at, self.name = shelf, nth, lands_at, name
        self.landed = 0

    def __call__(self, name: str) -> None:
        if self.left <= 0 and name == self.lands_at:
            self.landed += self.shelf.land()
        self.left -= name == self.name
        self.shelf.late = self.left == 0 and name == self.name


class DiesLate(Late):
    def __call__(self, name: str) -> None:
        if self.left <= 0 and self.shelf.in_flight:
            self.shelf.late = False
            raise Died
        super().__call__(name)


def calm(trial: Trial, directory: Path) -> MemoryShelf:
    """The target of a first run over the same source."""
    (directory / "calm").mkdir()
    other = Trial(directory / "calm", trial.mailbox, MemoryShelf(scope=trial.store.scope))
    verified(other)
    return other.store


@pytest.fixture(params=["collection", "account"])
def trial(request: pytest.FixtureRequest, quick_path: Path) -> Trial:
    return calendar_trial(quick_path, scope=request.param)


@pytest.mark.parametrize("nth", [1, 4])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_late_creation_within_the_run(trial: Trial, quick_path: Path, moment: str, nth: int) -> None:
    late = Late(trial.store, nth, moment)
    trial.run(late)
    assert late.landed > 0
    verified(trial)
    assert trial.store.snapshot() == calm(trial, quick_path).snapshot()


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("moment", ["target.containers", "source.fetch", "target.label"])
def test_a_late_update_within_the_run(trial: Trial, quick_path: Path, moment: str, nth: int) -> None:
    verified(trial)
    edit_calendar(trial.mailbox)
    other = trial.copy(quick_path / "other")
    verified(other)
    late = Late(trial.store, nth, moment)
    trial.run(late)
    assert late.landed > 0
    verified(trial)
    assert trial.store.snapshot() == other.store.snapshot()


def home(trial: Trial) -> str:
    return folder(trial.mailbox, *HOME).id


def one(directory: Path, **shelf: object) -> tuple[Trial, str]:
    """A calendar of one event."""
    trial = calendar_trial(directory, 0, **shelf)
    for _, message in list(trial.mailbox.messages()):
        trial.mailbox.delete(message.id)
    return trial, trial.mailbox.deliver(home(trial), event("one", "Eins"), APPOINTMENT)


def die_late(trial: Trial, name: str = "target.write") -> None:
    """The worker dies while its first request of a name is on its way."""
    late = DiesLate(trial.store, 1, None, name)
    try:
        trial.run(late)
    except Died:
        trial.store.late = False
    assert trial.store.in_flight


def titles(shelf: MemoryShelf) -> list[bytes]:
    lines = [line for _, _, one in shelf.objects() for line in one.raw.split(b"\r\n")]
    return sorted(line for line in lines if line.startswith(b"SUMMARY:"))


def test_an_update_that_lands_over_a_newer_one(quick_path: Path) -> None:
    trial, item = one(quick_path)
    verified(trial)
    trial.mailbox.edit(item, event("one", "Zwei"))
    die_late(trial)
    trial.mailbox.edit(item, event("one", "Drei"))
    verified(trial)
    assert trial.store.land() == 1
    assert titles(trial.store) == [b"SUMMARY:Drei"]
    verified(trial)


@pytest.mark.parametrize("lands", ["before", "in the middle", "after"])
def test_a_creation_of_what_was_deleted_meanwhile(quick_path: Path, lands: str) -> None:
    trial, item = one(quick_path)
    die_late(trial)
    trial.mailbox.delete(item)
    if lands == "before":
        trial.store.land()

    def step(name: str) -> None:
        if lands == "in the middle" and name == "target.position":
            trial.store.land()

    trial.run(step)
    trial.store.land()
    trial.run()
    verified(trial)
    assert titles(trial.store) == []


@pytest.mark.parametrize("scope", ["collection", "account"])
@pytest.mark.parametrize("at", ["target.containers", "target.label", None])
def test_what_was_deleted_and_lands_late_keeps_no_uid(quick_path: Path, at: str | None, scope: str) -> None:
    """Made anew with the same UID, as after a move: refused because of the zombie, and then it arrives."""
    trial, item = one(quick_path, scope=scope)
    die_late(trial)
    trial.mailbox.delete(item)
    trial.mailbox.deliver(home(trial), event("one", "Nochmals"), APPOINTMENT)
    done = False

    def step(name: str) -> None:
        nonlocal done
        if name == at and not done:
            done = trial.store.land() > 0

    trial.run(step)
    trial.store.land()
    verified(trial)
    assert titles(trial.store) == [b"SUMMARY:Nochmals"]


def test_a_creation_of_what_can_no_longer_be_carried_over_is_left_to_a_person(quick_path: Path) -> None:
    """A later pass has begun the item anew, and forgotten what the first had meant to write."""
    trial, item = one(quick_path)
    die_late(trial)
    trial.mailbox.edit(item, broken("one"))
    verified(trial)
    assert trial.store.land() == 1
    result = trial.finish()
    assert (result.code, trial.findings()) == ("verification-differs", [("-", "unknown")])
    assert titles(trial.store) == [b"SUMMARY:Eins"]
    ((href, name, _),) = trial.store.objects()
    del trial.store.collections[href].objects[name]
    trial.ledger.requeue()
    verified(trial)


def test_a_creation_under_a_kept_name_is_left_to_a_person_once_its_item_has_another(quick_path: Path) -> None:
    """The item moved, so its copy kept its first name; it was deleted and restored, so the next copy has a
    new one. Where a collection takes a UID once, the old request then holds it."""
    trial, item = one(quick_path, scope="collection")
    assert trial.run(Late(trial.store, 1, None)).state is LegState.VERIFIED
    other = next(box.id for box in trial.mailbox.folders.values() if box.id != home(trial))
    item = trial.mailbox.move(item, other)
    trial.mailbox.move(item, home(trial))
    trial.mailbox.lose_cursors()
    verified(trial)
    ((_, message),) = trial.mailbox.messages()
    trial.mailbox.delete(message.id)
    verified(trial)
    trial.mailbox.folders[home(trial)].messages[message.id] = message
    trial.mailbox.folders[home(trial)].deleted.pop(message.id, None)
    trial.mailbox.edit(message.id, event("one", "Zwei"))
    assert trial.store.land() == 1
    result = trial.finish()
    assert (result.code, trial.findings()) == ("verification-differs", [("-", "unknown")])
    assert titles(trial.store) == [b"SUMMARY:Eins"]


@pytest.mark.parametrize("moves", [False, True])
def test_a_creation_of_a_version_that_is_forgotten_is_left_to_a_person(quick_path: Path, moves: bool) -> None:
    """The event was changed and deleted, or moved, before what was first sent lands."""
    trial, item = one(quick_path)
    trial.run(Late(trial.store, 1, None))
    trial.mailbox.edit(item, event("one", "Zwei"))
    verified(trial)
    if moves:
        trial.mailbox.move(item, folder(trial.mailbox, *WORK).id)
    else:
        trial.mailbox.delete(item)
    verified(trial)
    assert trial.store.land() == 1
    for _ in range(2):
        assert trial.run().code == "verification-differs"
        assert trial.findings() == [("-", "unknown")]
        assert titles(trial.store) == [b"SUMMARY:Eins", *[b"SUMMARY:Zwei"] * moves]


def test_an_update_of_what_was_deleted_meanwhile(quick_path: Path) -> None:
    trial, item = one(quick_path)
    verified(trial)
    trial.mailbox.edit(item, event("one", "Zwei"))
    die_late(trial)
    trial.mailbox.delete(item)
    verified(trial)
    assert trial.store.land() == 1
    assert titles(trial.store) == []
    verified(trial)


def test_a_removal_that_lands_when_the_item_is_there_again(quick_path: Path) -> None:
    trial, item = one(quick_path)
    verified(trial)
    gone = trial.mailbox.folders[home(trial)].messages[item]
    trial.mailbox.delete(item)
    die_late(trial, "target.remove")
    trial.mailbox.folders[home(trial)].messages[item] = gone
    trial.mailbox.edit(item, event("one", "Wieder da"))
    verified(trial)
    trial.store.land()
    verified(trial)
    assert titles(trial.store) == [b"SUMMARY:Wieder da"]


@pytest.mark.parametrize("nth", [1, 3])
def test_a_creation_that_lands_after_the_pass(trial: Trial, nth: int) -> None:
    assert trial.run(Late(trial.store, nth, None)).state is LegState.VERIFIED
    before = trial.store.snapshot()
    assert trial.store.land() > 0
    assert trial.store.snapshot() == before
    verified(trial)
    assert trial.store.snapshot() == before
