"""The user works on the target: Kogge adds what is late and touches nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from walking import Died, Trial, a_mailbox, dying_at, edit, letter

from ledger.db.rows import LegState, Phase
from mappings.losses.catalogue import lose
from model.errors import Blocked

TOUCHES = ("target.amend", "target.remove", "target.rename")
INBOX = ("INBOX",)
OWN = ("Mine",)
LATE = b"Date: Mon, 1 Feb 2021 10:00:00 +0100\r\n" + letter(301)


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    return trial


def go_live(trial: Trial) -> None:
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")


def use(store: MemoryStore) -> None:
    """What the user does with the new mailbox."""
    messages = store.folders[INBOX].messages
    first, second, *_ = sorted(messages)
    messages[first].flags |= {"\\Answered", "\\Seen"}
    del messages[second]
    store.append(INBOX, letter(300), frozenset({"\\Seen"}), None)


def inbox_id(trial: Trial) -> str:
    return next(folder.id for folder in trial.mailbox.folders.values() if folder.path == ("Posteingang",))


def test_late_items_are_added_and_what_the_user_did_survives(trial: Trial) -> None:
    go_live(trial)
    use(trial.store)
    before = trial.store.snapshot()
    trial.mailbox.deliver(inbox_id(trial), letter(301))
    steps: list[str] = []
    trial.run(steps.append)
    assert (trial.store.snapshot() - before).total() == 1
    assert not before - trial.store.snapshot()
    assert not [step for step in steps if step.startswith(TOUCHES)]


def test_nothing_the_source_changes_reaches_the_user(trial: Trial) -> None:
    go_live(trial)
    before = trial.store.snapshot()
    edit(trial.mailbox)
    result = trial.run()
    assert result.state is LegState.VERIFIED
    assert not before - trial.store.snapshot()
    # The delivered (twice) and the one in a new folder; the moved stays where it was.
    assert (trial.store.snapshot() - before).total() == 3


@pytest.mark.parametrize("emptied", ["messages", "folders"])
def test_an_emptied_source_removes_nothing(trial: Trial, emptied: str) -> None:
    go_live(trial)
    before = trial.store.snapshot()
    for folder in list(trial.mailbox.folders.values()):
        if emptied == "folders":
            trial.mailbox.folders.pop(folder.id)
        else:
            trial.mailbox.shrink(folder.id, 0)
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("name", ["target.amend", "target.remove"])
def test_what_was_open_when_the_phase_began_is_dropped(trial: Trial, name: str) -> None:
    edit(trial.mailbox)

    def refuse(step: str) -> None:
        if step == name:
            raise Blocked("quota-full")

    assert trial.run(refuse).code == "quota-full"
    go_live(trial)
    before = trial.store.snapshot()
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert not before - trial.store.snapshot()


def test_what_the_user_deleted_stays_deleted_when_the_server_renumbers(trial: Trial) -> None:
    go_live(trial)
    use(trial.store)
    before = trial.store.snapshot()
    trial.store.renumber(INBOX)
    trial.run()
    trial.run()
    assert trial.store.snapshot() == before


def read(store: MemoryStore, uid: int) -> None:
    store.folders[INBOX].messages[uid].flags |= {"\\Seen", "\\Answered"}


def move(store: MemoryStore, uid: int) -> None:
    store.move(INBOX, uid, next(path for path in store.folders if path not in (INBOX, OWN)))


def filter_away(store: MemoryStore, uid: int) -> None:
    """As a filter of a mail client does, into a folder that the user made."""
    store.move(INBOX, uid, OWN)


@pytest.mark.parametrize("use_it", [read, move, filter_away])
@pytest.mark.parametrize("killed", [False, True])
def test_late_mail_that_is_used_before_it_was_read_back_has_arrived(
    trial: Trial, use_it: Callable[[MemoryStore, int], object], *, killed: bool
) -> None:
    """Its user sees it at once; the verification comes later: at the end of the pass, or of another one."""
    go_live(trial)
    trial.store.create(OWN)
    trial.mailbox.deliver(inbox_id(trial), LATE)
    used: list[int] = []

    def step(name: str) -> None:
        if name != "target.write done" or used:
            return
        used.append(max(trial.store.folders[INBOX].messages))
        if killed:
            raise Died
        use_it(trial.store, used[0])

    if killed:
        with pytest.raises(Died):
            trial.run(step)
        use_it(trial.store, used[0])
    else:
        trial.run(step)
    assert used
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    copies = [
        one for folder in trial.store.folders.values() for one in folder.messages.values() if one.raw == LATE
    ]
    assert len(copies) == 1


def late(name: bytes) -> bytes:
    """Late mail that has this name in its subject and its Message-ID."""
    return LATE.replace(b"Subject: ", b"Subject: " + name + b" ").replace(b"<301", b"<301-" + name)


def arrive_and_go(trial: Trial, name: bytes) -> None:
    """Late mail that its user deletes for good before it was read back."""
    trial.mailbox.deliver(inbox_id(trial), late(name))
    before = set(trial.store.folders[INBOX].messages)

    def step(name: str) -> None:
        if name == "target.write done":
            for uid in set(trial.store.folders[INBOX].messages) - before:
                del trial.store.folders[INBOX].messages[uid]

    trial.run(step)


def test_late_mail_that_is_gone_before_it_was_read_back_is_a_persons_to_accept(trial: Trial) -> None:
    """It may be lost or deleted. A person decides; what is lost later is not accepted by that."""
    go_live(trial)
    arrive_and_go(trial, b"one")
    result = trial.run()
    assert (result.state, result.code) == (LegState.DIFFERS, "changed-before-check")
    assert trial.findings() == [("+", "changed-before-check")]
    trial.approve("changed-before-check")
    assert trial.run().state is LegState.VERIFIED
    assert trial.run().state is LegState.VERIFIED
    (leg,) = trial.ledger.legs(mailbox=trial.id)
    lost = [loss for *_, loss in trial.ledger.losses(leg.id) if loss.field == "copy"]
    assert lost == [lose("copy", "changed-before-check")]
    arrive_and_go(trial, b"two")
    assert (trial.run().state, trial.run().code) == (LegState.DIFFERS, "changed-before-check")


def one_is_to_be_accepted(trial: Trial) -> None:
    assert trial.run().state is LegState.DIFFERS
    assert trial.findings() == [("+", "changed-before-check")]
    trial.approve("changed-before-check")
    assert trial.run().state is LegState.VERIFIED


def test_what_was_approved_does_not_cover_more_than_was_known(trial: Trial) -> None:
    go_live(trial)
    arrive_and_go(trial, b"one")
    trial.approve("changed-before-check")
    arrive_and_go(trial, b"two")
    one_is_to_be_accepted(trial)


def test_an_approval_before_anything_is_missing_accepts_nothing(trial: Trial) -> None:
    go_live(trial)
    trial.approve("changed-before-check")
    arrive_and_go(trial, b"one")
    assert trial.run().state is LegState.DIFFERS


def test_an_approval_covers_not_one_item_more_than_was_named(trial: Trial) -> None:
    """Ten and one more are one that nobody saw."""
    go_live(trial)
    for number in range(10):
        arrive_and_go(trial, b"known-%d" % number)
    assert len(trial.findings()) == 10
    trial.approve("changed-before-check")
    arrive_and_go(trial, b"unknown")
    assert trial.findings() == [("+", "changed-before-check")]
    assert trial.run().state is LegState.DIFFERS


def test_an_approval_covers_no_other_item_than_was_named(trial: Trial) -> None:
    """What was gone is back; something else is gone, and is as many."""
    go_live(trial)
    arrive_and_go(trial, b"one")
    trial.approve("changed-before-check")
    trial.store.append(INBOX, late(b"one"), frozenset(), None)
    arrive_and_go(trial, b"two")
    assert trial.run().state is LegState.DIFFERS
    assert trial.findings() == [("+", "changed-before-check")]


def test_an_approval_of_the_wave_covers_nothing_that_a_mailbox_loses_later(trial: Trial) -> None:
    """A person approves what others of the wave lost. This one lost something before, and does so again."""
    go_live(trial)
    arrive_and_go(trial, b"one")
    trial.approve("changed-before-check")
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.approve("wave:w", "changed-before-check", "somebody", "of another mailbox")
    arrive_and_go(trial, b"two")
    one_is_to_be_accepted(trial)


def accepted(trial: Trial) -> int:
    (leg,) = trial.ledger.legs(mailbox=trial.id)
    return sum(loss.field == "copy" for *_, loss in trial.ledger.losses(leg.id))


@pytest.mark.parametrize("more", [False, True])
def test_a_worker_that_dies_at_any_commit_neither_wastes_nor_widens_an_approval(
    trial: Trial, quick_path: Path, *, more: bool
) -> None:
    go_live(trial)
    arrive_and_go(trial, b"one")
    trial.approve("changed-before-check")
    if more:
        trial.mailbox.deliver(inbox_id(trial), late(b"two"))
    assert not accepted(trial)
    for number in range(1, 60):
        one = trial.copy(quick_path / f"{number}")
        before = set(one.store.folders[INBOX].messages)
        end = one.commits(dying_at("commit", number))

        def step(name: str, one: Trial = one, before: set[int] = before) -> None:
            if name == "target.write done":
                for uid in set(one.store.folders[INBOX].messages) - before:
                    del one.store.folders[INBOX].messages[uid]

        try:
            one.run(step)
            died = False
        except Died:
            died = True
        end()
        one.run(step)
        assert accepted(one) == 1
        assert len(one.findings()) == more
        if not died:
            break
    assert not died
    assert number > 5


def test_a_folder_that_its_user_removes_at_any_moment_stops_nothing(trial: Trial, quick_path: Path) -> None:
    """The mail that lay in it is gone then, or was found before."""
    go_live(trial)
    trial.store.create(OWN)
    trial.mailbox.deliver(inbox_id(trial), LATE)
    ends: set[tuple[LegState, str | None]] = set()
    for number in range(1, 200):
        one = trial.copy(quick_path / f"{number}")
        one.ledger.set_phase(one.id, Phase.LIVE, "somebody")
        steps: list[str] = []

        def step(name: str, one: Trial = one, steps: list[str] = steps, number: int = number) -> None:
            steps.append(name)
            if name == "target.write done" and OWN in one.store.folders:
                filter_away(one.store, max(one.store.folders[INBOX].messages))
            if len(steps) == number:
                one.store.folders.pop(OWN)

        result = one.run(step)
        ends.add((result.state, result.code))
        if len(steps) < number:
            break
    assert ends == {(LegState.VERIFIED, None), (LegState.DIFFERS, "changed-before-check")}
    assert len(steps) > 20


def test_what_its_user_keeps_in_folders_of_their_own_is_not_read(trial: Trial) -> None:
    """It may be much, and an item that is gone is looked for each night."""
    go_live(trial)
    trial.store.create(OWN)
    for number in range(400, 450):
        trial.store.append(OWN, letter(number, "y" * number), frozenset(), None)
    arrive_and_go(trial, b"one")
    steps: list[str] = []
    assert trial.run(steps.append).code == "changed-before-check"
    assert steps.count("target.read") < 3
