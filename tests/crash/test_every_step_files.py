"""The same for files, which have names, of a first run and of a delta in which names are swapped, taken over
and differ only in case. A worker dies after whatever lasts; in longer runs (soak) at every request and
commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from drives import drive_trial, edit_drive
from dying import die_everywhere
from walking import Trial

from ledger.db.rows import LegState
from model.file_names import FileNames

Make = Callable[[Path, int], Trial]


def plain(directory: Path, items: int) -> Trial:
    return drive_trial(directory, items)


def windows(directory: Path, items: int) -> Trial:
    """Names that differ only in case are one; no ETag is told, no date kept."""
    return drive_trial(directory, items, rules=FileNames(fold=True), tells=False, dates=False)


def refusing(directory: Path, items: int) -> Trial:
    """The target refuses the names of two folders."""
    return drive_trial(directory, items, refuses=frozenset({"Arbeit", "Zukunft", "Neu"}))


MAKES = (plain, windows, refusing)
CI = [
    pytest.param(plain, False, id="first-run"),
    pytest.param(plain, True, id="delta"),
    pytest.param(windows, True, id="delta-of-names-without-case"),
    pytest.param(refusing, True, id="delta-of-refused-folders"),
]


def die(directory: Path, make: Make, changed: bool, items: int, *, every: bool) -> int:
    def scene(where: Path) -> Trial:
        where.mkdir()
        trial = make(where, items)
        if changed:
            assert trial.run().state is LegState.VERIFIED
            edit_drive(trial.mailbox)
        return trial

    return die_everywhere(directory, scene, every=every)


@pytest.mark.parametrize(("make", "changed"), CI)
def test_dying_after_whatever_lasts_changes_nothing(quick_path: Path, make: Make, changed: bool) -> None:
    assert die(quick_path, make, changed, 2, every=False) > 40


@pytest.mark.soak
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
@pytest.mark.parametrize("make", MAKES)
def test_dying_at_every_step_of_a_longer_run(quick_path: Path, make: Make, changed: bool) -> None:
    assert die(quick_path, make, changed, 12, every=True) > 120
