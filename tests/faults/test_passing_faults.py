"""Every kind of call fails and the fault passes: before or after it took effect, once, twice, too often."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from passing_faults import BUSY, outlast_an_absent_ledger, undisturbed
from walking import Failing, Trial, a_mailbox, edit

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
    "target.write",
    "target.append",
    "target.amend",
    "target.remove",
    "target.listing",
    "target.read",
    "target.label",
]


@pytest.fixture(scope="module", params=[True, False], ids=["atomic", "partial"])
def calm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A first run is done, people went on working; never run itself, only copied."""
    directory = tmp_path_factory.mktemp("faults") / "start"
    directory.mkdir()
    trial = Trial(directory, a_mailbox(4), MemoryStore(atomic=request.param))
    assert trial.run().state is LegState.VERIFIED
    edit(trial.mailbox)
    return trial


@pytest.fixture(scope="module")
def expected(calm: Trial) -> Counter[object]:
    """The target after a run that nothing disturbed."""
    return undisturbed(calm)


def occurs(calm: Trial, name: str) -> bool:
    return name != "target.append" or not calm.store.atomic


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("when", ["", " done"], ids=["before", "after"])
@pytest.mark.parametrize("name", CALLS)
def test_a_fault_that_passes_changes_nothing(
    calm: Trial, expected: Counter[object], quick_path: Path, name: str, when: str, times: int
) -> None:
    if not occurs(calm, name):
        pytest.skip("a store that takes batches whole has no such call")
    trial = calm.copy(quick_path / "trial")
    step = Failing(name + when, BUSY, times=times)
    result = trial.run(step)
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    # A rename that took effect is not asked for again.
    assert step.raised == (1 if name + when == "target.rename done" else times)
    assert Counter(trial.store.snapshot()) == expected


@pytest.mark.parametrize("name", [*CALLS, "source.fetch done", "target.remove done"])
def test_a_fault_too_often_leaves_the_leg_waiting(
    calm: Trial, expected: Counter[object], quick_path: Path, name: str
) -> None:
    if not occurs(calm, name):
        pytest.skip("a store that takes batches whole has no such call")
    trial = calm.copy(quick_path / "often")
    result = trial.run(Failing(name, BUSY, times=1000))
    assert (result.state, result.code) == (LegState.WAITING, "busy")
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert Counter(trial.store.snapshot()) == expected


@pytest.mark.parametrize("times", [1, 2, 1000])
@pytest.mark.parametrize("passing", [0, 3, 7, 12, 18, 25, 33, 40])
def test_the_ledger_is_away(
    calm: Trial, expected: Counter[object], quick_path: Path, passing: int, times: int
) -> None:
    outlast_an_absent_ledger(calm, expected, quick_path, passing, times)
