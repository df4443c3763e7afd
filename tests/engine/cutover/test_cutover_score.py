"""A cutover whose score is low: who answers for it, and for which numbers."""

from __future__ import annotations

import pytest
from cutting import Rig, inbox_id
from memory.doubles import MemoryStore
from walking import letter

from engine.approvals.low_score_approval import accept
from engine.approvals.score import scores
from engine.cutover.stopped import Stop, stops
from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase
from model.errors import Blocked, Misconfigured


def low_beforehand(rig: Rig) -> None:
    """Its score is known to be low, and no cutover has begun."""
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(205, "y" * 500))
    rig.trial.run(task=Task(Level.BOTH))
    assert scores(rig.trial.ledger, [rig.trial.id])[rig.trial.id].rating == "poor"


def test_a_score_that_is_known_to_be_low_stops_before_the_freeze_hooks(rig: Rig) -> None:
    low_beforehand(rig)
    assert rig.cut().code == "score-low"
    assert (rig.phase, rig.log, rig.states()) == (Phase.STAGING, [], {})


def test_who_was_refused_for_their_score_needs_a_person_until_one_decides(rig: Rig) -> None:
    low_beforehand(rig)
    ledger = rig.trial.ledger

    def stopped() -> dict[str, Stop]:
        return stops(ledger, rig.hooks, [rig.row], ledger.legs())

    assert stopped() == {}, "no cutover was asked for"
    for _ in range(2):
        assert rig.cut().code == "score-low"
    assert stopped() == {rig.trial.id: Stop("score-low")}
    assert [event.kind for event in ledger.events(rig.row.wave)].count("cutover-refused") == 1
    accept(ledger, [rig.row], "somebody", "one large mail")
    assert stopped() == {}
    assert rig.cut().code is None
    assert stopped() == {}


def test_a_low_score_is_approved_beforehand_and_goes_through_in_one_run(rig: Rig) -> None:
    low_beforehand(rig)
    (event,) = accept(rig.trial.ledger, [rig.row], "somebody", "one large mail")
    assert event.detail["missing"] == 1
    assert rig.cut().code is None
    assert rig.phase == Phase.LIVE


def test_one_decision_about_an_item_is_enough(rig: Rig) -> None:
    """A mail that differs at the source was accepted: that it lacks content then is asked about no more."""
    message = next(one for _, one in rig.trial.mailbox.messages() if not one.marks.draft)
    rig.trial.mailbox.edit(message.id, letter(900))
    assert rig.cut().code == "differs-at-source"
    rig.trial.approve("differs-at-source")
    assert rig.cut().code is None
    assert rig.phase == Phase.LIVE
    score = scores(rig.trial.ledger, [rig.trial.id])[rig.trial.id]
    assert (score.rating, score.lacking, score.accepted, score.is_low) == ("poor", 1, 1, False)


def test_a_decision_about_an_item_answers_for_no_other(rig: Rig) -> None:
    """What else lacks content, or did not arrive, is asked about with its own numbers."""
    message = next(one for _, one in rig.trial.mailbox.messages() if not one.marks.draft)
    rig.trial.mailbox.edit(message.id, letter(900))
    assert rig.cut().code == "differs-at-source"
    rig.trial.approve("differs-at-source")
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(205, "y" * 500))
    assert rig.cut().code == "score-low"
    (event,) = accept(rig.trial.ledger, [rig.row], "somebody", "one large mail")
    assert [event.detail[name] for name in ("missing", "lacking")] == [1, 0]
    assert rig.cut().code is None


def test_one_whose_first_freeze_hook_was_begun_goes_on(rig: Rig) -> None:
    """It is half closed already: it waits for its score where it can be taken back, as before."""
    rig.fails = {"close": ["exit-4"]}
    assert rig.cut().code == "hook-failed"
    low_beforehand(rig)
    assert rig.cut().code == "score-low"
    assert rig.phase == Phase.FROZEN


def test_a_low_score_waits_for_a_person(rig: Rig) -> None:
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(205, "y" * 500))
    assert rig.cut().code == "score-low"
    assert rig.states()["score"] == ("failed", "poor")
    assert rig.phase == Phase.FROZEN
    assert rig.cut().code == "score-low"
    rig.trial.ledger.approve(rig.trial.id, "score-low", "somebody", "without a look at the numbers")
    assert rig.cut().code == "score-low"
    (event,) = accept(rig.trial.ledger, [rig.row], "somebody", "one large mail")
    assert (event.detail["by"], event.detail["reason"]) == ("somebody", "one large mail")
    assert [event.detail[name] for name in ("rating", "items", "missing", "lacking")] == ["poor", 12, 1, 0]
    assert rig.cut().code is None
    assert rig.states()["score"] == ("done", "poor")
    assert rig.log.count("redirect") == 1


def test_an_approved_score_may_not_become_a_worse_one(rig: Rig) -> None:
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(205, "y" * 500))
    rig.cut()
    accept(rig.trial.ledger, [rig.row], "somebody", "one large mail")
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(208, "y" * 500))
    assert rig.cut().code == "score-low"
    assert rig.phase == Phase.FROZEN
    accept(rig.trial.ledger, [rig.row], "somebody", "two large mails")
    assert rig.cut().code is None


def test_a_weaker_look_makes_no_score(rig: Rig) -> None:
    """What differs from what was written is not right because somebody only counted it since."""
    trial = rig.trial
    assert isinstance(trial.store, MemoryStore)
    assert trial.run().state is LegState.VERIFIED
    trial.store.alter(("INBOX",), min(trial.store.folders["INBOX",].messages), letter(500))
    assert trial.run(task=Task(Level.COUNTS, copy=False)).code == "verified-by-counts"
    assert scores(trial.ledger, [trial.id]) == {}
    for level in (Level.BOTH, Level.COUNTS, Level.TARGET):
        assert trial.run(task=Task(level, copy=False)).state is LegState.DIFFERS


def test_a_weaker_look_since_the_score_has_it_taken_again(rig: Rig) -> None:
    def change(name: str) -> None:
        rig.approved = rig.approved and name != "hook close done"

    assert rig.cut(change).code == "not-approved"
    assert rig.states()["score"] == ("done", "perfect")
    rig.trial.run(task=Task(Level.COUNTS, copy=False))
    with pytest.raises(Blocked, match="not-verified"):
        rig.steps.release(rig.trial.id)
    rig.approved = True
    del rig.log[:]
    assert rig.cut().code is None
    assert rig.log == ["delta", "verify", "open"]


def test_nobody_answers_for_a_score_that_nothing_waits_for(rig: Rig) -> None:
    with pytest.raises(Misconfigured, match="nothing asks for score-low"):
        accept(rig.trial.ledger, [rig.row], "somebody", "beforehand")
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(205, "y" * 500))
    rig.cut()
    rig.trial.ledger.requeue(states=(LegState.VERIFIED,))
    with pytest.raises(Misconfigured, match="not verified any more"):
        accept(rig.trial.ledger, [rig.row], "somebody", "of yesterday")


def approved_and_taken_back(rig: Rig) -> None:
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(207, "y" * 500))
    rig.cut()
    accept(rig.trial.ledger, [rig.row], "somebody", "one large mail")
    assert rig.cut(back=True).code is None


def test_an_approved_low_score_outlives_taking_it_back_while_its_numbers_are_the_same(rig: Rig) -> None:
    approved_and_taken_back(rig)
    assert rig.cut().code is None
    assert rig.phase == Phase.LIVE


def test_a_score_that_became_worse_since_it_was_taken_back_is_asked_for_again(rig: Rig) -> None:
    approved_and_taken_back(rig)
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(208, "y" * 500))
    assert rig.cut().code == "score-low"
