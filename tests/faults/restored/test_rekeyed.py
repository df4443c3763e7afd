"""The source lists what was copied under other ids, as a restored server does: nothing is copied twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from calendars import calendar_trial, cards_trial
from drives import drive_trial, file, marks
from drives import folder as folder_of
from memory.doubles import Marks, MemoryCabinet, MemoryMailbox, MemoryShelf, MemoryStore
from memory.records import LIST, contact, group
from walking import SOURCE, Trial, letter

from ledger.db.rows import ItemRow, Lease, LegState, Phase, State
from model.protocols import Role

WRITES = ("target.write", "target.append", "target.remove")
ITEMS = 30


def mail_trial(directory: Path) -> Trial:
    """A folder of 30, two of which are the same mail."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(ITEMS - 1):
        mailbox.deliver(inbox, letter(number), Marks(read=number % 2 == 0))
    mailbox.deliver(inbox, letter(3), Marks(read=True))
    trial = Trial(directory, mailbox, MemoryStore(batch=50))
    trial.pace = type(trial.pace)(batch=50, grace=0.0, pause=0.0)
    return trial


def copied(directory: Path, phase: Phase, *, incremental: bool = True) -> Trial:
    trial = mail_trial(directory)
    trial.mailbox.incremental = incremental
    assert trial.run().state is LegState.VERIFIED
    if phase is not Phase.STAGING:
        trial.ledger.set_phase(trial.id, phase, "somebody")
    return trial


def inbox(trial: Trial) -> str:
    return next(iter(trial.mailbox.folders))


def restored(trial: Trial) -> None:
    """Every item has another id, and no cursor is known any more."""
    for folder in list(trial.mailbox.folders):
        trial.mailbox.rekey(folder)
    trial.mailbox.lose_cursors()


def moved(trial: Trial) -> None:
    """The same, told as changes: everything deleted, everything new."""
    for folder in list(trial.mailbox.folders):
        trial.mailbox.rekey(folder)


PHASES = [Phase.STAGING, Phase.FROZEN, Phase.LIVE]


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("change", [restored, moved])
@pytest.mark.parametrize("phase", PHASES)
def test_nothing_is_copied_again(
    quick_path: Path, phase: Phase, change: Callable[[Trial], None], incremental: bool
) -> None:
    trial = copied(quick_path, phase, incremental=incremental)
    before = trial.store.snapshot()
    change(trial)
    for _ in range(2):
        steps: list[str] = []
        result = trial.run(steps.append)
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
        assert trial.store.snapshot() == before
        assert not [step for step in steps if step.startswith(WRITES)]
    assert trial.states() == {State.VERIFIED: ITEMS, State.GONE: ITEMS}


@pytest.mark.parametrize("change", [restored, moved])
@pytest.mark.parametrize("phase", PHASES)
def test_what_is_new_or_gone_meanwhile_is_told_apart(
    quick_path: Path, phase: Phase, change: Callable[[Trial], None]
) -> None:
    trial = copied(quick_path, phase)
    before = trial.store.snapshot()
    change(trial)
    messages = list(trial.mailbox.folders[inbox(trial)].messages)
    for one in messages[:2]:
        trial.mailbox.delete(one)
    trial.mailbox.mark(messages[5], Marks(read=True, last_verb=102))
    trial.mailbox.deliver(inbox(trial), letter(900))
    trial.mailbox.deliver(inbox(trial), letter(901))
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    after = trial.store.snapshot()
    if phase is Phase.LIVE:
        assert not before - after
        assert (after - before).total() == 2
    else:
        assert after.total() == ITEMS
        assert sum("\\Answered" in flags for _, _, flags, _ in after) == 1
        assert {digest for _, digest, _, _ in before} - {digest for _, digest, _, _ in after}


def dated(*days: int) -> list[datetime]:
    return [datetime(2020, 1, day, tzinfo=UTC) for day in days]


def rows_of(trial: Trial) -> list[ItemRow]:
    (leg,) = trial.ledger.legs()
    lease = Lease(leg.id, leg.mailbox, trial.kind, "", leg.epoch, False, trial.phase)
    with trial.ledger.session(lease, mirror=True) as session:
        return [row for container in session.containers() for row in session.rows(container.id)]


def dates(trial: Trial) -> list[datetime]:
    return sorted(date for *_, date in trial.store.snapshot().elements())


@pytest.mark.parametrize("phase", PHASES)
def test_of_equal_mails_each_keeps_the_copy_of_its_date(quick_path: Path, phase: Phase) -> None:
    """The source lists them in another order than before."""
    trial = mail_trial(quick_path)
    trial.mailbox.shrink(inbox(trial), 0)
    for date in dated(3, 1, 2):
        trial.mailbox.deliver(inbox(trial), letter(0), Marks(received=date))
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    trial.mailbox.shrink(inbox(trial), 0)
    for date in dated(1, 2, 3):
        trial.mailbox.deliver(inbox(trial), letter(0), Marks(received=date))
    trial.mailbox.lose_cursors()
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert not [step for step in steps if step.startswith(WRITES)]
    kept = {row.source_id: row.date for row in rows_of(trial) if row.state is not State.GONE}
    assert kept == {
        message.id: int(message.marks.received.timestamp())
        for _, message in trial.mailbox.messages()
        if message.marks.received is not None
    }
    assert dates(trial) == dated(1, 2, 3)


@pytest.mark.parametrize("phase", PHASES)
def test_an_equal_mail_of_another_date_is_another_mail_while_the_target_is_ours(
    quick_path: Path, phase: Phase
) -> None:
    """In a live mailbox nothing that may be there already is written."""
    trial = mail_trial(quick_path)
    trial.mailbox.shrink(inbox(trial), 0)
    first = trial.mailbox.deliver(inbox(trial), letter(0), Marks(received=dated(3)[0]))
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    trial.mailbox.delete(first)
    trial.mailbox.deliver(inbox(trial), letter(0), Marks(received=dated(1)[0]))
    trial.mailbox.lose_cursors()
    assert trial.finish().state is LegState.VERIFIED
    assert dates(trial) == dated(3 if phase is Phase.LIVE else 1)


@pytest.mark.parametrize("phase", PHASES)
def test_a_source_that_dates_everything_anew_does_not_make_it_new(quick_path: Path, phase: Phase) -> None:
    trial = copied(quick_path, phase)
    before = trial.store.snapshot()
    for message in list(trial.mailbox.folders[inbox(trial)].messages.values()):
        trial.mailbox.mark(message.id, replace(message.marks, received=dated(9)[0]))
    restored(trial)
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert not [step for step in steps if step.startswith(WRITES)]
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("incremental", [True, False])
def test_a_live_mailbox_whose_source_is_emptied_and_filled_again_gets_nothing_twice(
    quick_path: Path, incremental: bool
) -> None:
    """Between two passes: the first one finds nothing new, the second one nothing deleted."""
    trial = copied(quick_path, Phase.LIVE, incremental=incremental)
    before = trial.store.snapshot()
    messages = list(trial.mailbox.folders[inbox(trial)].messages.values())
    trial.mailbox.shrink(inbox(trial), 0)
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == before
    for one in messages:
        trial.mailbox.deliver(inbox(trial), one.raw, one.marks)
    trial.mailbox.deliver(inbox(trial), letter(900))
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    after = trial.store.snapshot()
    assert not before - after
    assert (after - before).total() == 1


def test_a_second_copy_of_what_a_live_source_still_has_is_brought(quick_path: Path) -> None:
    """Also where the source lacked something before: it is asked for all that it has."""
    trial = copied(quick_path, Phase.LIVE)
    first = next(iter(trial.mailbox.folders[inbox(trial)].messages.values()))
    trial.mailbox.delete(list(trial.mailbox.folders[inbox(trial)].messages)[-1])
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    trial.mailbox.deliver(inbox(trial), first.raw, first.marks)
    assert trial.finish().state is LegState.VERIFIED
    assert (trial.store.snapshot() - before).total() == 1


def test_what_the_user_removed_stays_removed(quick_path: Path) -> None:
    trial = copied(quick_path, Phase.LIVE)
    folder = trial.store.folders["INBOX",]
    del folder.messages[min(folder.messages)]
    folder.messages[max(folder.messages)].flags |= {"\\Flagged"}
    before = trial.store.snapshot()
    restored(trial)
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("phase", PHASES)
def test_mail_that_is_rebuilt_at_every_read_is_known_by_its_message_id(
    quick_path: Path, phase: Phase
) -> None:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8, rebuilds=True)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(25):
        mailbox.deliver(where, parted(number))
    trial = Trial(quick_path, mailbox, MemoryStore(batch=50))
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before = trial.store.snapshot()
    restored(trial)
    assert trial.finish().state is LegState.VERIFIED
    assert trial.store.snapshot() == before


def test_mail_of_known_names_and_other_text_stops_a_live_mailbox(quick_path: Path) -> None:
    trial = copied(quick_path, Phase.LIVE)
    before = trial.store.snapshot()
    restored(trial)
    for one in list(trial.mailbox.folders[inbox(trial)].messages.values()):
        head, _, text = one.raw.partition(b"\r\n\r\n")
        trial.mailbox.edit(one.id, head + b"\r\n\r\nanother " + text)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "source-rekeyed")
        assert trial.store.snapshot() == before
    trial.approve("source-rekeyed")
    assert trial.finish().state is LegState.VERIFIED
    assert (trial.store.snapshot() - before).total() == ITEMS


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("change", [restored, moved])
def test_delivered_mail_that_its_user_deleted_does_not_come_back(
    quick_path: Path, change: Callable[[Trial], None], named: bool
) -> None:
    """Nothing of ours is at the target that could be known again: what is known is that it was delivered."""
    trial = copied(quick_path, Phase.LIVE)
    late, received = (letter(700), letter(701)), b"Received: from out.example\r\n"
    for one in late:
        trial.mailbox.deliver(inbox(trial), one)
        trial.store.append(("INBOX",), received + one, frozenset(), None)
    assert trial.run().state is LegState.VERIFIED
    folder = trial.store.folders["INBOX",]
    for number in list(folder.messages):
        if folder.messages[number].raw.startswith(received):
            del folder.messages[number]
    before = trial.store.snapshot()
    change(trial)
    trial.mailbox.deliver(inbox(trial), letter(900) if named else letter(700, "another of that name"))
    for _ in range(2):
        result = trial.finish()
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
        assert not before - trial.store.snapshot()
        assert (trial.store.snapshot() - before).total() == 1
    (summary,) = trial.ledger.summary()
    assert summary.skips == {"delivered-already": 2}
    moved(trial)  # and once more
    assert trial.finish().state is LegState.VERIFIED
    assert (trial.store.snapshot() - before).total() == 1


def test_a_name_that_several_mails_have_says_nothing(quick_path: Path) -> None:
    """Of a scanner that gives every mail the same Message-ID nothing is lost."""
    trial = copied(quick_path, Phase.LIVE)
    dates = (b"\r\nDate: Mon, 1 Feb 2027 10:00:0%d +0100\r\n\r\n" % second for second in (1, 2))
    scans = [letter(3).replace(b"\r\n\r\n", date) for date in dates]
    trial.mailbox.deliver(inbox(trial), scans[0])
    trial.store.append(("INBOX",), scans[0], frozenset(), None)
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    trial.mailbox.delete(list(trial.mailbox.folders[inbox(trial)].messages)[-1])
    trial.mailbox.deliver(inbox(trial), scans[1])
    assert trial.finish().state is LegState.VERIFIED
    assert (trial.store.snapshot() - before).total() == 1


@pytest.mark.parametrize("several", [False, True])
def test_of_a_name_that_is_used_anew_no_later_mail_is_lost(quick_path: Path, several: bool) -> None:
    """What was delivered is no longer at the source when the next mail of that name and size comes, and no
    other mail has the name."""
    trial = copied(quick_path, Phase.LIVE)
    first = letter(700).replace(b"\r\n\r\n", b"\r\nDate: Mon, 1 Feb 2027 10:00:01 +0100\r\n\r\n")
    trial.mailbox.deliver(inbox(trial), first)
    trial.store.append(("INBOX",), first, frozenset(), None)
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    trial.mailbox.delete(list(trial.mailbox.folders[inbox(trial)].messages)[-1])
    assert trial.run().state is LegState.VERIFIED
    for second in (b":02", b":03")[: 1 + several]:
        trial.mailbox.deliver(inbox(trial), first.replace(b":01 ", second + b" "))
    assert trial.finish().state is LegState.VERIFIED
    assert (trial.store.snapshot() - before).total() == 1 + several


@pytest.mark.parametrize("change", [restored, moved])
@pytest.mark.parametrize(
    "make", [calendar_trial, cards_trial, drive_trial], ids=["calendar", "contacts", "files"]
)
def test_objects_that_the_user_of_a_live_target_removed_stay_removed(
    quick_path: Path, make: Callable[[Path], Trial], change: Callable[[Trial], None]
) -> None:
    trial = make(quick_path)
    assert trial.finish().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    empty(trial)
    before = trial.store.snapshot()
    change(trial)
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("change", [False, True])
def test_a_late_file_that_holds_what_a_deleted_one_held_arrives(quick_path: Path, change: bool) -> None:
    """Many files hold nothing, or what a template does. What the user made of the first one is the user's."""
    trial = drive_trial(quick_path)
    assert trial.finish().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    assert isinstance(trial.store, MemoryCabinet)
    there = next(one for one in trial.store.drawers.values() if "a.txt" in one.papers)
    del there.papers["a.txt"]
    where = folder_of(trial.mailbox, "Arbeit").id
    trial.mailbox.delete(file(trial.mailbox, "a.txt"))
    trial.mailbox.deliver(where, b"a.txt", marks("c.txt"))
    if change:
        moved(trial)
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert "c.txt" in there.papers
    assert "a.txt" not in there.papers


@pytest.mark.parametrize("phase", PHASES)
def test_a_group_keeps_its_members_and_a_contact_its_uid(quick_path: Path, phase: Phase) -> None:
    """However often they get other ids: ours are made of the first ones."""
    trial = cards_trial(quick_path)
    home = next(iter(trial.mailbox.folders.values()))
    members = list(home.messages)[:2]
    trial.mailbox.deliver(home.id, group("Kolleginnen", members), LIST)
    assert trial.finish().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before, named = trial.store.snapshot(), uids(trial)
    for change in (restored, moved):
        change(trial)
        *members, name = (list(home.messages)[number] for number in (0, 1, -1))
        trial.mailbox.edit(name, group("Kolleginnen", members))
        steps: list[str] = []
        result = trial.run(steps.append)
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
        assert trial.store.snapshot() == before
        assert not [step for step in steps if step.startswith(WRITES)]
    trial.mailbox.edit(members[0], contact("Person 1", "+49 431 7"))
    assert trial.finish().state is LegState.VERIFIED
    assert uids(trial) == named


def uids(trial: Trial) -> list[bytes]:
    assert isinstance(trial.store, MemoryShelf)
    return sorted(uid for _, _, one in trial.store.objects() for uid in re.findall(rb"UID:([^\r]+)", one.raw))


def empty(trial: Trial) -> None:
    """The user of the target removes everything."""
    store = trial.store
    if isinstance(store, MemoryShelf):
        for collection in store.collections.values():
            collection.objects.clear()
    elif isinstance(store, MemoryCabinet):
        for drawer in store.drawers.values():
            drawer.papers.clear()


def parted(number: int) -> bytes:
    return (
        f"Subject: letter {number}\r\nMessage-ID: <{number}@x.example>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="b{number}"\r\n\r\n--b{number}\r\n\r\nText {number}\r\n'
        f"--b{number}--\r\n"
    ).encode()


@pytest.mark.parametrize("change", [restored, moved])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    "make", [calendar_trial, cards_trial, drive_trial], ids=["calendar", "contacts", "files"]
)
def test_events_and_files_are_known_as_well(
    quick_path: Path, make: Callable[[Path], Trial], phase: Phase, change: Callable[[Trial], None]
) -> None:
    trial = make(quick_path)
    assert trial.finish().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before = trial.store.snapshot()
    change(trial)
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("phase", PHASES)
def test_a_folder_made_anew_takes_its_place_again(quick_path: Path, phase: Phase) -> None:
    """With most of the same messages, and a folder below it."""
    trial = mail_trial(quick_path)
    parent = trial.mailbox.create_folder(("Projekte",))
    child = trial.mailbox.create_folder(("Projekte", "Alt"))
    for number in range(5):
        trial.mailbox.deliver(parent, letter(200 + number))
        trial.mailbox.deliver(child, letter(300 + number))
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before, folders = trial.store.snapshot(), set(trial.store.folders)
    for one in (parent, child):
        trial.mailbox.recreate_folder(one)
    new = next(one for one in trial.mailbox.folders.values() if one.path == ("Projekte",))
    trial.mailbox.delete(next(iter(new.messages)))
    trial.mailbox.deliver(new.id, letter(250))
    for _ in range(2):
        result = trial.finish()
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
        assert set(trial.store.folders) == folders
        after = trial.store.snapshot()
        assert (after - before).total() == 1
        assert (before - after).total() == (0 if phase is Phase.LIVE else 1)
    (leg,) = trial.ledger.legs()
    assert not [loss for _, _, loss in trial.ledger.losses(leg.id) if loss.field == "folder-name"]
    if phase is not Phase.LIVE:  # and it can be renamed like any other
        trial.mailbox.rename_folder(new.id, ("Vorhaben",))
        assert trial.finish().state is LegState.VERIFIED
        assert ("Vorhaben", "Alt") in trial.store.folders
        assert ("Projekte",) not in trial.store.folders
        assert trial.store.snapshot().total() == after.total()


@pytest.mark.parametrize("make", [calendar_trial, cards_trial], ids=["calendar", "contacts"])
def test_a_calendar_made_anew_takes_its_place_again(quick_path: Path, make: Callable[[Path], Trial]) -> None:
    trial = make(quick_path)
    assert trial.finish().state is LegState.VERIFIED
    before, names = trial.store.snapshot(), set(trial.store.collections)
    old = next(one for one in trial.mailbox.folders.values() if one.role is None and one.omit is None)
    trial.mailbox.recreate_folder(old.id)
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.store.snapshot() == before
    assert set(trial.store.collections) == names
