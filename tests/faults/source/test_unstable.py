"""An item that its source gives otherwise at each reading is named, and a person may accept it."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from walking import Trial, a_mailbox, letter

from engine.leg.run import Task
from engine.verify.compare import Level
from engine.verify.source import APART
from kogge.shown.failed_items import differing
from ledger.db.rows import LegState, State
from model.protocols import Loss, key_of

WHOLE = Task(Level.BOTH)
STAMPED = b"From: a@x.example\r\nSubject: stamped\r\n\r\nrendered at %d\r\n"


def restless(directory: Path) -> tuple[Trial, str]:
    """With a mail that has a time stamp in its body."""
    mailbox = a_mailbox(3)
    inbox = next(one.id for one in mailbox.folders.values() if one.path == ("Posteingang",))
    item = mailbox.deliver(inbox, letter(7))
    mailbox.restless[item] = STAMPED
    return Trial(directory, mailbox, MemoryStore()), item


def test_it_is_named_with_its_item_and_code(quick_path: Path) -> None:
    trial, item = restless(quick_path)
    result = trial.run(task=WHOLE)
    assert (result.state, result.code) == (LegState.DIFFERS, "unstable-at-source")
    (failure,) = differing(trial.ledger.differing())
    assert (failure.code, failure.key) == ("unstable-at-source", key_of(item).hex())
    assert failure.item is not None
    assert failure.container.path == ("Posteingang",)


def test_only_a_reading_of_both_sides_sees_it(quick_path: Path) -> None:
    trial, _ = restless(quick_path)
    assert trial.run().state is LegState.VERIFIED


def test_no_pass_writes_it_again(quick_path: Path) -> None:
    trial, _ = restless(quick_path)
    trial.run(task=WHOLE)
    before = trial.store.snapshot()
    assert trial.run(task=WHOLE).tally.replaced == 0
    assert trial.store.snapshot() == before


def test_accepted_it_is_a_loss_and_the_leg_verifies(quick_path: Path) -> None:
    trial, item = restless(quick_path)
    trial.run(task=WHOLE)
    trial.approve("unstable-at-source")
    result = trial.run(task=WHOLE)
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    (leg,) = trial.ledger.legs()
    lost = {key: loss for _, key, loss in trial.ledger.losses(leg.id) if loss.field == "copy"}
    assert lost == {key_of(item): Loss("copy", "unstable-at-source")}
    assert trial.states()[State.WRITTEN] == 0
    assert list(trial.ledger.differing()) == []
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED


def test_a_weaker_verification_does_not_hide_it(quick_path: Path) -> None:
    """A nightly pass and `kogge verify` read no body of the source but those that differed there."""
    trial, _ = restless(quick_path)
    trial.run(task=WHOLE)
    for task in (Task(Level.TARGET, copy=False), Task(Level.TARGET), Task(Level.COUNTS, copy=False)):
        result = trial.run(task=task)
        assert (result.state, result.code) == (LegState.DIFFERS, "unstable-at-source")
        assert trial.findings() == [("*", "unstable-at-source")]
    trial.approve("unstable-at-source")
    for task in (Task(Level.TARGET, copy=False), WHOLE, Task(Level.BOTH, copy=False)):
        assert trial.run(task=task).state is LegState.VERIFIED


def test_two_readings_that_are_equal_by_chance_are_not_asked_about_again(quick_path: Path) -> None:
    """The server renders the second in which it is read; what was accepted has the other code then."""
    trial, _ = restless(quick_path)
    assert trial.run(task=WHOLE).code == "unstable-at-source"
    trial.approve("unstable-at-source")
    trial.mailbox.stamps = [7] * 20
    for _ in range(2):
        assert trial.run(task=WHOLE).state is LegState.VERIFIED
    trial.mailbox.stamps = []
    assert trial.run(task=WHOLE).state is LegState.VERIFIED


def test_an_approval_covers_the_item_that_was_named_and_not_the_next(quick_path: Path) -> None:
    trial, item = restless(quick_path)
    trial.run(task=WHOLE)
    trial.approve("unstable-at-source")
    assert trial.run(task=WHOLE).state is LegState.VERIFIED
    inbox = next(one.id for one in trial.mailbox.folders.values() if one.path == ("Posteingang",))
    other = trial.mailbox.deliver(inbox, letter(8))
    trial.mailbox.restless[other] = STAMPED
    result = trial.run(task=WHOLE)
    assert (result.state, result.code) == (LegState.DIFFERS, "unstable-at-source")
    (failure,) = differing(trial.ledger.differing())
    assert failure.key == key_of(other).hex() != key_of(item).hex()
    trial.approve("unstable-at-source")
    assert trial.run(task=WHOLE).state is LegState.VERIFIED
    assert trial.run(task=WHOLE).state is LegState.VERIFIED


@pytest.mark.parametrize("subject", ["of the mailbox", "of the wave"])
def test_an_approval_before_anything_differs_accepts_nothing(quick_path: Path, subject: str) -> None:
    trial, _ = restless(quick_path)
    of = trial.id if subject == "of the mailbox" else "wave:w"
    trial.ledger.approve(of, "unstable-at-source", "somebody", "beforehand")
    for _ in range(2):
        assert trial.run(task=WHOLE).code == "unstable-at-source"


def test_accepted_mail_that_changes_at_the_source_is_asked_about_again(quick_path: Path) -> None:
    """Also by a pass that reads no other body of the source. The same mail unchanged is not asked about."""
    trial = Trial(quick_path, a_mailbox(3), MemoryStore())
    assert trial.run(task=WHOLE).state is LegState.VERIFIED
    inbox = next(one for one in trial.mailbox.folders.values() if one.path == ("Posteingang",))
    first, second = sorted(inbox.messages)[:2]
    trial.mailbox.edit(first, letter(900))
    assert trial.run(task=WHOLE).code == "differs-at-source"
    trial.approve("differs-at-source")
    for _ in range(2):
        assert trial.run(task=WHOLE).state is LegState.VERIFIED
    trial.mailbox.edit(second, letter(901))
    assert trial.run(task=WHOLE).code == "differs-at-source"
    (failure,) = differing(trial.ledger.differing())
    assert failure.key == key_of(second).hex()
    trial.approve("differs-at-source")
    assert trial.run(task=WHOLE).state is LegState.VERIFIED
    trial.mailbox.edit(first, letter(902))
    for _ in range(2):
        assert trial.run().code == "differs-at-source"
        (failure,) = differing(trial.ledger.differing())
        assert failure.key == key_of(first).hex()


def test_another_difference_is_not_accepted_with_it(quick_path: Path) -> None:
    trial, _ = restless(quick_path)
    trial.run(task=WHOLE)
    trial.approve("unstable-at-source")
    assert isinstance(trial.store, MemoryStore)
    trial.store.alter(("INBOX",), min(trial.store.folders["INBOX",].messages), letter(900))
    result = trial.run(task=Task(Level.BOTH, copy=False))
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")


def test_what_is_as_one_of_two_readings_is_fine(quick_path: Path) -> None:
    """Copied as the first two readings have it; the verification reads another stamp, then that one again."""
    trial, _ = restless(quick_path)
    trial.mailbox.stamps = [1, 2, 1]
    assert trial.run(task=WHOLE).state is LegState.VERIFIED
    assert trial.findings() == [("~", "")]


def test_a_stale_copy_is_not_called_unstable(quick_path: Path) -> None:
    trial, _ = restless(quick_path)
    trial.mailbox.stamps = [1, *[2] * 20]
    result = trial.run(task=WHOLE)
    assert (result.state, result.code) == (LegState.DIFFERS, "differs-at-source")
    assert trial.findings() == [("*", "differs-at-source")]


def test_mail_that_a_category_renders_anew_is_not_written_again(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(3), MemoryStore())
    assert trial.run(task=WHOLE).state is LegState.VERIFIED
    before = trial.store.snapshot()
    inbox = next(one for one in trial.mailbox.folders.values() if one.path == ("Posteingang",))
    trial.mailbox.edit(min(inbox.messages), letter(900))
    results = [trial.run(task=WHOLE) for _ in range(2)]
    assert {(one.code, one.tally.replaced) for one in results} == {("differs-at-source", 0)}
    assert trial.store.snapshot() == before
    trial.approve("differs-at-source")
    assert trial.run(task=WHOLE).state is LegState.VERIFIED


@pytest.mark.parametrize("approved", [False, True])
def test_what_the_target_keeps_otherwise_is_not_rewritten_for_ever(quick_path: Path, approved: bool) -> None:
    trial = Trial(quick_path, a_mailbox(3), MemoryStore(stubborn=letter(1)))
    results = [trial.run(), trial.run()]
    assert [one.code for one in results] == ["kept-otherwise"] * 2
    assert [one.tally.replaced for one in results] == [2, 0]
    assert trial.findings() == [("*", "kept-otherwise:date")]
    if approved:
        trial.approve("kept-otherwise")
        for _ in range(2):
            result = trial.run()
            assert (result.state, result.code, result.tally.replaced) == (LegState.VERIFIED, None, 0)


def test_an_approval_of_what_is_kept_otherwise_covers_no_later_item(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(3), MemoryStore(stubborn=letter(1)))
    assert trial.run().code == "kept-otherwise"
    trial.approve("kept-otherwise")
    assert trial.run().state is LegState.VERIFIED
    assert isinstance(trial.store, MemoryStore)
    trial.store.stubborn = letter(8)
    inbox = next(one.id for one in trial.mailbox.folders.values() if one.path == ("Posteingang",))
    trial.mailbox.deliver(inbox, letter(8))
    for _ in range(2):
        assert trial.run().code == "kept-otherwise"
        assert trial.findings() == [("*", "kept-otherwise:date")]
    trial.approve("kept-otherwise")
    for _ in range(2):
        assert trial.run().state is LegState.VERIFIED


def test_what_was_mended_after_all_starts_anew(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(3), MemoryStore(stubborn=letter(1)))
    trial.run()
    assert isinstance(trial.store, MemoryStore)
    trial.store.stubborn = b""
    trial.ledger.requeue()
    assert trial.run().state is LegState.VERIFIED
    trial.store.stubborn = letter(1)
    message = next(one for one in trial.store.folders["INBOX",].messages.values() if one.raw == letter(1))
    message.date = trial.store.now()
    assert trial.run(task=Task(Level.TARGET, copy=False)).code == "verification-differs"
    result = trial.run()
    assert (result.code, result.tally.replaced) == ("kept-otherwise", 2)


def test_a_server_that_renders_the_second_is_read_again_in_another_one(quick_path: Path) -> None:
    """Two readings within a second agree, and the source would pass for changed. One wait does for all."""
    trial, _ = restless(quick_path)
    folder = next(one.id for one in trial.mailbox.folders.values() if one.path != ("Posteingang",))
    trial.mailbox.restless[trial.mailbox.deliver(folder, letter(8))] = STAMPED

    class Seconds(list[int]):
        """Of a clock that stands while nobody waits."""

        def pop(self, _at: object = -1) -> int:
            return self[0] + int(sum(trial.slept))

    trial.mailbox.stamps = Seconds([100])
    assert trial.run().state is LegState.VERIFIED
    trial.mailbox.stamps[0] = 200
    trial.slept.clear()
    result = trial.run(task=Task(Level.BOTH, copy=False))
    assert (result.state, result.code) == (LegState.DIFFERS, "unstable-at-source")
    assert trial.findings() == [("*", "unstable-at-source")] * 2
    assert trial.slept == [APART]
