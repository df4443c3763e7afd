"""A person who is live is given back, and the command dies in the middle: the same command once more gets to
the same end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cutting import Died, Rig, Step, a_rig, quiet
from dying import Countdown
from undoing import Undoing

from engine.control.stop_signal import Stop
from engine.cutover.way_back import WayBack, way_back
from engine.pacing.run_legs import Boundary
from engine.rollback.run import Scope
from engine.rollback.run_many import RollbackRequest
from ledger.db.rows import HELD_ELSEWHERE, ROLLED_BACK, LegState, Phase

EVERY = 21
"""One of so many steps is enough: each step of both halves is tried elsewhere."""


def give_back(rig: Rig, step: Step = quiet) -> WayBack:
    """As `kogge give-back` does; returns what is left to do."""
    still = rig.trial.commits(lambda: step("commit"))
    try:
        if way_back(rig.trial.ledger, rig.trial.id) is WayBack.ROLL_BACK:
            Undoing(rig.trial).run(step)
    finally:
        still()
    if way_back(rig.trial.ledger, rig.trial.id) is WayBack.UNDO:
        rig.cut(step, back=True)
    return way_back(rig.trial.ledger, rig.trial.id)


def twin(start: Rig, directory: Path) -> Rig:
    return Rig(start.trial.copy(directory), start.hooks)


def test_dying_while_somebody_is_given_back(quick_path: Path) -> None:
    start = a_rig(quick_path / "start", items=2)
    assert start.cut().code is None
    Undoing(start.trial).approve()
    assert way_back(start.trial.ledger, start.trial.id) is WayBack.ROLL_BACK
    calm, count = twin(start, quick_path / "calm"), Countdown()
    assert give_back(calm, count) is WayBack.NOTHING
    assert calm.log == ["close.undo", "redirect.undo"]
    wanted = calm.trial.store.snapshot()
    assert wanted != start.trial.store.snapshot()
    undo = count.steps.index("hook close.undo")
    moments = {*range(1, len(count.steps) + 1, EVERY), undo + 1, undo + 2, len(count.steps)}
    for number in sorted(moments):
        rig = twin(start, quick_path / str(number))
        where = f"died at step {number} of {len(count.steps)}: {count.steps[number - 1]}"
        try:
            give_back(rig, Countdown(number))
        except Died:
            assert way_back(rig.trial.ledger, rig.trial.id) is not WayBack.NOTHING or number > undo, where
        assert give_back(rig) is WayBack.NOTHING, where
        assert (rig.phase, rig.states()) == (Phase.STAGING, {}), where
        assert rig.trial.store.snapshot() == wanted, where
        (leg,) = rig.trial.ledger.legs()
        assert (leg.state, leg.code) == (LegState.BLOCKED, ROLLED_BACK), where
        undone = [name for name in rig.log if name.endswith(".undo")]
        assert (undone[0], undone[-1]) == ("close.undo", "redirect.undo"), where
        rig.trial.ledger.verify_events()
        rig.trial.discard()


def test_what_leads_back_at_each_moment_of_a_cutover(quick_path: Path) -> None:
    rig = a_rig(quick_path / "start", items=2)
    met: list[tuple[Phase, WayBack]] = []

    def look(name: str) -> None:
        if name not in ("commit", "hook redirect done", ""):
            return
        found = (rig.phase, way_back(rig.trial.ledger, rig.trial.id))
        if not met or met[-1] != found:
            met.append(found)

    assert rig.cut(look).code is None
    look("")
    assert met == [
        (Phase.STAGING, WayBack.NOTHING),
        (Phase.STAGING, WayBack.UNDO),
        (Phase.FROZEN, WayBack.UNDO),
        (Phase.FROZEN, WayBack.ROLL_BACK),
        (Phase.LIVE, WayBack.ROLL_BACK),
    ]


def test_nothing_is_removed_while_a_release_hook_runs(quick_path: Path) -> None:
    """Also of a hook that began before the rollback was asked for, and whose process is known to be dead."""
    rig = a_rig(quick_path / "start", items=2)
    told: list[str | None] = []
    slots: Any = SimpleNamespace(walk=lambda *_, **__: "walked")

    def ask() -> str | None:
        config: Any = SimpleNamespace(hooks=rig.hooks)
        (leg,) = rig.trial.ledger.legs(mailbox=rig.trial.id)
        scope, boundary = Scope(rig.trial.ledger, {rig.trial.id}), Boundary(Stop())
        looked = RollbackRequest(config, scope, boundary, slots).leg(leg)
        assert looked.code == "walked", "a look removes nothing"
        return RollbackRequest(config, scope, boundary, slots, execute=True).leg(leg).code

    def die_in_the_hook(name: str) -> None:
        if name == "hook open":
            told.append(ask())
            raise Died

    told.append(ask())
    with pytest.raises(Died):
        rig.cut(die_in_the_hook)
    told.append(ask())
    assert told == ["walked", HELD_ELSEWHERE, "walked"]


def test_nobody_goes_live_in_an_account_that_was_emptied_while_a_release_hook_ran(quick_path: Path) -> None:
    rig = a_rig(quick_path / "start", items=2)
    log: list[str] = []

    def roll_back_meanwhile(name: str) -> None:
        log.append(name)
        if name == "hook open":
            Undoing(rig.trial).approve()
            Undoing(rig.trial).run()

    ended = rig.cut(roll_back_meanwhile)
    assert "hook open" in log
    assert (ended.phase, ended.code) == (Phase.FROZEN, ROLLED_BACK)
    assert give_back(rig) is WayBack.NOTHING
    assert (rig.phase, rig.states()) == (Phase.STAGING, {})
