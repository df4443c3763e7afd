"""Files: every kind of call fails and the fault passes, before or after it took effect, once, twice, too
often; and the ledger goes away. Every name, byte, date and folder is as if nothing had happened."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from drives import drive_trial, edit_drive
from passing_faults import BUSY, outlast_an_absent_ledger, undisturbed
from walking import Failing, Trial

from ledger.db.rows import LegState

CALLS = [
    "source.identity",
    "source.containers",
    "source.changes",
    "source.fetch",
    "target.identity",
    "target.containers",
    "target.ensure",
    "target.rename",
    "target.position",
    "target.names",
    "target.write",
    "target.move",
    "target.look",
    "target.remove",
    "target.clear",
    "target.stamp",
    "target.listing",
    "target.hash",
]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A first run is done, people went on working; never run itself, only copied."""
    directory = tmp_path_factory.mktemp("faults") / "start"
    directory.mkdir()
    trial = drive_trial(directory, 2)
    assert trial.run().state is LegState.VERIFIED
    edit_drive(trial.mailbox)
    return trial


@pytest.fixture(scope="module")
def expected(calm: Trial) -> Counter[object]:
    """The target after a run that nothing disturbed."""
    return undisturbed(calm)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("when", ["", " done"], ids=["before", "after"])
@pytest.mark.parametrize("name", CALLS)
def test_a_fault_that_passes_changes_nothing(
    calm: Trial, expected: Counter[object], quick_path: Path, name: str, when: str, times: int
) -> None:
    trial = calm.copy(quick_path / "trial")
    step = Failing(name + when, BUSY, times=times)
    result = trial.run(step)
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert step.raised > 0
    assert Counter(trial.store.snapshot()) == expected


@pytest.mark.parametrize("name", [*CALLS, "target.move done", "target.remove done"])
def test_a_fault_too_often_leaves_the_leg_waiting(
    calm: Trial, expected: Counter[object], quick_path: Path, name: str
) -> None:
    trial = calm.copy(quick_path / "often")
    result = trial.run(Failing(name, BUSY, times=1000))
    assert (result.state, result.code) == (LegState.WAITING, "busy")
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert Counter(trial.store.snapshot()) == expected


@pytest.mark.parametrize("times", [1, 2, 1000])
@pytest.mark.parametrize("passing", [0, 3, 7, 12, 18, 25, 33, 40, 50])
def test_the_ledger_is_away(
    calm: Trial, expected: Counter[object], quick_path: Path, passing: int, times: int
) -> None:
    outlast_an_absent_ledger(calm, expected, quick_path, passing, times)
