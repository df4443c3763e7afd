"""A cutover dies between every two of its steps, and another one goes on: the same mailbox in the end, the
steps in their order, and no hook without a reason twice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from cutting import Died, Rig, a_rig
from dying import Countdown

from engine.control import lease
from engine.cutover.steps import steps_of
from ledger.db.rows import LegState, Phase

HOOKED = ("redirect", "close", "open")


def twin(start: Rig, directory: Path) -> Rig:
    """The same place once more."""
    return Rig(start.trial.copy(directory), start.hooks, delivers=copy.copy(start.delivers))


def dies(rig: Rig, at: int, *, back: bool = False) -> Countdown:
    countdown = Countdown(at)
    try:
        rig.cut(countdown, back=back)
    except Died:
        return countdown
    raise AssertionError("it ended before that step")


def finish(rig: Rig) -> None:
    for _ in range(4):
        if rig.cut().code is None:
            return
    raise AssertionError(rig.states())


def check_order(log: list[str], where: str) -> None:
    """Whatever died in between: nothing is copied before both freeze hooks, and nothing is released before
    what was copied last was verified."""
    first = {name: log.index(name) for name in HOOKED}
    assert first["redirect"] < first["close"] < log.index("delta"), where
    assert log.index("delta") < log.index("verify") < first["open"], where
    assert not {"delta", "write", "verify", "redirect", "close"} & set(log[first["open"] :]), where
    copied = max(place for place, name in enumerate(log) if name in ("delta", "write"))
    assert copied < first["open"], where
    assert "verify" in log[copied : first["open"]], where


def test_dying_at_every_step(quick_path: Path) -> None:
    start = a_rig(quick_path / "start", items=2)
    calm = twin(start, quick_path / "calm")
    count = Countdown()
    assert calm.cut(count).code is None
    wanted = calm.trial.store.snapshot()
    assert calm.log == ["redirect", "close", "delta", "write", "verify", "open"]
    for number in range(1, len(count.steps) + 1):
        rig = twin(start, quick_path / str(number))
        where = f"died at step {number} of {len(count.steps)}: {count.steps[number - 1]}"
        died = dies(rig, number)
        if rig.phase is Phase.FROZEN:
            assert {"redirect", "close"} <= set(rig.log), where
        finish(rig)
        check_order(rig.log, where)
        assert rig.trial.store.snapshot() == wanted, where
        assert rig.phase is Phase.LIVE, where
        assert sorted(rig.states()) == sorted(steps_of(rig.hooks)), where  # SQLite counts milliseconds
        for name in HOOKED:
            twice = rig.log.count(name) == 2
            unseen = died.steps[-2:-1] == [f"hook {name} done"] and died.steps[-1] == "commit"
            assert twice == (died.steps[-1] == f"hook {name} done" or unseen), where
        rig.trial.ledger.verify_events()
        rig.trial.discard()


def test_dying_while_it_is_taken_back(quick_path: Path) -> None:
    start = a_rig(quick_path / "start", items=2)
    start.approved = True

    def change(name: str) -> None:
        if name == "hook close done":
            start.approved = False

    assert start.cut(change).code == "not-approved"
    assert start.phase is Phase.FROZEN
    calm = twin(start, quick_path / "calm")
    count = Countdown()
    assert calm.cut(count, back=True).code is None
    for number in range(1, len(count.steps) + 1):
        rig = twin(start, quick_path / str(number))
        where = f"died at step {number} of {len(count.steps)}: {count.steps[number - 1]}"
        dies(rig, number, back=True)
        if rig.states().get("back"):
            assert rig.cut().code == "taking-back", where
        assert rig.cut(back=True).code is None, where
        undone = [name for name in rig.log if name.endswith(".undo")]
        assert undone[0] == "close.undo", where
        assert undone[-1] == "redirect.undo", where
        assert (rig.phase, rig.states()) == (Phase.STAGING, {}), where
        (leg,) = rig.trial.ledger.legs()
        assert leg.state is LegState.VERIFIED, where
        rig.trial.discard()


BACK_AFTER = ("source.identity", "target.write done", "target.label")


def test_what_died_in_the_delta_is_taken_back(quick_path: Path) -> None:
    """A dead worker's leg keeps nobody frozen; the next pass settles what that worker had in hand."""
    start = a_rig(quick_path / "start", items=2)
    calm = twin(start, quick_path / "calm")
    count = Countdown()
    assert calm.cut(count).code is None
    first, last = count.steps.index("source.identity"), count.steps.index("hook open")
    moments = {name: count.steps.index(name, first, last) + 1 for name in BACK_AFTER if name in count.steps}
    moments["in doubt"] = moments["target.write done"] + 1
    moments["in the verification"] = len(count.steps) - count.steps[::-1].index("target.read")
    for where, number in moments.items():
        rig = twin(start, quick_path / str(number))
        dies(rig, number)
        assert rig.phase is Phase.FROZEN, where
        assert rig.cut(back=True).code is None, where
        assert (rig.phase, rig.states()) == (Phase.STAGING, {}), where
        assert rig.log[-2:] == ["close.undo", "redirect.undo"], where
        assert rig.trial.finish().state is LegState.VERIFIED, where
        assert rig.trial.store.snapshot() == calm.trial.store.snapshot(), where
        rig.trial.ledger.verify_events()
        rig.trial.discard()


def test_a_worker_that_may_live_keeps_its_mailbox(quick_path: Path) -> None:
    """One on another machine: nobody here can tell that it died."""
    rig = a_rig(quick_path / "start", items=2)
    with pytest.raises(Died):
        rig.cut(stop_at("source.fetch"))
    with rig.trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE leg SET owner = 'elsewhere.4/7/1/ab'")
    assert rig.cut(back=True).code == "claimed-elsewhere"
    assert rig.phase is Phase.FROZEN
    with rig.trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE leg SET lease_until = 1")
    assert rig.cut(back=True).code is None
    assert rig.phase is Phase.STAGING
    pace = rig.trial.pace
    most = lease.writes_most(pace.lease, pace.margin)
    assert sum(rig.trial.slept) >= most, "until nothing of it can still arrive"


def stop_at(wanted: str) -> Callable[[str], None]:
    def step(name: str) -> None:
        if name == wanted:
            raise Died

    return step
