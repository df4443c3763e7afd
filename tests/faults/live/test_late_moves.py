"""The source moves, in the live phase, what was copied: its one copy stays where it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from calendars import an_address_book
from drives import a_drive
from memory.doubles import Marks, MemoryCabinet, MemoryMailbox, MemoryShelf, MemoryStore
from memory.records import APPOINTMENT, CARD, contact, event, task
from undoing import undone
from walking import SOURCE, Died, Trial, a_mailbox, dying_at, letter

from engine.steps.own_copies import MOVED
from ledger.db.rows import LegState, Phase, State
from model.kinds import Kind
from model.protocols import Role

TASK = Marks(item_class="IPM.Task")
INBOX = ("INBOX",)


def with_mail() -> MemoryMailbox:
    mailbox = a_mailbox(5)
    mailbox.deliver(folder_of(mailbox, ("Posteingang",)), letter(700))
    return mailbox


def with_tasks() -> MemoryMailbox:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    home = mailbox.create_folder(("Aufgaben",), Role.TASKS)
    mailbox.create_folder(("Privat",))
    for number in range(4):
        mailbox.deliver(home, task(f"Aufgabe {number}", 1 + number), TASK)
    return mailbox


def with_events() -> MemoryMailbox:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    home = mailbox.create_folder(("Kalender",), Role.CALENDAR)
    mailbox.create_folder(("Arbeit",))
    for number in range(4):
        mailbox.deliver(home, event(f"uid-{number}", f"Termin {number}", 1 + number), APPOINTMENT)
    return mailbox


@dataclass(frozen=True)
class World:
    """A mailbox of one kind, where it goes, and one item more."""

    mailbox: Callable[[], MemoryMailbox]
    store: Callable[[], MemoryStore | MemoryShelf | MemoryCabinet]
    raw: bytes
    marks: Marks


WORLDS = {
    "mail": World(with_mail, MemoryStore, letter(800), Marks()),
    "contacts": World(
        an_address_book, lambda: MemoryShelf(kind=Kind.CONTACTS), contact("Spaete Person"), CARD
    ),
    "tasks": World(with_tasks, lambda: MemoryShelf(kind=Kind.TASKS), task("Spaete Aufgabe", 9), TASK),
    "calendar": World(with_events, MemoryShelf, event("late", "Spaet", 9), APPOINTMENT),
    "files": World(a_drive, MemoryCabinet, b"late", Marks(name="late.txt")),
}


def folder_of(mailbox: MemoryMailbox, path: tuple[str, ...]) -> str:
    return next(one.id for one in mailbox.folders.values() if one.path == path)


def two_folders(mailbox: MemoryMailbox) -> tuple[str, str]:
    """The first folder that has items, and another one that moves."""
    moving = [one for one in mailbox.folders.values() if one.omit is None]
    full = next(one for one in moving if one.messages)
    return full.id, next(one.id for one in moving if one is not full)


def move(trial: Trial, item: str, where: str) -> str:
    """As the source of this kind does: a file keeps its id."""
    if trial.kind is Kind.FILES:
        trial.mailbox.carry(item, where)
        return item
    return trial.mailbox.move(item, where)


def gone_live(trial: Trial) -> Trial:
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    return trial


@pytest.fixture(params=list(WORLDS))
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param]


@pytest.fixture
def trial(quick_path: Path, world: World) -> Trial:
    return gone_live(Trial(quick_path, world.mailbox(), world.store()))


@pytest.fixture
def mail(quick_path: Path) -> Trial:
    return gone_live(Trial(quick_path, with_mail(), MemoryStore()))


def added(trial: Trial) -> int:
    """How many items two passes add; nothing that was there changes, and the mailbox is verified."""
    before = there(trial)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert not before - there(trial)
    return (there(trial) - before).total()


def there(trial: Trial) -> Counter[object]:
    """What the target has, without the dates of folders."""
    return Counter({one: count for one, count in trial.store.snapshot().items() if one[1] != ""})


def skipped(trial: Trial) -> int:
    (summary,) = trial.ledger.summary()
    return summary.skips.get(MOVED, 0)


def test_what_is_moved_is_there_once(trial: Trial, world: World) -> None:
    here, there = two_folders(trial.mailbox)
    item = next(iter(trial.mailbox.folders[here].messages))
    moved = move(trial, item, there)
    assert added(trial) == 0
    assert skipped(trial) == 1
    trial.mailbox.deliver(there, world.raw, world.marks)
    move(trial, moved, here)
    assert added(trial) == 1, "the late item; what was moved back is there"


def test_what_is_marked_or_touched_after_the_move_is_there_once(trial: Trial) -> None:
    here, there = two_folders(trial.mailbox)
    moved = move(trial, next(iter(trial.mailbox.folders[here].messages)), there)
    assert added(trial) == 0
    trial.mailbox.touch(moved)
    assert added(trial) == 0


def test_a_worker_that_dies_on_the_way_changes_nothing_of_it(trial: Trial, quick_path: Path) -> None:
    here, there = two_folders(trial.mailbox)
    move(trial, next(iter(trial.mailbox.folders[here].messages)), there)
    for number in range(1, 40):
        one = trial.copy(quick_path / f"{number}")
        quiet = one.commits(dying_at("commit", number))
        try:
            one.run()
            died = False
        except Died:
            died = True
        quiet()
        assert added(one) == 0
        if not died:
            break
    assert not died


@pytest.mark.parametrize("name", ["Posteingang", "Anders"])
def test_a_folder_that_the_source_knows_under_another_id_and_name_is_not_copied_anew(
    mail: Trial, name: str
) -> None:
    """A server without ids of folders knows a renamed one as a new one."""
    below = folder_of(mail.mailbox, ("Posteingang", "Bücher/2020"))
    count = len(mail.mailbox.folders[below].messages)
    mail.mailbox.folders[mail.mailbox.recreate_folder(below)].path = (name, "Umbenannt")
    assert added(mail) == 0
    assert skipped(mail) == count > 1


def test_folders_that_exchange_their_names(mail: Trial) -> None:
    """By name alone, each has the mail of the other, under new ids."""
    mailbox = mail.mailbox
    one = mailbox.create_folder(("Eins",))
    other = mailbox.create_folder(("Zwei",))
    mailbox.deliver(one, letter(901))
    mailbox.deliver(other, letter(902))
    assert added(mail) == 2
    first, second = (list(mailbox.folders[number].messages) for number in (one, other))
    for item in first:
        mailbox.move(item, other)
    for item in second:
        mailbox.move(item, one)
    assert added(mail) == 0


def test_as_many_copies_as_the_source_has_are_there(mail: Trial) -> None:
    """One was moved; the same mail that comes once more, then or later, is another mail."""
    inbox = folder_of(mail.mailbox, ("Posteingang",))
    there = mail.mailbox.create_folder(("Ablage",))
    item = next(one.id for one in mail.mailbox.folders[inbox].messages.values() if one.raw == letter(700))
    mail.mailbox.move(item, there)
    mail.mailbox.deliver(there, letter(700))
    assert added(mail) == 1
    mail.mailbox.deliver(inbox, letter(700))
    mail.mailbox.deliver(there, letter(700))
    assert added(mail) == 2
    copies = [one for folder in mail.store.folders.values() for one in folder.messages.values()]
    assert sum(b"<700@" in one.raw for one in copies) == 4


def test_a_copy_in_another_folder_is_no_move(trial: Trial) -> None:
    if trial.kind is Kind.CALENDAR:
        pytest.skip("see test_objects_live")
    here, there = two_folders(trial.mailbox)
    one = next(iter(trial.mailbox.folders[here].messages.values()))
    trial.mailbox.deliver(there, one.raw, one.marks)
    assert added(trial) == 1
    assert skipped(trial) == 0


def test_what_its_user_moved_as_well_is_no_item_too_many(mail: Trial) -> None:
    inbox = folder_of(mail.mailbox, ("Posteingang",))
    there = mail.mailbox.create_folder(("Ablage",))
    mail.mailbox.deliver(there, letter(703))
    assert added(mail) == 1
    item = next(one.id for one in mail.mailbox.folders[inbox].messages.values() if one.raw == letter(700))
    mail.mailbox.move(item, there)
    uid = next(uid for uid, one in mail.store.folders[INBOX].messages.items() if b"<700@" in one.raw)
    mail.store.move(INBOX, uid, ("Ablage",))
    assert added(mail) == 0


def test_what_its_user_deleted_does_not_come_back_because_it_was_moved(mail: Trial) -> None:
    inbox = folder_of(mail.mailbox, ("Posteingang",))
    item = next(one.id for one in mail.mailbox.folders[inbox].messages.values() if one.raw == letter(700))
    uid = next(uid for uid, one in mail.store.folders[INBOX].messages.items() if b"<700@" in one.raw)
    del mail.store.folders[INBOX].messages[uid]
    mail.mailbox.move(item, mail.mailbox.create_folder(("Ablage",)))
    assert added(mail) == 0


def test_mail_that_is_rendered_anew_at_each_read_is_recognised(quick_path: Path) -> None:
    mailbox = with_mail()
    mailbox.rebuilds = True
    inbox = folder_of(mailbox, ("Posteingang",))
    raw = (
        b"Subject: parts\r\nMessage-ID: <parts@x.example>\r\n"
        b'Content-Type: multipart/mixed; boundary="=-1"\r\n\r\n'
        b"--=-1\r\nContent-Type: text/plain\r\n\r\none\r\n--=-1--\r\n"
    )
    item = mailbox.deliver(inbox, raw, Marks(rebuilt=True))
    mail = gone_live(Trial(quick_path, mailbox, MemoryStore()))
    mailbox.move(item, mailbox.create_folder(("Ablage",)))
    assert added(mail) == 0
    assert skipped(mail) == 1


def test_a_mailbox_that_was_rolled_back_gets_it_where_it_is_now(trial: Trial) -> None:
    here, other = two_folders(trial.mailbox)
    move(trial, next(iter(trial.mailbox.folders[here].messages)), other)
    count = trial.states()[State.VERIFIED]
    assert added(trial) == 0
    undone(trial)
    trial.ledger.requeue()
    for _ in range(3):
        result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.states()[State.VERIFIED] == count
    assert skipped(trial) == 0
