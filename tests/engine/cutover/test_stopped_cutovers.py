"""Which mailboxes need a person although their workloads look well, and which cutover is at work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cutting import HOOKS, Rig

from engine.cutover.given_back import TAKING_BACK
from engine.cutover.hooks import patience_of
from engine.cutover.steps import FREEZE, UNDO, patience_by_step
from engine.cutover.stopped import (
    BY_HAND,
    CUTOVER_STOPPED,
    EMPTIED,
    STEP_SECONDS,
    Look,
    Stop,
    stop_of,
    stops,
)
from ledger.db.rows import LegRow, LegState, MailboxRow, Phase
from ledger.leg.cutover_steps import BACK, BEGUN, DONE, FAILED, RELEASE, StepRow
from model.kinds import Kind

NOW = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)
REDIRECT = "freeze:redirect"


def box(phase: Phase = Phase.FROZEN) -> MailboxRow:
    return MailboxRow("m-1", "pilot", phase, "secret@a.example", "secret@b.example", None, None)


def leg(state: LegState = LegState.VERIFIED, **given: Any) -> LegRow:
    fixed: dict[str, Any] = {
        "owner": None,
        "lease_until": None,
        "epoch": 0,
        "started": None,
        "finished": None,
    }
    return LegRow(
        id=1,
        mailbox="m-1",
        workload=Kind.MAIL,
        state=state,
        items=1,
        done=1,
        bytes=1,
        **{"code": None} | fixed | given,
    )


def step(name: str, state: str, code: str | None = None, seconds: float = 300.0) -> StepRow:
    return StepRow("m-1", name, state, code, 1, NOW - timedelta(seconds=seconds))


def look(*dead: str) -> Look:
    patience = patience_by_step(HOOKS, FREEZE, RELEASE, UNDO)
    return Look(NOW, patience, lambda owner: owner in dead, lambda owner: owner in dead)


def held(until: float) -> LegRow:
    return leg(LegState.RUNNING, owner="worker", lease_until=NOW + timedelta(seconds=until))


@pytest.mark.parametrize(
    ("phase", "steps", "expected"),
    [
        (
            Phase.STAGING,
            [step(REDIRECT, FAILED, "exit-4")],
            Stop("hook-failed", REDIRECT, "exit-4", locked=True),
        ),
        (
            Phase.FROZEN,
            [step("frozen", DONE), step(RELEASE, DONE), step("release:open", FAILED, "timeout", 1)],
            Stop("hook-failed", "release:open", "timeout", locked=True, released=True),
        ),
        (Phase.FROZEN, [step("score", FAILED, "poor")], Stop("score-low", "score", "poor", locked=True)),
        (Phase.FROZEN, [step("score", FAILED, "not-verified")], Stop("not-verified", "score", locked=True)),
        (Phase.FROZEN, [step("delta", FAILED, "over-quota")], Stop("over-quota", "delta", locked=True)),
        (Phase.FROZEN, [step("frozen", DONE)], Stop(CUTOVER_STOPPED, "frozen", locked=True)),
        (Phase.FROZEN, [], Stop(BY_HAND, locked=True)),
        (Phase.FROZEN, [step(BACK, BEGUN)], Stop(TAKING_BACK, BACK, locked=True, back=True)),
        (
            Phase.LIVE,
            [step(BACK, BEGUN), step("undo:close", FAILED, "exit-1")],
            Stop("hook-failed", "undo:close", "exit-1", locked=True, back=True),
        ),
        (Phase.STAGING, [], None),
        (Phase.LIVE, [step("live", DONE)], None),
    ],
)
def test_a_cutover_that_nobody_is_at_needs_a_person(
    phase: Phase, steps: list[StepRow], expected: Stop | None
) -> None:
    assert stop_of(box(phase), steps, [leg()], look()) == expected


@pytest.mark.parametrize(
    ("steps", "legs", "at_work"),
    [
        ([step(REDIRECT, BEGUN, "me", 10)], [leg()], True),
        ([step(REDIRECT, BEGUN, "gone", 10)], [leg()], False),
        ([step(REDIRECT, BEGUN, "elsewhere", patience_of(HOOKS.freeze[0]) - 1)], [leg()], True),
        ([step(REDIRECT, BEGUN, "elsewhere", patience_of(HOOKS.freeze[0]) + 1)], [leg()], False),
        ([step("delta", BEGUN, "me", STEP_SECONDS + 1)], [held(30)], True),
        ([step("delta", BEGUN, "me", STEP_SECONDS + 1)], [held(-1)], False),
        ([step("verification", FAILED, "changed-since", 5)], [held(30)], True),
        ([step("frozen", DONE, None, 1)], [leg()], True),
        ([step(BACK, BEGUN, None, 1)], [leg()], True),
        ([step(REDIRECT, FAILED, "exit-4", 1)], [leg()], False),
    ],
)
def test_a_cutover_that_is_at_work_does_not(steps: list[StepRow], legs: list[LegRow], at_work: bool) -> None:
    assert (stop_of(box(), steps, legs, look("gone")) is None) == at_work


def test_a_withheld_mailbox_needs_one_until_it_is_rolled_back() -> None:
    staging = box(Phase.STAGING)
    pending = leg(LegState.PENDING, withheld="plan-changed")
    assert stop_of(staging, [], [leg(), pending], look()) == Stop("plan-changed")
    assert stop_of(staging, [], [leg(withheld="not-in-plan")], look()) == Stop("not-in-plan")
    out = leg(LegState.BLOCKED, code="rolled-back", withheld="not-in-plan")
    assert stop_of(staging, [], [out], look()) is None


@pytest.mark.parametrize(("code", "said"), [("rolling-back", "rolling-back"), ("rolled-back", EMPTIED)])
def test_a_live_mailbox_from_which_something_was_taken_back_needs_one(code: str, said: str) -> None:
    back = leg(LegState.BLOCKED, code=code)
    stop = stop_of(box(Phase.LIVE), [step("live", DONE)], [leg(), back], look())
    assert stop == Stop(said, released=True, back=True)
    assert stop.covers("rolled-back")
    assert stop_of(box(Phase.LIVE), [], [held(30), back], look()) is None, "somebody is at it"
    assert stop_of(box(Phase.STAGING), [], [back], look()) is None


def test_while_it_runs_nobody_is_needed_and_once_a_hook_failed_somebody_is(rig: Rig) -> None:
    rig.fails = {"close": ["exit-4"]}
    seen: set[str] = set()

    def now(_name: str) -> None:
        seen.update(stop.code for stop in found(rig).values())

    assert rig.cut(lambda name: now(name) if name.startswith("hook") else None).code == "hook-failed"
    assert seen == set()
    (stop,) = found(rig).values()
    assert (stop.code, stop.step, stop.detail) == ("hook-failed", "freeze:close", "exit-4")
    assert rig.cut(back=True).code is None
    assert found(rig) == {}


def found(rig: Rig) -> dict[str, Stop]:
    ledger = rig.trial.ledger
    return stops(ledger, rig.hooks, ledger.mailboxes(), ledger.legs())
