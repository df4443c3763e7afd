"""Calling misdirected mail back: wherever in the account it lies, and with a word on what was read."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from undoing import Undoing, undone
from walking import Died, Trial, a_mailbox, letter

from engine.rollback.run import approved
from engine.rollback.run_many import RollbackResult, with_earlier
from ledger.db.rows import LegState, Phase, State
from ledger.leg.rollback import APPROVAL, RECALL

INBOX = ("INBOX",)
PRIVATE = ("Privat",)


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    """Somebody else's mail is in the account, and its owner used it."""
    trial = Trial(quick_path, a_mailbox(9), MemoryStore(), Phase.LIVE)
    assert trial.run().state is LegState.VERIFIED
    store = trial.store
    assert isinstance(store, MemoryStore)
    messages = store.folders[INBOX].messages
    unread = [uid for uid in sorted(messages) if "\\Seen" not in messages[uid].flags]
    messages[unread[0]].flags |= {"\\Seen"}
    messages[unread[1]].flags |= {"\\Seen", "\\Answered", "$Forwarded"}
    store.create(PRIVATE)
    store.move(INBOX, unread[1], PRIVATE)
    store.append(PRIVATE, letter(300), frozenset(), None)
    return trial


def test_ours_go_from_whatever_folder_and_its_owners_stay(trial: Trial) -> None:
    assert isinstance(trial.store, MemoryStore)
    items = sum(trial.store.snapshot().values())
    undoing = undone(trial, recall=True)
    assert undoing.counts["ours"] == items - 1
    ((path, *_),) = trial.store.snapshot()
    assert path == PRIVATE


def test_it_says_what_was_read_answered_and_forwarded(trial: Trial) -> None:
    undoing = undone(trial, recall=True)
    marks = {name: undoing.counts[name] for name in ("read", "answered", "forwarded")}
    assert marks == {"read": 2, "answered": 1, "forwarded": 1}
    assert undoing.counts["read-before"] > 0
    (answered,) = [line for line in undoing.report.lines or () if line.answered == "yes"]
    assert (answered.read, answered.forwarded, answered.outcome) == ("yes", "yes", "ours")
    assert answered.message_id


def test_what_was_read_is_known_though_a_worker_died(trial: Trial) -> None:
    undoing = Undoing(trial, recall=True)
    undoing.approve()

    def die(step: str) -> None:
        if step == "target.remove done":
            raise Died

    with pytest.raises(Died):
        undoing.run(die)
    assert undoing.run().code == "rolled-back"
    assert undoing.counts["ours"] < 14
    row, _ = undoing.order()
    undoing.run()
    whole = with_earlier(trial.ledger, RollbackResult(row, undoing.report))
    assert whole.report.counts["read"] == 2
    assert whole.report.counts["answered"] == 1


def test_what_its_owner_deleted_for_good_is_forgotten(trial: Trial) -> None:
    assert isinstance(trial.store, MemoryStore)
    trial.store.folders[INBOX].messages.popitem()
    undoing = undone(trial, recall=True)
    assert undoing.counts["gone"] == 1
    assert set(trial.states()) == {State.SEEN}


def test_a_look_finds_the_same_and_changes_nothing(trial: Trial) -> None:
    before = trial.store.snapshot()
    told = Undoing(trial, recall=True).look()
    assert trial.store.snapshot() == before
    assert undone(trial, recall=True).counts == told


@pytest.mark.parametrize("begun", [False, True])
def test_a_rollback_that_was_approved_is_no_recall(trial: Trial, begun: bool) -> None:
    """Whoever starts it chooses no more than was approved, also where one was begun without."""
    trial.ledger.approve(trial.id, APPROVAL, "somebody", "the wrong time zone")
    if begun:

        def die(step: str) -> None:
            if step == "target.remove":
                raise Died

        with pytest.raises(Died):
            Undoing(trial).run(die)
    before = trial.store.snapshot()
    asked = Undoing(trial, recall=True)
    assert asked.run().code == "not-approved"
    assert trial.store.snapshot() == before
    mailboxes = trial.ledger.mailboxes()
    assert approved(trial.ledger, mailboxes) == {trial.id}
    assert approved(trial.ledger, mailboxes, recall=True) == frozenset()
    trial.ledger.approve(trial.id, RECALL, "somebody", "it is another person's mail")
    assert approved(trial.ledger, mailboxes, recall=True) == {trial.id}
    assert asked.run().code == "rolled-back"


def test_a_recall_is_approved_for_one_time(trial: Trial) -> None:
    undone(trial, recall=True)
    assert not trial.ledger.approved(trial.id, RECALL)
    assert not trial.ledger.approved(trial.id, APPROVAL)
