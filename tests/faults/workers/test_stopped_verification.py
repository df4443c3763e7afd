"""A verification that is stopped leaves the verdict of the one before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from walking import Trial, a_mailbox, verified

from engine.control.stop_signal import STOPPED, Stop
from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState

LOOK = Task(Level.BOTH, copy=False)
CALLS = ["source.containers", "target.containers", "target.listing", "target.read", "source.fetch"]


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = Trial(quick_path, a_mailbox(9), MemoryStore())
    verified(trial)
    return trial


def verdict(trial: Trial) -> tuple[LegState, str | None, str | None]:
    (leg,) = trial.ledger.legs(mailbox=trial.id)
    assert leg.owner is None
    return leg.state, leg.code, leg.detail


@pytest.mark.parametrize("call", CALLS)
def test_a_verified_workload_stays_verified(trial: Trial, call: str) -> None:
    stop = Stop()
    result = trial.run(lambda name: stop.ask(STOPPED) if name == call else None, LOOK, stop)
    assert stop.is_set()
    assert (result.state, result.code) == (LegState.PENDING, STOPPED)
    assert verdict(trial) == (LegState.VERIFIED, None, None)
    assert trial.run(task=LOOK).state is LegState.VERIFIED


def test_what_it_found_before_it_was_stopped_is_not_called_verified(trial: Trial) -> None:
    first = next(iter(trial.store.folders["INBOX",].messages))
    del trial.store.folders["INBOX",].messages[first]
    stop = Stop()

    def step(name: str = "commit") -> None:
        if name == "source.changes" and trial.findings():
            stop.ask(STOPPED)

    trial.run(step, LOOK, stop)
    assert trial.findings()
    assert verdict(trial) == (LegState.PENDING, STOPPED, None)


def test_a_workload_that_differs_stays_so(trial: Trial) -> None:
    trial.store.folders["INBOX",].messages.clear()
    assert trial.run(task=LOOK).state is LegState.DIFFERS
    before = verdict(trial)
    stop = Stop()
    trial.run(lambda name: stop.ask(STOPPED) if name == "target.listing" else None, LOOK, stop)
    assert verdict(trial) == before


def test_a_pass_that_is_stopped_is_to_run_again(trial: Trial) -> None:
    trial.mailbox.lose_cursors()
    stop = Stop()
    trial.run(lambda name: stop.ask(STOPPED) if name == "source.changes" else None, stop=stop)
    assert verdict(trial)[0] is LegState.PENDING
