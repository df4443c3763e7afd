"""Taking back what was moved: exactly ours, as we wrote it, and nothing that a person made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from undoing import Undoing, repaired, undone
from walking import Trial, a_mailbox, letter

from engine.leg.repair_walk import What
from ledger.db.rows import LegState, Phase, State

INBOX = ("INBOX",)


@pytest.fixture(params=list(Phase))
def trial(quick_path: Path, request: pytest.FixtureRequest) -> Trial:
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, request.param, "somebody")
    return trial


def users_work(store: MemoryStore) -> None:
    """A mail is read and answered, one is moved, one deleted, one is new in our folder."""
    messages = store.folders[INBOX].messages
    first, second, third, *_ = sorted(messages)
    messages[first].flags |= {"\\Seen", "\\Answered"}
    store.create(("Privat",))
    store.move(INBOX, second, ("Privat",))
    del messages[third]
    store.append(INBOX, letter(300), frozenset(), None)


def test_all_of_it_goes_and_the_account_is_as_it_was(trial: Trial) -> None:
    items = sum(trial.store.snapshot().values())
    undoing = undone(trial)
    assert undoing.counts["ours"] == items
    assert not trial.store.snapshot()
    assert set(trial.store.folders) == {INBOX}
    assert set(trial.states()) == {State.SEEN}
    assert not undone_again(undoing)["ours"]


def undone_again(undoing: Undoing) -> dict[str, int]:
    undoing.approve()
    undoing.run()
    return undoing.counts


def test_the_look_tells_what_will_be_and_changes_nothing(trial: Trial) -> None:
    users_work(trial.store)
    before, states = trial.store.snapshot(), trial.states()
    folders = set(trial.store.folders)
    told = Undoing(trial).look()
    assert (trial.store.snapshot(), set(trial.store.folders)) == (before, folders)
    assert trial.states() == states
    (leg,) = trial.ledger.legs()
    assert leg.state is LegState.VERIFIED
    assert undone(trial).counts == told


def test_what_users_did_stays_and_flags_do_not_count(trial: Trial) -> None:
    items = sum(trial.store.snapshot().values())
    users_work(trial.store)
    undoing = undone(trial)
    assert undoing.counts["ours"] == items - 2  # the moved and the deleted one are not where they were
    assert (undoing.counts["gone"], undoing.counts["added"]) == (2, 1)
    assert {path for path, *_ in trial.store.snapshot()} == {INBOX, ("Privat",)}
    assert sum(trial.store.snapshot().values()) == 2
    kept = {(line.outcome, line.folder) for line in undoing.report.lines or () if line.outcome != "ours"}
    assert kept == {("gone", "Posteingang"), ("added", "Posteingang")}


def test_nothing_goes_without_an_approval(trial: Trial) -> None:
    before = trial.store.snapshot()
    trial.ledger.approve(trial.id, "target-not-empty", "somebody", "something else")
    result = Undoing(trial).run()
    assert (result.state, result.code) == (LegState.VERIFIED, "not-approved")
    assert trial.store.snapshot() == before


def test_an_approval_counts_once(trial: Trial) -> None:
    undone(trial)
    trial.ledger.requeue()
    assert trial.run().state is LegState.VERIFIED
    assert Undoing(trial).run().code == "not-approved"


def test_rolled_back_and_moved_again_is_as_never_rolled_back(trial: Trial) -> None:
    before = trial.store.snapshot()
    undone(trial)
    assert trial.ledger.requeue() == 1
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot() == before


def test_another_account_under_the_same_login_loses_nothing(trial: Trial) -> None:
    before = trial.store.snapshot()
    trial.store.id = "another"
    undoing = Undoing(trial)
    undoing.approve()
    assert undoing.run().code == "identity-changed"
    assert trial.store.snapshot() == before


def test_both_ends_are_recorded(trial: Trial) -> None:
    undone(trial)
    events = [event for event in trial.ledger.events("w") if event.subject == trial.id]
    started, ended, spent = events[-3:]
    assert [event.kind for event in (started, ended, spent)] == [
        "rollback-started",
        "rolled-back",
        "approval-spent:rollback",
    ]
    assert started.detail["items"] == ended.detail["ours"]
    trial.ledger.verify_events()


def test_a_renumbered_folder_is_known_by_digest(trial: Trial) -> None:
    trial.store.renumber(INBOX)
    undone(trial)
    assert not trial.store.snapshot()


def test_never_moved_means_nothing_to_do(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(2), MemoryStore())
    undoing = undone(trial)
    assert not undoing.counts
    assert set(trial.store.folders) == {INBOX}


@pytest.mark.parametrize("repairs", [False, True])
def test_what_its_user_had_before_stays_when_ours_is_gone(quick_path: Path, repairs: bool) -> None:
    """The same mail was there already, and its user deleted our copy of it."""
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    trial.store.append(INBOX, letter(1), frozenset(), None)
    trial.ledger.approve(trial.id, "target-not-empty", "A. Auditor", "known")
    assert trial.run().state is LegState.DIFFERS, "it is there twice"
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    messages = trial.store.folders[INBOX].messages
    first, *others = sorted(uid for uid, one in messages.items() if one.raw == letter(1))
    assert others, "one of ours"
    for uid in others:
        del messages[uid]
    if repairs:
        assert repaired(trial, What.DATES).code is None
    undone(trial)
    assert list(trial.store.folders[INBOX].messages) == [first]
