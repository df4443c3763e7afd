"""Whatever ends a run on a leg that is half rolled back, the next pass does not fill it again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from memory.doubles import MemoryStore, Step
from undoing import Undoing
from walking import Died, Trial, a_mailbox

from engine.pacing.login_breaker import REFUSED
from engine.steps.beginning.ledger_generation import Generations
from engine.steps.beginning.outside_marks import Pass
from ledger.db.rows import LegState
from model.errors import Corrupt, Transient


def half_undone(directory: Path) -> Trial:
    trial = Trial(directory, a_mailbox(5), MemoryStore())
    trial.generations = Generations(directory / "state")
    assert trial.run().state is LegState.VERIFIED
    undoing = Undoing(trial)
    undoing.approve()

    def die(step: str) -> None:
        if step == "target.remove done":
            raise Died(step)

    with pytest.raises(Died):
        undoing.run(die)
    return trial


def fails(error: Exception) -> Step:
    """The first call to the target fails: before the rollback is begun once more."""

    def step(_name: str) -> None:
        raise error

    return step


def resumed_while(trial: Trial, step: Step) -> None:
    assert Undoing(trial).run(step).state is LegState.BLOCKED


def unreachable(trial: Trial) -> None:
    resumed_while(trial, fails(Transient("unreachable", "")))


def defective(trial: Trial) -> None:
    resumed_while(trial, fails(KeyError("a defect")))


def corrupt(trial: Trial) -> None:
    with pytest.raises(Corrupt):
        Undoing(trial).run(fails(Corrupt("chain-broken", "")))


def restored(trial: Trial) -> None:
    """The ledger is older than what was done with it."""
    assert trial.generations is not None
    (file,) = (trial.directory / "state").rglob(f"{trial.id}.mail")
    before = file.read_text()
    file.write_text(f"{Pass(99, 0).text()}\n")
    assert Undoing(trial).run().state is LegState.BLOCKED
    file.write_text(before)


def stopped(trial: Trial) -> None:
    """A pass takes the leg over, and is stopped while it waits for what the dead worker sent."""
    stop = threading.Event()
    stop.set()
    assert trial.run(stop=stop).state is not LegState.VERIFIED


def refused(trial: Trial) -> None:
    """Another workload of the mailbox was refused."""
    (leg,) = trial.ledger.legs()
    trial.run()  # it takes over what the dead worker held
    assert trial.ledger.block(leg.id, REFUSED)


def put_off(trial: Trial) -> None:
    (leg,) = trial.ledger.legs()
    trial.run()
    trial.ledger.put_off(leg.id, "server-unwell", None)


TROUBLE = (unreachable, defective, corrupt, restored, stopped, refused, put_off)


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda one: one.__name__)
def test_it_stays_rolling_back(quick_path: Path, trouble: Callable[[Trial], None]) -> None:
    trial = half_undone(quick_path)
    left = trial.store.snapshot()
    assert left
    trouble(trial)
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "rolling-back")
    assert trial.store.snapshot() == left
    assert Undoing(trial).run().code == "rolled-back"
    assert trial.store.snapshot().total() == 0
