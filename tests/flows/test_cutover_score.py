"""A cutover whose score is low: who answers for it, and for which numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cutting import Rig, a_rig, inbox_id
from walking import letter

from connectors.errors import Misconfigured
from flows.score_approval import accept
from ledger.rows import LegState, Phase


@pytest.fixture
def rig(quick_path: Path) -> Rig:
    return a_rig(quick_path)


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


def test_nobody_answers_for_a_score_that_nothing_waits_for(rig: Rig) -> None:
    with pytest.raises(Misconfigured, match="nothing asks for score-low"):
        accept(rig.trial.ledger, [rig.row], "somebody", "beforehand")
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(205, "y" * 500))
    rig.cut()
    rig.trial.ledger.requeue(states=(LegState.VERIFIED,))
    with pytest.raises(Misconfigured, match="not verified any more"):
        accept(rig.trial.ledger, [rig.row], "somebody", "of yesterday")


def test_an_approved_low_score_does_not_outlive_taking_it_back(rig: Rig) -> None:
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(207, "y" * 500))
    rig.cut()
    accept(rig.trial.ledger, [rig.row], "somebody", "one large mail")
    assert rig.cut(back=True).code is None
    assert rig.cut().code == "score-low"
