"""A worker dies around the renaming of a folder, and before the next pass somebody looks, or rolls back."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore, MemoryTarget
from undoing import Undoing
from walking import Died, Trial, a_mailbox, dying_at, letter

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState

CHANGES = {f"target.{verb}" for verb in ("write", "append", "amend", "remove", "rename")}
LOOK = Task(Level.TARGET, copy=False)


def put_below(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may have all folders but INBOX below a prefix (RFC 2342, 5), which no path has."""

    def href(_target: MemoryTarget, path: tuple[str, ...]) -> str:
        return "/".join(path) if path == ("INBOX",) else prefix + "/".join(path)

    def path(_target: MemoryTarget, href: str) -> tuple[str, ...]:
        return tuple(href.removeprefix(prefix).split("/"))

    monkeypatch.setattr(MemoryTarget, "_href", href)
    monkeypatch.setattr(MemoryTarget, "_path", path)


@pytest.fixture(params=["", "Konto/"])
def trial(request: pytest.FixtureRequest, quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Two folders, one in the other, have moved; then the upper one gets another name."""
    put_below(request.param, monkeypatch)
    trial = Trial(quick_path, a_mailbox(), MemoryStore(atomic=True))
    upper = trial.mailbox.create_folder(("Projekte",))
    lower = trial.mailbox.create_folder(("Projekte", "Alt"))
    for where in (upper, lower):
        for number in (410, 411):
            trial.mailbox.deliver(where, letter(number))
    assert trial.run().state is LegState.VERIFIED
    trial.mailbox.rename_folder(upper, ("Vorhaben",))
    return trial


@pytest.fixture
def renamed(trial: Trial) -> Trial:
    """The target did it, and the ledger does not say so."""
    with pytest.raises(Died):
        trial.run(dying_at("target.rename done"))
    assert ("Vorhaben", "Alt") in trial.store.folders
    return trial


def moves_on(trial: Trial) -> list[str]:
    """What the next pass changes at the target."""
    steps: list[str] = []
    before = trial.store.snapshot().total()
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert ("Projekte",) not in trial.store.folders
    assert trial.store.snapshot().total() == before
    return [step for step in steps if step in CHANGES]


def test_who_looks_calls_nothing_missing(renamed: Trial) -> None:
    found = renamed.run(task=LOOK)
    assert {outcome for outcome, _ in renamed.findings()} == {"?"}, "the folders have other names"
    assert (found.state, found.code) == (LegState.COPIED, "changed-since")
    assert moves_on(renamed) == []


@pytest.mark.parametrize("looked", [False, True])
def test_a_folder_that_the_server_made_anew_in_the_old_place_gets_nothing(
    renamed: Trial, looked: bool
) -> None:
    """As Dovecot does with special folders that are configured so."""
    renamed.store.create(("Projekte",))
    if looked:
        renamed.run(task=LOOK)
    before = renamed.store.snapshot()
    steps: list[str] = []
    assert renamed.run(steps.append).state is LegState.VERIFIED
    assert renamed.store.snapshot() == before
    assert not CHANGES.intersection(steps)


def test_a_folder_that_somebody_made_in_the_new_place_is_not_taken(trial: Trial) -> None:
    with pytest.raises(Died):
        trial.run(dying_at("target.rename"))
    trial.store.create(("Vorhaben",))
    assert trial.run().state is LegState.VERIFIED
    assert len(trial.store.folders["Projekte",].messages) == 2
    assert not trial.store.folders["Vorhaben",].messages


def test_what_the_target_did_not_come_to_do_is_done_by_the_next_pass(trial: Trial) -> None:
    with pytest.raises(Died):
        trial.run(dying_at("target.rename"))
    assert ("Projekte", "Alt") in trial.store.folders
    assert trial.run(task=LOOK).code == "changed-since"
    assert moves_on(trial) == ["target.rename"]


def test_a_rollback_finds_what_is_below_the_new_name(renamed: Trial) -> None:
    undoing = Undoing(renamed)
    undoing.approve()
    assert undoing.run().code == "rolled-back"
    assert undoing.counts["gone"] == 0
    assert not renamed.store.snapshot()
    assert ("Vorhaben",) not in renamed.store.folders
