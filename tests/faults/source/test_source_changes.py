"""What servers and people do to whole folders: shrunk, rekeyed, renumbered, renamed, made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from walking import SOURCE, Died, Trial, a_mailbox, letter

from engine.leg.run import Task
from ledger.db.rows import LegState
from model.protocols import Role

WRITES = tuple(f"target.{verb}" for verb in ("write", "append", "amend", "remove", "ensure", "rename"))


def full(directory: Path, items: int = 40, folders: int = 1) -> Trial:
    """INBOX and further folders of so many items each."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=50)
    mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(folders - 1):
        mailbox.create_folder((f"Folder {number}",))
    for folder in mailbox.folders:
        for number in range(items):
            mailbox.deliver(folder, letter(number, f"{folder} {number}"))
    trial = Trial(directory, mailbox, MemoryStore(batch=50))
    trial.pace = type(trial.pace)(batch=50, grace=0.0, pause=0.0)
    assert trial.run().state is LegState.VERIFIED
    return trial


def inbox(trial: Trial) -> str:
    return next(iter(trial.mailbox.folders))


def shrunk(trial: Trial) -> None:
    trial.mailbox.shrink(inbox(trial), 5)


def emptied(trial: Trial) -> None:
    trial.mailbox.shrink(inbox(trial), 0)
    trial.mailbox.lose_cursors()


def exchanged(trial: Trial) -> None:
    """As many new items, none of which is one of those that are gone."""
    trial.mailbox.shrink(inbox(trial), 0)
    for number in range(40):
        trial.mailbox.deliver(inbox(trial), letter(500 + number))


def without_folders(trial: Trial) -> None:
    trial.mailbox.folders.clear()


SUSPICIOUS = [
    (shrunk, "source-shrunk"),
    (emptied, "source-shrunk"),
    (exchanged, "source-rekeyed"),
    (without_folders, "source-shrunk"),
]


@pytest.mark.parametrize(("change", "code"), SUSPICIOUS, ids=[change.__name__ for change, _ in SUSPICIOUS])
def test_it_blocks_until_approved(quick_path: Path, change: Callable[[Trial], None], code: str) -> None:
    trial = full(quick_path)
    before = trial.store.snapshot()
    change(trial)
    for _ in range(2):
        steps: list[str] = []
        result = trial.run(steps.append)
        assert (result.state, result.code) == (LegState.BLOCKED, code)
        assert trial.store.snapshot() == before
        assert not [step for step in steps if step.startswith(WRITES)]
    trial.approve(code)
    if code == "source-rekeyed":
        assert trial.run().code == "source-shrunk"
        trial.approve("source-shrunk")
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == len(list(trial.mailbox.messages()))


@pytest.mark.parametrize("subject", ["mailbox", "wave"])
def test_an_approval_is_good_for_one_pass(quick_path: Path, subject: str) -> None:
    trial = full(quick_path, items=60)
    trial.mailbox.shrink(inbox(trial), 35)
    assert trial.run().code == "source-shrunk"
    trial.ledger.approve(trial.id if subject == "mailbox" else "wave:w", "source-shrunk", "somebody", "seen")
    trial.ledger.requeue()
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    trial.mailbox.shrink(inbox(trial), 0)
    assert trial.run().code == "source-shrunk"
    assert trial.store.snapshot() == before


def test_many_small_folders_are_as_suspicious_as_a_large_one(quick_path: Path) -> None:
    trial = full(quick_path, items=5, folders=8)
    before = trial.store.snapshot()
    for folder in list(trial.mailbox.folders)[2:]:
        trial.mailbox.delete_folder(folder)
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "source-shrunk")
    assert trial.store.snapshot() == before
    trial.approve("source-shrunk")
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == 10


def test_moves_within_the_mailbox_are_no_loss(quick_path: Path) -> None:
    trial = full(quick_path, folders=2)
    first, second = trial.mailbox.folders
    for item in list(trial.mailbox.folders[first].messages)[:35]:
        trial.mailbox.move(item, second)
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert len(trial.store.folders["INBOX",].messages) == 5
    assert len(trial.store.folders["Folder 0",].messages) == 75


def test_few_deletions_are_a_person_tidying_up(quick_path: Path) -> None:
    trial = full(quick_path)
    trial.mailbox.shrink(inbox(trial), 21)
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == 21


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = Trial(quick_path, a_mailbox(6), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    return trial


def folder(trial: Trial, *path: str) -> str:
    return next(one.id for one in trial.mailbox.folders.values() if one.path == path)


def test_another_uidvalidity_copies_nothing_again(trial: Trial) -> None:
    before = trial.store.snapshot()
    for path in trial.store.folders:
        trial.store.renumber(path)
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert trial.store.snapshot() == before
    assert not [step for step in steps if step.startswith(WRITES)]


@pytest.mark.parametrize("at", ["target.amend", "target.remove", "target.write", "target.listing"])
def test_another_uidvalidity_in_the_middle_of_a_pass(trial: Trial, at: str) -> None:
    """New hrefs and void ones in one folder."""
    source = folder(trial, "Posteingang")
    messages = list(trial.mailbox.folders[source].messages)
    trial.mailbox.mark(messages[0], Marks(read=True, last_verb=102))
    trial.mailbox.delete(messages[1])
    trial.mailbox.deliver(source, letter(400))
    done = False

    def step(name: str) -> None:
        nonlocal done
        if name == at and not done:
            done = True
            trial.store.renumber(("INBOX",))

    trial.run(step)
    assert done
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.store.snapshot().total() == len(list(trial.mailbox.messages()))


@pytest.mark.parametrize("incremental", [True, False])
def test_a_lost_cursor_copies_nothing_again(trial: Trial, incremental: bool) -> None:
    trial.mailbox.incremental = incremental
    before = trial.store.snapshot()
    trial.mailbox.lose_cursors()
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert not [step for step in steps if step.startswith(WRITES)]
    assert trial.store.snapshot() == before


def test_deletions_are_found_without_a_cursor(trial: Trial) -> None:
    trial.mailbox.delete(next(iter(trial.mailbox.folders[folder(trial, "Posteingang")].messages)))
    trial.mailbox.lose_cursors()
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == len(list(trial.mailbox.messages()))


def test_folders_are_renamed_and_moved_with_what_is_below(trial: Trial) -> None:
    new = trial.mailbox.create_folder(("Projekte",))
    child = trial.mailbox.create_folder(("Projekte", "Alt"))
    for where in (new, child):
        trial.mailbox.deliver(where, letter(410))
    trial.run()
    uids = trial.store.folders["Projekte", "Alt"].uidvalidity
    trial.mailbox.rename_folder(new, ("Posteingang", "Vorhaben"))
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert ("Projekte",) not in trial.store.folders
    assert trial.store.folders["INBOX", "Vorhaben", "Alt"].uidvalidity == uids
    assert not [step for step in steps if step.startswith(("target.write", "target.remove"))]


def test_a_name_that_is_taken_keeps_the_old_place(trial: Trial) -> None:
    new = trial.mailbox.create_folder(("Projekte",))
    trial.mailbox.deliver(new, letter(410))
    trial.run()
    trial.store.create(("Vorhaben",))
    trial.mailbox.rename_folder(new, ("Vorhaben",))
    assert trial.run().state is LegState.VERIFIED
    assert len(trial.store.folders["Projekte",].messages) == 1
    (leg,) = trial.ledger.legs()
    assert "rename-refused" in {loss.reason for _, _, loss in trial.ledger.losses(leg.id)}


def test_a_new_folder_does_not_get_the_place_of_one_that_cannot_leave_it(trial: Trial) -> None:
    old = trial.mailbox.create_folder(("Projekte",))
    trial.mailbox.deliver(old, letter(410))
    trial.run()
    trial.store.create(("Vorhaben",))
    trial.mailbox.rename_folder(old, ("Vorhaben",))
    trial.mailbox.deliver(trial.mailbox.create_folder(("Projekte",)), letter(411))
    trial.mailbox.deliver(trial.mailbox.create_folder(("Vorhaben", "Neu")), letter(412))
    for _ in range(2):
        assert trial.run().state is LegState.VERIFIED
    places = [("Projekte",), ("Projekte (2)",), ("Projekte", "Neu")]
    assert [len(trial.store.folders[place].messages) for place in places] == [1, 1, 1]
    (leg,) = trial.ledger.legs()
    assert {"rename-refused", "taken"} <= {loss.reason for _, _, loss in trial.ledger.losses(leg.id)}


def test_a_folder_that_was_made_anew_leaves_its_name_for_another(trial: Trial) -> None:
    """The folder of the former id is no folder any more that could have a name."""
    made = trial.mailbox.create_folder(("Projekte",))
    trial.mailbox.deliver(made, letter(410))
    trial.run()
    again = trial.mailbox.recreate_folder(made)
    trial.run()
    trial.mailbox.rename_folder(again, ("Vorhaben",))
    trial.mailbox.deliver(trial.mailbox.create_folder(("Projekte",)), letter(411))
    assert trial.run().state is LegState.VERIFIED
    assert [len(trial.store.folders[name,].messages) for name in ("Vorhaben", "Projekte")] == [1, 1]


def test_a_deleted_folder_comes_back_beside_the_one_that_took_its_name(trial: Trial) -> None:
    """Out of the recycle bin, under another name and with its own id."""
    made = trial.mailbox.create_folder(("Projekte",))
    trial.mailbox.deliver(made, letter(410))
    trial.run()
    old = trial.mailbox.folders.pop(made)
    trial.mailbox.deliver(trial.mailbox.create_folder(("Projekte",)), letter(411))
    assert trial.run().state is LegState.VERIFIED
    old.path = ("Projekte 1",)
    trial.mailbox.folders[made] = old
    assert trial.run().state is LegState.VERIFIED
    assert [len(trial.store.folders[name,].messages) for name in ("Projekte", "Projekte 1")] == [1, 1]


def test_a_folder_that_is_gone_and_stays_empty_is_named(trial: Trial) -> None:
    new = trial.mailbox.create_folder(("Projekte",))
    trial.mailbox.deliver(new, letter(410))
    trial.run()
    trial.mailbox.delete_folder(new)
    for _ in range(2):
        assert trial.run().state is LegState.VERIFIED
    assert not trial.store.folders["Projekte",].messages
    (leg,) = trial.ledger.legs()
    assert [loss.reason for _, _, loss in trial.ledger.losses(leg.id)].count("left-empty") == 1


def test_two_folders_change_names(trial: Trial) -> None:
    one, two = trial.mailbox.create_folder(("Eins",)), trial.mailbox.create_folder(("Zwei",))
    for where, number in ((one, 410), (two, 411)):
        trial.mailbox.deliver(where, letter(number))
    trial.run()
    before = trial.store.snapshot()
    trial.mailbox.folders[one].path, trial.mailbox.folders[two].path = ("Zwei",), ("Eins",)
    assert trial.finish().state is LegState.VERIFIED
    digests = {digest for _, digest, _, _ in before}
    assert {digest for _, digest, _, _ in trial.store.snapshot()} == digests
    assert trial.store.snapshot().total() == before.total()


def test_a_folder_deleted_with_its_children_and_made_anew(trial: Trial) -> None:
    parent = trial.mailbox.create_folder(("Projekte",))
    child = trial.mailbox.create_folder(("Projekte", "Alt"))
    for where in (parent, child):
        trial.mailbox.deliver(where, letter(410))
    trial.run()
    trial.mailbox.delete_folder(parent)
    again = trial.mailbox.create_folder(("Projekte",))
    trial.mailbox.deliver(trial.mailbox.create_folder(("Projekte", "Alt")), letter(411))
    trial.mailbox.deliver(again, letter(412))
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot().total() == len(list(trial.mailbox.messages()))


def test_a_folder_deleted_while_it_is_listed(trial: Trial) -> None:
    new = trial.mailbox.create_folder(("Kurz",))
    trial.mailbox.deliver(new, letter(410))
    left = True

    def step(name: str) -> None:
        nonlocal left
        if name == "source.containers done" and left:
            left = False
            trial.mailbox.delete_folder(new)

    result = trial.run(step)
    assert (result.state, result.code) == (LegState.VERIFIED, None)


def test_a_folder_seen_in_a_dry_run_and_gone_before_the_first(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(4), MemoryStore())
    new = trial.mailbox.create_folder(("Kurz",))
    trial.mailbox.deliver(new, letter(410))
    steps: list[str] = []
    assert trial.run(steps.append, Task(dry=True)).code == "dry-run"
    assert not [step for step in steps if step.startswith(WRITES)]
    trial.mailbox.delete_folder(new)
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)


def test_a_target_folder_that_somebody_removed_while_a_write_was_unsettled(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(4), MemoryStore())

    def die(name: str) -> None:
        if name == "target.write" and ("Entwürfe",) in trial.store.folders:
            raise Died

    with pytest.raises(Died):
        trial.run(die)
    del trial.store.folders["Entwürfe",]
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot().total() == len(list(trial.mailbox.messages()))


@pytest.mark.parametrize("sent", [False, True])
def test_a_draft_that_was_edited(trial: Trial, sent: bool) -> None:
    drafts = folder(trial, "Entwürfe")
    (item,) = trial.mailbox.folders[drafts].messages
    trial.mailbox.edit(item, letter(88, "another text"))
    if sent:
        trial.mailbox.mark(item, Marks(draft=False, read=True))
    assert trial.run().state is LegState.VERIFIED
    (message,) = trial.store.folders["Entwürfe",].messages.values()
    assert b"another text" in message.raw
    assert ("\\Draft" in message.flags) is not sent


def test_mail_that_is_no_draft_is_never_written_again(trial: Trial) -> None:
    """R5: a new version of it is flags, whatever its bytes look like at the next read."""
    source = folder(trial, "Posteingang")
    before = {uid: message.raw for uid, message in trial.store.folders["INBOX",].messages.items()}
    for item in trial.mailbox.folders[source].messages:
        trial.mailbox.touch(item)
    trial.mailbox.rebuilds = True
    assert trial.run().state is LegState.VERIFIED
    assert {uid: m.raw for uid, m in trial.store.folders["INBOX",].messages.items()} == before
