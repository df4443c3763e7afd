"""A UID is taken once, by a server's own word: two items of one UID, items that move with theirs, and items
that were at the target already."""

from __future__ import annotations

from pathlib import Path

import pytest
from calendars import HOME, WORK, calendar_trial, folder
from memory.records import APPOINTMENT, broken, event
from walking import Trial, verified

from ledger.db.rows import LegState, State
from model.protocols import key_of

DEFAULT = "/dav/default/"
OTHERS = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTART:20260301T090000Z\r\n"
END = b"DTEND:20260301T100000Z\r\nSUMMARY:%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def empty(directory: Path, **shelf: object) -> Trial:
    trial = calendar_trial(directory, 0, **shelf)
    for _, message in list(trial.mailbox.messages()):
        trial.mailbox.delete(message.id)
    return trial


def deliver(trial: Trial, raw: bytes, path: tuple[str, ...] = HOME) -> str:
    return trial.mailbox.deliver(folder(trial.mailbox, *path).id, raw, APPOINTMENT)


def titles(trial: Trial, href: str | None = None) -> list[bytes]:
    return sorted(
        line.partition(b":")[2]
        for where, _, one in trial.store.objects()
        for line in one.raw.split(b"\r\n")
        if line.startswith(b"SUMMARY:") and href in (None, where)
    )


def theirs(uid: bytes, title: bytes) -> bytes:
    """What another client wrote: a first event of March, as memory_records.event has it."""
    return OTHERS % uid + END % title


@pytest.fixture
def occupied(quick_path: Path) -> Trial:
    """A target that an operator said may hold things already: the server put an invitation there."""
    trial = empty(quick_path, scope="account")
    trial.store.create(DEFAULT, "Kalender")
    trial.approve("target-not-empty")
    return trial


@pytest.mark.parametrize(("other", "fate"), [("Eins", State.SKIPPED), ("Zwei", State.REJECTED)])
def test_of_two_one_arrives_and_the_other_is_a_copy_or_needs_a_person(
    quick_path: Path, other: str, fate: State
) -> None:
    trial = empty(quick_path)
    deliver(trial, event("u", "Eins"))
    deliver(trial, event("u", other))
    verified(trial)
    assert len(titles(trial)) == 1
    assert trial.states() == {State.VERIFIED: 1, fate: 1}


def test_a_copy_is_none_any_more_when_the_first_is_changed(quick_path: Path) -> None:
    trial = empty(quick_path)
    trial.mailbox.page = 1
    first = deliver(trial, event("u", "Eins"))
    deliver(trial, event("u", "Eins"))
    verified(trial)
    trial.mailbox.edit(first, event("u", "Eins verlegt", 9))
    verified(trial)
    assert titles(trial) == [b"Eins verlegt"]
    assert trial.states() == {State.VERIFIED: 1, State.REJECTED: 1}


@pytest.mark.parametrize("other", ["Eins", "Zwei"])
@pytest.mark.parametrize("passes", [0, 1, 2])
@pytest.mark.parametrize("scope", ["collection", "account"])
def test_a_copy_that_is_lost_stands_for_nothing(
    quick_path: Path, scope: str, passes: int, other: str
) -> None:
    """Its own item cannot be read any more, before the copy is lost or at the same time."""
    trial = empty(quick_path, scope=scope)
    by_name = {
        f"k-{key_of(one).hex()}.ics": (one, title)
        for title in ("Eins", other)
        for one in (deliver(trial, event("u", title)),)
    }
    verified(trial)
    ((href, name, _),) = trial.store.objects()
    copied, title = by_name.pop(name)
    trial.mailbox.edit(copied, broken("u"))
    for _ in range(passes):
        verified(trial)
        assert titles(trial) == [title.encode()]
    del trial.store.collections[href].objects[name]
    assert trial.finish().state is LegState.VERIFIED
    ((_, name, _),) = trial.store.objects()
    assert by_name.keys() == {name}
    assert trial.states() == {State.VERIFIED: 1, State.REJECTED: 1}
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert "target.write" not in steps


@pytest.mark.parametrize("scope", ["collection", "account"])
def test_what_is_moved_and_changed_at_once_arrives(quick_path: Path, scope: str) -> None:
    trial = empty(quick_path, scope=scope)
    item = deliver(trial, event("u", "Umzug"))
    verified(trial)
    moved = trial.mailbox.move(item, folder(trial.mailbox, *WORK).id)
    trial.mailbox.edit(moved, event("u", "Umzug am Abend", 9))
    verified(trial)
    assert (titles(trial), titles(trial, DEFAULT)) == ([b"Umzug am Abend"], [])


def test_always_the_one_that_was_listed_first(quick_path: Path) -> None:
    """Whatever the order in which the source answers."""
    trial = empty(quick_path)
    trial.mailbox.page = 1
    for number in range(12):
        deliver(trial, event(f"u{number // 2}", f"{number:02}"))
    verified(trial)
    assert titles(trial) == [b"%02d" % number for number in range(0, 12, 2)]


@pytest.mark.parametrize("deleted", ["alone", "with-others"])
def test_the_next_arrives_when_the_first_is_deleted(quick_path: Path, deleted: str) -> None:
    trial = empty(quick_path)
    trial.mailbox.page = 1
    first, *_ = [deliver(trial, event("u", title)) for title in ("Eins", "Zwei", "Drei")]
    more = deliver(trial, event("x", "Anderes"))
    verified(trial)
    trial.mailbox.delete(first)
    if deleted == "with-others":
        trial.mailbox.delete(more)
    verified(trial)
    assert titles(trial) == ([b"Zwei"] if deleted == "with-others" else [b"Anderes", b"Zwei"])


def test_the_other_arrives_when_the_first_ones_calendar_is_deleted(quick_path: Path) -> None:
    trial = empty(quick_path, scope="account")
    deliver(trial, event("u", "Eins"), WORK)
    deliver(trial, event("u", "Zwei"))
    verified(trial)
    assert len(titles(trial)) == 1
    trial.mailbox.delete_folder(folder(trial.mailbox, *(WORK if titles(trial) == [b"Eins"] else HOME)).id)
    verified(trial)
    assert len(titles(trial)) == 1


def test_a_first_copy_that_was_updated_keeps_its_uid(quick_path: Path) -> None:
    trial = empty(quick_path)
    trial.mailbox.page = 1
    first = deliver(trial, event("u", "Eins"))
    deliver(trial, event("u", "Zwei"))
    verified(trial)
    trial.mailbox.edit(first, event("u", "Eins verlegt", 9))
    verified(trial)
    assert titles(trial) == [b"Eins verlegt"]


@pytest.mark.parametrize("scope", ["collection", "account", ""])
def test_moves_between_calendars(quick_path: Path, scope: str) -> None:
    trial = empty(quick_path, scope=scope)
    item = deliver(trial, event("u", "Umzug"))
    verified(trial)
    item = trial.mailbox.move(item, folder(trial.mailbox, *WORK).id)
    verified(trial)
    assert (titles(trial), titles(trial, DEFAULT)) == ([b"Umzug"], [])
    trial.mailbox.move(item, folder(trial.mailbox, *HOME).id)
    verified(trial)
    assert (titles(trial), titles(trial, DEFAULT)) == ([b"Umzug"], [b"Umzug"])


@pytest.mark.parametrize("scope", ["collection", "account"])
def test_many_moves_are_no_loss(quick_path: Path, scope: str) -> None:
    """Where a UID is taken in the whole account, they cannot arrive before the old copies are gone."""
    trial = empty(quick_path, scope=scope)
    items = [deliver(trial, event(f"u{number}", f"{number}")) for number in range(40)]
    verified(trial)
    for item in items[:35]:
        trial.mailbox.move(item, folder(trial.mailbox, *WORK).id)
    verified(trial)
    assert len(titles(trial, DEFAULT)) == 5
    assert len(titles(trial)) == 40


def test_what_was_there_and_means_the_same_has_arrived(occupied: Trial) -> None:
    occupied.store.place(DEFAULT, "invitation.ics", theirs(b"u", b"Sitzung"))
    item = deliver(occupied, event("u", "Sitzung"))
    verified(occupied)
    assert titles(occupied) == [b"Sitzung"]
    assert occupied.states() == {State.VERIFIED: 1}
    occupied.mailbox.delete(item)
    verified(occupied)
    assert [name for _, name, _ in occupied.store.objects()] == ["invitation.ics"]
    assert occupied.states() == {State.GONE: 1}


def test_what_was_there_and_means_something_else_needs_a_person(occupied: Trial) -> None:
    occupied.store.place(DEFAULT, "invitation.ics", theirs(b"u", b"Anderes"))
    deliver(occupied, event("u", "Sitzung"))
    verified(occupied)
    assert titles(occupied) == [b"Anderes"]
    assert occupied.states() == {State.REJECTED: 1}


@pytest.mark.parametrize("name", ["invitation.ics", "event:7"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in-another-calendar"])
def test_what_a_server_delivered_since_is_no_extra(quick_path: Path, elsewhere: bool, name: str) -> None:
    """The organizer was migrated meanwhile, and the server put the meeting into the default calendar."""
    trial = empty(quick_path, scope="account")
    deliver(trial, event("x", "Anderes"))
    verified(trial)
    trial.store.place(DEFAULT, name, theirs(b"u", b"Sitzung"))
    deliver(trial, event("u", "Sitzung"), WORK if elsewhere else HOME)
    verified(trial)
    assert titles(trial) == [b"Anderes", b"Sitzung"]
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert not {"target.write", "target.remove"} & set(steps)


def test_what_was_there_and_is_gone_is_written_after_all(occupied: Trial) -> None:
    occupied.store.place(DEFAULT, "invitation.ics", theirs(b"u", b"Sitzung"))
    deliver(occupied, event("u", "Sitzung"))
    verified(occupied)
    del occupied.store.collections[DEFAULT].objects["invitation.ics"]
    verified(occupied)
    assert titles(occupied) == [b"Sitzung"]


def test_a_change_of_what_was_there_is_not_ours_to_make(occupied: Trial) -> None:
    occupied.store.place(DEFAULT, "invitation.ics", theirs(b"u", b"Sitzung"))
    item = deliver(occupied, event("u", "Sitzung"))
    verified(occupied)
    occupied.mailbox.edit(item, event("u", "Sitzung, verlegt"))
    verified(occupied)
    assert titles(occupied) == [b"Sitzung"]
    assert occupied.states() == {State.REJECTED: 1}
    occupied.store.place(DEFAULT, "invitation.ics", theirs(b"u", b"Sitzung, neu"))
    occupied.mailbox.edit(item, event("u", "Sitzung, neu"))
    verified(occupied)
    assert occupied.states() == {State.VERIFIED: 1}
