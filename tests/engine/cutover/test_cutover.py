"""The cutover of one mailbox: the order of its steps, what fails, and going back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cutting import HOOKS, UNDO, Rig, inbox_id, quiet
from undoing import undone
from walking import letter

from engine.config.hooks import Hook, HooksSettings
from engine.config.load import Config, RunSettings
from engine.control.stop_signal import Stop
from engine.cutover.run_many import CutoverRequest, all_of
from engine.cutover.steps import CutoverResult, readiness, steps_of
from engine.pacing.admission import Admission
from engine.pacing.login_breaker import REFUSALS_MOST
from engine.pacing.run_legs import Boundary
from engine.pacing.watchdog import Watchdog
from engine.pacing.worker_slots import WorkerSlots
from ledger.db.rows import LegState, Phase, State
from ledger.plan.mailboxes import PlannedMailbox
from model.kinds import Kind

ORDER = ["redirect", "close", "delta", "write", "verify", "open"]


def test_the_order_of_a_calm_cutover(rig: Rig) -> None:
    assert rig.cut().code is None
    assert rig.log == ORDER
    assert rig.phase == Phase.LIVE
    assert sorted(rig.states()) == sorted(steps_of(HOOKS))
    assert {state for state, _ in rig.states().values()} == {"done"}
    assert rig.states()["score"] == ("done", "perfect")


def test_mail_of_the_last_moment_arrives(rig: Rig) -> None:
    before = sum(rig.trial.store.snapshot().values())
    rig.cut()
    assert sum(rig.trial.store.snapshot().values()) == before + 2
    assert rig.trial.states()[State.VERIFIED] == before + 2


def test_every_outcome_is_in_the_chain(rig: Rig) -> None:
    rig.cut()
    ledger = rig.trial.ledger
    told = [
        event.detail["step"] if event.kind == "step" else event.detail["phase"]
        for event in ledger.events("w")
        if event.kind in ("step", "phase")
    ]
    assert told == steps_of(HOOKS)
    ledger.verify_events()


def test_a_second_cutover_does_nothing(rig: Rig) -> None:
    rig.cut()
    del rig.log[:]
    assert rig.cut().code is None
    assert not rig.log


def test_what_is_not_verified_does_not_begin(rig: Rig) -> None:
    rig.trial.ledger.requeue(states=(LegState.VERIFIED,))
    assert readiness(rig.trial.ledger, rig.trial.id) == "not-verified"
    assert rig.cut().code == "not-verified"
    assert (rig.log, rig.states(), rig.phase) == ([], {}, Phase.STAGING)


def test_what_is_not_approved_does_not_begin(rig: Rig) -> None:
    rig.approved = False
    assert rig.cut().code == "not-approved"
    assert (rig.log, rig.states(), rig.phase) == ([], {}, Phase.STAGING)


def test_an_approval_that_ended_meanwhile_releases_nothing(rig: Rig) -> None:
    def change(name: str) -> None:
        if name == "hook close done":
            rig.approved = False

    assert rig.cut(change).code == "not-approved"
    assert rig.log == ORDER[:-1]
    assert rig.phase == Phase.FROZEN
    rig.approved = True
    del rig.log[:]
    assert rig.cut().code is None
    assert rig.log == ["open"], "what was copied and verified is not done again"


@pytest.mark.parametrize("name", ["redirect", "close"])
def test_a_freeze_hook_that_fails_stops_before_the_delta(rig: Rig, name: str) -> None:
    rig.fails = {name: ["exit-1"]}
    assert rig.cut().code == "hook-failed"
    assert rig.states()[f"freeze:{name}"] == ("failed", "exit-1")
    assert rig.phase == Phase.STAGING
    assert not {"delta", "write", "verify"} & set(rig.log)
    assert rig.cut().code is None
    assert [one for one in rig.log if "exit" not in one] == ORDER, "what was done is not run again"


def test_a_release_hook_that_fails_leaves_it_frozen(rig: Rig) -> None:
    rig.fails = {"open": ["http-500"]}
    assert rig.cut().code == "hook-failed"
    assert rig.phase == Phase.FROZEN
    assert rig.cut().code is None
    assert rig.log == [*ORDER[:-1], "open http-500", "open"]


def test_no_pass_writes_once_the_target_may_be_open(rig: Rig) -> None:
    """A user works there already; a pass by the rules of the frozen phase would take that back."""
    rig.fails = {"open": ["exit-1"]}
    rig.cut()
    rig.trial.store.append(("INBOX",), letter(400), frozenset(), None)
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(401))
    before = rig.trial.store.snapshot()
    result = rig.trial.run()
    assert (result.state, result.code) == (LegState.PENDING, "releasing")
    rig.hooks = HooksSettings(
        freeze=(*HOOKS.freeze, Hook(name="lock", command=("/bin/lock",))), release=HOOKS.release
    )
    del rig.log[:]
    assert rig.cut().code is None
    assert rig.log == ["open"], "nor does another cutover"
    assert rig.trial.store.snapshot() == before
    assert rig.trial.run().state is LegState.VERIFIED
    after = rig.trial.store.snapshot()
    assert ((after - before).total(), (before - after).total()) == (1, 0)


def test_a_hook_that_was_added_voids_the_verification(rig: Rig) -> None:
    _frozen(rig)
    del rig.log[:]
    rig.hooks = HooksSettings(
        freeze=(*HOOKS.freeze, Hook(name="lock", command=("/bin/lock",))), release=HOOKS.release
    )
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(203))
    assert rig.cut().code is None
    assert rig.log == ["lock", "delta", "write", "verify", "open"]


def test_mail_that_still_reaches_the_frozen_source_is_brought_too(rig: Rig) -> None:
    """The redirection takes a while: another delta brings what came during the first one."""
    seen: list[str] = []

    def late(name: str) -> None:
        seen.append(name)
        if name == "commit" and rig.log[-1:] == ["verify"] and rig.log.count("verify") == 1:
            rig.log.append("mail")
            rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(204))

    assert rig.cut(late).code is None
    assert rig.log == [*ORDER[:-1], "mail", "delta", "write", "verify", "open"]
    assert rig.trial.states()[State.SEEN] == 0


def test_a_source_that_does_not_rest_stops_the_cutover(rig: Rig) -> None:
    count = 300

    def late(name: str) -> None:
        nonlocal count
        if name == "source.changes" and rig.log[-1:] == ["verify"]:
            count += 1
            rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(count))

    assert rig.cut(late).code == "changed-since"
    assert rig.phase == Phase.FROZEN
    assert "open" not in rig.log
    assert rig.cut().code is None


def test_taking_back_undoes_the_last_first(rig: Rig) -> None:
    rig.fails = {"open": ["exit-1"], "close": ["exit-1"]}
    rig.cut()
    del rig.log[:]
    assert rig.cut(back=True).code is None
    assert rig.log == ["close.undo", "redirect.undo"], "one that failed may have done half of its work"
    assert (rig.phase, rig.states()) == (Phase.STAGING, {})
    del rig.log[:]
    rig.fails = {}
    assert rig.cut().code is None
    assert rig.log == ORDER, "a new cutover begins anew"


def test_taking_back_what_never_began_does_nothing(rig: Rig) -> None:
    events = len(rig.trial.ledger.events("w"))
    assert rig.cut(back=True).code is None
    assert not rig.log
    assert len(rig.trial.ledger.events("w")) == events


def test_an_undo_that_fails_is_run_again_and_nothing_goes_on_meanwhile(rig: Rig) -> None:
    rig.fails = {"redirect.undo": ["timeout"]}
    rig.trial.store.max_bytes = 400
    rig.trial.mailbox.deliver(inbox_id(rig.trial), letter(206, "y" * 500))
    rig.cut()
    del rig.log[:]
    assert rig.cut(back=True).code == "hook-failed"
    assert rig.cut().code == "taking-back"
    assert rig.phase == Phase.FROZEN
    assert rig.cut(back=True).code is None
    assert rig.log == ["close.undo", "redirect.undo timeout", "redirect.undo"]
    assert rig.phase == Phase.STAGING


def test_what_was_released_is_not_taken_back(rig: Rig) -> None:
    rig.fails = {"open": ["exit-1"]}
    rig.cut()
    assert rig.cut(back=True).code == "release-begun"
    assert rig.cut().code is None
    assert rig.cut(back=True).code == "live-phase"
    assert rig.phase == Phase.LIVE


def test_what_was_rolled_back_is_closed_before_it_is_redirected_back(rig: Rig) -> None:
    """A release hook may have an undo: it runs for whoever was rolled back, before those of the freeze."""
    (open_,) = HOOKS.release
    rig.hooks = HOOKS.model_copy(update={"release": (open_.model_copy(update={"undo": UNDO}),)})
    assert rig.cut().code is None
    undone(rig.trial)
    del rig.log[:]
    assert rig.cut(back=True).code is None
    assert rig.log == ["open.undo", "close.undo", "redirect.undo"]
    assert (rig.phase, rig.states()) == (Phase.STAGING, {})


def test_refused_logins_stop_a_cutover_before_they_lock_an_account(rig: Rig) -> None:
    tried: list[int] = []

    def refused(leg: int, _verify_only: bool) -> tuple[LegState, str]:
        tried.append(leg)
        return LegState.BLOCKED, "login-refused"

    config = Config.model_construct(run=RunSettings(mailboxes_at_once=1))
    cutting, ledger = replace(rig.cutting(quiet), run=refused, hooks=HooksSettings()), rig.trial.ledger
    held = Admission(config, ledger)
    worker_slots = WorkerSlots(held, Watchdog(config, ledger, Stop(), held), cutting.stop)
    order = CutoverRequest(config, cutting, worker_slots, Boundary(cutting.stop))
    others = [
        PlannedMailbox(
            f"{name}@old.example", f"{name}@new.example", "w", Phase.FROZEN, frozenset({Kind.MAIL})
        )
        for name in ("bert", "carla", "dora", "emil")
    ]
    ids = [rig.trial.id, *(str(added) for added in ledger.add_mailboxes(others))]
    ended: list[CutoverResult] = []
    all_of(order, ids, ended.append)
    assert len(tried) == REFUSALS_MOST
    assert [cut.code for cut in ended] == ["login-refused"] * 5
    assert order.boundary.fault is not None
    assert order.boundary.fault.code == "login-refused"


def _frozen(rig: Rig) -> None:
    """Everything is done but what follows the second approval."""

    def change(name: str) -> None:
        if name == "hook close done":
            rig.approved = False

    assert rig.cut(change).code == "not-approved"
    rig.approved = True


def test_a_blocked_workload_is_not_tried_again(rig: Rig) -> None:
    _frozen(rig)
    (leg,) = rig.trial.ledger.legs()
    held = rig.trial.ledger.claim(leg.id, "somebody", 60)
    assert held is not None
    rig.trial.ledger.release(held, LegState.BLOCKED, "over-quota")
    rig.steps.forget(rig.trial.id, ["score"])
    del rig.log[:]
    assert rig.cut().code == "over-quota"
    assert not rig.log


def test_nothing_is_released_under_a_worker(rig: Rig) -> None:
    _frozen(rig)
    del rig.log[:]
    (leg,) = rig.trial.ledger.legs()
    held = rig.trial.ledger.claim(leg.id, "somebody", 60)
    assert held is not None
    assert rig.cut().code == "claimed-elsewhere"
    assert ("open" in rig.log, rig.phase) == (False, Phase.FROZEN)
    rig.trial.ledger.release(held, LegState.VERIFIED)
    assert rig.cut().code is None
    assert rig.phase == Phase.LIVE


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("hook redirect", "claimed-elsewhere"),
        ("hook close done", "claimed-elsewhere"),
        ("target.write done", "claimed-elsewhere"),
        ("hook open", "release-begun"),
    ],
)
def test_nothing_is_taken_back_under_a_cutover_at_work(rig: Rig, moment: str, code: str) -> None:
    back: list[CutoverResult] = []

    def turn(name: str) -> None:
        if name == moment and not back:
            back.append(rig.cut(back=True))

    assert rig.cut(turn).code is None
    assert back[0].code == code
    assert (rig.log, rig.phase) == (ORDER, Phase.LIVE)


def test_what_is_taken_back_between_two_steps_of_a_cutover_is_not_released(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes it back; its undo hook fails, and the cutover of the whole wave goes on."""
    back: list[CutoverResult] = []

    def approve() -> None:
        if rig.log == ORDER[:-1] and not back:
            rig.fails = {"redirect.undo": ["exit-1"]}
            back.append(rig.cut(back=True))

    monkeypatch.setattr(rig, "_approve", approve)
    assert rig.cut().code == "taking-back"
    assert back[0].code == "hook-failed"
    assert ("open" in rig.log, rig.phase) == (False, Phase.FROZEN)
    assert rig.cut(back=True).phase is Phase.STAGING


def stopped_before_release(rig: Rig) -> None:
    def change(name: str) -> None:
        if name == "hook close done":
            rig.approved = False

    assert rig.cut(change).code == "not-approved"
    assert rig.states()["score"] == ("done", "perfect")
    rig.approved = True
    del rig.log[:]


def test_what_was_rolled_back_since_is_not_released(rig: Rig) -> None:
    stopped_before_release(rig)
    undone(rig.trial)
    assert readiness(rig.trial.ledger, rig.trial.id) == "rolled-back"
    assert rig.cut().code == "rolled-back"
    assert (rig.log, rig.phase) == ([], Phase.FROZEN)


def test_what_was_rolled_back_between_two_release_hooks_is_not_opened(rig: Rig) -> None:
    rig.fails = {"open": ["exit-1"]}
    rig.cut()
    undone(rig.trial)
    assert rig.cut().code == "rolled-back"
    assert (rig.log[-1], rig.phase) == ("open exit-1", Phase.FROZEN)


def test_what_is_not_verified_any_more_is_brought_up_to_date_again(rig: Rig) -> None:
    stopped_before_release(rig)
    rig.trial.ledger.requeue(states=(LegState.VERIFIED,))
    assert rig.cut().code is None
    assert rig.log == ["delta", "verify", "open"]


def test_a_cutover_that_slept_finds_it_live(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its first look and its first step another one did it all."""
    asked: list[CutoverResult] = []

    def approve() -> None:
        if not asked:
            asked.append(CutoverResult("", Phase.STAGING))
            asked[0] = rig.cut()

    monkeypatch.setattr(rig, "_approve", approve)
    assert rig.cut().code == "live-phase"
    assert (asked[0].code, rig.phase, rig.log) == (None, Phase.LIVE, ORDER)
