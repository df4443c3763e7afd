"""The steps of a cutover in the ledger: who may begin one, and what goes with a phase."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from ledger.db import schema
from ledger.db.rows import ROLLED_BACK, SCORE_LOW, LegState, Phase
from ledger.db.schema import step
from ledger.leg.cutover_steps import BEGUN, DONE, FAILED, Steps
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind

OWNER = "0123456789abcdef/1234567/1234567890/01234567"
"""As long as one can be: codes have 64 characters."""


@pytest.fixture
def box(ledger: Ledger) -> str:
    row = PlannedMailbox("a@old.example", "a@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL}))
    (found,) = ledger.add_mailboxes([row])
    return str(found)


def age(ledger: Ledger, seconds: float) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(update(step).values(at=step.c.at - seconds))


def test_a_step_is_begun_by_one(ledger: Ledger, box: str) -> None:
    steps = Steps(ledger)
    assert steps.begin(box, "freeze:a", OWNER, 60)
    assert not steps.begin(box, "freeze:a", "another", 60)
    (row,) = steps.all(box)
    assert (row.state, row.code, row.attempts) == (BEGUN, OWNER, 1)


def test_who_is_dead_is_followed_at_once(ledger: Ledger, box: str) -> None:
    steps = Steps(ledger)
    steps.begin(box, "freeze:a", OWNER, 60)
    assert not steps.begin(box, "freeze:a", "another", 60, lambda owner: owner == "somebody")
    assert steps.begin(box, "freeze:a", "another", 60, lambda owner: owner == OWNER)
    (row,) = steps.all(box)
    assert (row.code, row.attempts) == ("another", 2)


def test_who_is_silent_for_too_long_is_followed(ledger: Ledger, box: str) -> None:
    steps = Steps(ledger)
    steps.begin(box, "freeze:a", OWNER, 60)
    age(ledger, 61)
    assert steps.begin(box, "freeze:a", "another", 60)


def test_who_was_followed_has_no_say_in_its_outcome(ledger: Ledger, box: str) -> None:
    """A machine that slept longer than a hook may take."""
    steps = Steps(ledger)
    steps.begin(box, "freeze:a", OWNER, 60)
    age(ledger, 61)
    steps.begin(box, "freeze:a", "another", 60)
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        steps.finish(box, "freeze:a", DONE, owner=OWNER)
    (row,) = steps.all(box)
    assert (row.state, row.code) == (BEGUN, "another")
    steps.finish(box, "freeze:a", FAILED, "exit-1", "another")
    steps.take_back(box, "anna")
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        steps.finish(box, "freeze:a", DONE, owner=OWNER)
    assert steps.all(box) == []


@pytest.mark.parametrize("state", [DONE, FAILED])
def test_an_outcome_stays_until_the_step_is_begun_again(ledger: Ledger, box: str, state: str) -> None:
    steps = Steps(ledger)
    steps.begin(box, "freeze:a", OWNER, 60)
    steps.finish(box, "freeze:a", state, "exit-1")
    (row,) = steps.all(box)
    assert (row.state, row.code) == (state, "exit-1")
    assert steps.begin(box, "freeze:a", OWNER, 60)
    last = ledger.events("w")[-1]
    assert (last.kind, last.subject) == ("step", box)
    assert last.detail == {"step": "freeze:a", "state": state, "code": "exit-1"}
    ledger.verify_events()


def test_a_phase_and_its_step_are_one(ledger: Ledger, box: str) -> None:
    Steps(ledger).move(box, Phase.FROZEN, "frozen", "anna")
    assert ledger.mailbox(box).phase is Phase.FROZEN
    assert [(one.name, one.state) for one in Steps(ledger).all(box)] == [("frozen", DONE)]
    last = ledger.events("w")[-1]
    assert (last.kind, last.detail) == ("phase", {"by": "anna", "phase": "frozen"})


def test_no_phase_changes_under_a_worker(ledger: Ledger, box: str) -> None:
    (leg,) = ledger.legs()
    held = ledger.claim(leg.id, "worker", 60)
    assert held is not None
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        Steps(ledger).move(box, Phase.LIVE, "live", "anna")
    assert ledger.mailbox(box).phase is Phase.STAGING
    assert Steps(ledger).all(box) == []
    ledger.release(held, LegState.VERIFIED)
    Steps(ledger).move(box, Phase.LIVE, "live", "anna")


def test_what_is_taken_back_has_no_steps_and_keeps_its_approval(ledger: Ledger, box: str) -> None:
    steps = Steps(ledger)
    steps.move(box, Phase.FROZEN, "frozen", "anna")
    steps.begin(box, "score")
    ledger.approve(box, SCORE_LOW, "anna", "seen")
    steps.take_back(box, "bernd")
    assert (ledger.mailbox(box).phase, steps.all(box)) == (Phase.STAGING, [])
    assert ledger.approved(box, SCORE_LOW)
    assert spent(ledger) == []


def test_what_was_rolled_back_spends_an_approval_if_there_is_one(ledger: Ledger, box: str) -> None:
    steps = Steps(ledger)
    steps.move(box, Phase.LIVE, "live", "anna")
    every_leg(ledger, LegState.BLOCKED, ROLLED_BACK)
    steps.take_back(box, "bernd")
    assert spent(ledger) == [], "nobody approved anything"
    ledger.approve(box, SCORE_LOW, "anna", "seen")
    every_leg(ledger, LegState.PENDING, None)
    steps.move(box, Phase.LIVE, "live", "anna")
    every_leg(ledger, LegState.BLOCKED, ROLLED_BACK)
    with pytest.raises(Blocked, match=ROLLED_BACK):
        steps.move(box, Phase.LIVE, "live", "anna")
    steps.take_back(box, "bernd")
    assert not ledger.approved(box, SCORE_LOW)
    steps.take_back(box, "bernd")
    assert spent(ledger) == [box], "what is spent is not spent again"


def every_leg(ledger: Ledger, state: LegState, code: str | None) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(update(schema.leg).values(state=state, code=code))


def spent(ledger: Ledger) -> list[str | None]:
    return [one.subject for one in ledger.events("w") if one.kind == f"approval-spent:{SCORE_LOW}"]


def test_a_mailbox_that_leaves_the_plan_takes_its_steps_along(ledger: Ledger, box: str) -> None:
    Steps(ledger).begin(box, "freeze:a")
    ledger.add_mailboxes([], whole=True)
    assert ledger.mailboxes() == []
    assert Steps(ledger).of([box]) == {}


def test_forward_and_back_exclude_each_other(ledger: Ledger, box: str) -> None:
    steps = Steps(ledger)
    assert steps.begin(box, "freeze:close", "somebody", 60)
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        steps.turn_back(box, {"freeze:close": 60.0})
    steps.turn_back(box, {"freeze:close": 60.0}, lambda owner: owner == "somebody")
    steps.turn_back(box, {"freeze:close": 60.0}, lambda owner: owner == "somebody")
    for forward in (
        lambda: steps.begin(box, "delta"),
        lambda: steps.release(box),
        lambda: steps.move(box, Phase.FROZEN, "frozen", "A"),
    ):
        with pytest.raises(Blocked, match="taking-back"):
            forward()
    assert steps.begin(box, "undo:close", "another", 60, back=True)


def test_a_step_that_needs_others_is_none_once_they_are_undone(ledger: Ledger, box: str) -> None:
    """Who slept while somebody took it back, or does it anew, goes no further."""
    steps = Steps(ledger)
    needs = ("freeze:a", "delta")
    for name in needs:
        steps.begin(box, name, OWNER, 60)
        steps.finish(box, name, DONE, owner=OWNER)
    steps.move(box, Phase.FROZEN, "frozen", "A", needs)
    age(ledger, 1)
    assert steps.begin(box, "delta", "another")
    for forward in (
        lambda: steps.release(box, needs),
        lambda: steps.move(box, Phase.LIVE, "live", "A", needs),
        lambda: steps.finish(box, "delta", DONE, owner=OWNER),
    ):
        with pytest.raises(Blocked, match="claimed-elsewhere"):
            forward()
    steps.take_back(box, "bernd")
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        steps.move(box, Phase.FROZEN, "frozen", "A", ["freeze:a"])
    assert ledger.mailbox(box).phase is Phase.STAGING


def test_what_is_released_is_verified_and_not_taken_back(ledger: Ledger, box: str) -> None:
    steps = Steps(ledger)
    with pytest.raises(Blocked, match="not-verified"):
        steps.release(box)
    for leg in ledger.legs(mailbox=box):
        lease = ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        ledger.release(lease, LegState.VERIFIED)
    steps.release(box)
    with pytest.raises(Blocked, match="release-begun"):
        steps.turn_back(box, {})
    steps.move(box, Phase.LIVE, "live", "A")
    with pytest.raises(Blocked, match="live-phase"):
        steps.move(box, Phase.FROZEN, "frozen", "A")
