"""Somebody renames folders of mail at the target before its user works there: nothing is written twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from walking import Died, Trial, a_mailbox, dying_at, letter, verified

from ledger.db.rows import LegState, Phase

WRITES = {f"target.{verb}" for verb in ("write", "append", "amend", "remove")}


@pytest.fixture(params=[True, False], ids=["states", "plain"])
def trial(request: pytest.FixtureRequest, quick_path: Path) -> Trial:
    """Two folders, one in the other, have moved."""
    trial = Trial(quick_path, a_mailbox(), MemoryStore(atomic=True, states=request.param))
    for path in (("Projekte",), ("Projekte", "Alt")):
        where = trial.mailbox.create_folder(path)
        for number in (410, 411, 412):
            trial.mailbox.deliver(where, letter(number))
    assert trial.run().state is LegState.VERIFIED
    return trial


def rename(trial: Trial, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    for path in [path for path in trial.store.folders if path[: len(old)] == old]:
        trial.store.folders[new + path[len(old) :]] = trial.store.folders.pop(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("Projekte",), ("Vorhaben",)),
        (("Projekte", "Alt"), ("Alt",)),
        (("Projekte",), ("INBOX", "Projekte")),
    ],
)
def test_a_renamed_folder_gets_its_name_back(
    trial: Trial, old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    before = trial.store.snapshot()
    rename(trial, old, new)
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert trial.store.snapshot() == before
    assert not WRITES.intersection(steps)


def test_both_of_two_renamed_folders_get_their_names_back(trial: Trial) -> None:
    before = trial.store.snapshot()
    rename(trial, ("Projekte", "Alt"), ("Beiseite",))
    rename(trial, ("Projekte",), ("Vorhaben",))
    verified(trial)
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("at", ["target.rename", "target.rename done"])
def test_whoever_dies_meanwhile_leaves_it_to_the_next(trial: Trial, at: str) -> None:
    before = trial.store.snapshot()
    rename(trial, ("Projekte",), ("Vorhaben",))
    with pytest.raises(Died):
        trial.run(dying_at(at))
    verified(trial)
    assert trial.store.snapshot() == before


def test_its_new_name_at_the_source_counts(trial: Trial) -> None:
    count = trial.store.snapshot().total()
    rename(trial, ("Projekte",), ("Vorhaben",))
    upper = next(one.id for one in trial.mailbox.folders.values() if one.path == ("Projekte",))
    trial.mailbox.rename_folder(upper, ("Akten",))
    verified(trial)
    assert trial.store.snapshot().total() == count
    assert not {("Projekte",), ("Vorhaben",)} & trial.store.folders.keys()
    assert len(trial.store.folders["Akten", "Alt"].messages) == 3


def test_a_folder_of_somebody_else_is_not_taken_for_it(trial: Trial) -> None:
    """Some servers give every folder one UIDVALIDITY."""
    lost = trial.store.folders.pop(("Projekte", "Alt"))
    trial.store.create(("Fremd",))
    theirs = trial.store.folders["Fremd",]
    theirs.uidvalidity = lost.uidvalidity
    verified(trial)
    assert trial.store.folders["Fremd",] is theirs
    assert len(trial.store.folders["Projekte", "Alt"].messages) == 3


def test_in_a_live_mailbox_the_name_is_its_users(trial: Trial) -> None:
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    rename(trial, ("Projekte",), ("Vorhaben",))
    trial.run()
    assert ("Vorhaben",) in trial.store.folders
    assert ("Projekte",) not in trial.store.folders
