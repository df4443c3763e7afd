"""Faults that pass, at every kind of call, and a ledger that is away for a while."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from walking import Failing, Trial, verified

from ledger.db.rows import LegState
from model.errors import Transient

BUSY = Transient("busy", after=0.0)


def undisturbed(start: Trial) -> Counter[object]:
    """The target after a run of a copy that nothing disturbs."""
    trial = start.copy(start.directory.parent / "calm")
    assert trial.run().state is LegState.VERIFIED
    return Counter(trial.store.snapshot())


def outlast_an_absent_ledger(
    start: Trial, wanted: Counter[object], directory: Path, passing: int, times: int
) -> None:
    """Fails so many commits after so many that pass; 1000 of them are more than one run waits for."""
    trial = start.copy(directory / "away")
    quiet = trial.commits(Failing("commit", Transient("ledger-unavailable"), passing=passing, times=times))
    first = trial.run()
    quiet()
    if times == 1000:
        assert (first.state, first.code) == (LegState.WAITING, "ledger-unavailable")
    verified(trial)
    assert Counter(trial.store.snapshot()) == wanted
