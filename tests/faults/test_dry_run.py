"""A dry run looks: of what was begun, the ledger is the same afterwards, whatever the look met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from undoing import Undoing
from walking import Died, Failing, Trial, a_mailbox, dying_at, edit, letter
from whole_tables import whole

from engine.leg.leg_result import News
from engine.leg.run import Leg, Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase
from model.errors import Blocked, Transient

LOOK = Task(dry=True)
States = Callable[[Trial], None]


def verified(trial: Trial) -> None:
    assert trial.finish().state is LegState.VERIFIED


def read_back(trial: Trial) -> None:
    verified(trial)
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED


def differing(trial: Trial) -> None:
    verified(trial)
    for folder in trial.store.folders.values():
        folder.messages.clear()
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.DIFFERS


def half_copied(trial: Trial) -> None:
    with pytest.raises(Died):
        trial.run(dying_at("target.write", 2))


def waiting(trial: Trial) -> None:
    verified(trial)
    away = Failing("source.changes", Transient("server-unreachable", "away"), times=99)
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(300))
    assert trial.run(away).state is LegState.WAITING


def blocked(trial: Trial) -> None:
    (row,) = trial.ledger.legs()
    lease = trial.ledger.claim(row.id, "worker", 60)
    assert lease is not None
    trial.ledger.release(lease, LegState.BLOCKED, "login-refused", "as the server said")


def frozen(trial: Trial) -> None:
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")


def live(trial: Trial) -> None:
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")


def half_rolled_back(trial: Trial) -> None:
    verified(trial)
    undoing = Undoing(trial)
    undoing.approve()
    with pytest.raises(Died):
        undoing.run(dying_at("target.remove"))


def all_rolled_back(trial: Trial) -> None:
    verified(trial)
    undoing = Undoing(trial)
    undoing.approve()
    undoing.run()


STATES: dict[States, str] = {
    verified: "dry-run",
    read_back: "dry-run",
    differing: "dry-run",
    half_copied: "dry-run",
    waiting: "dry-run",
    blocked: "dry-run",
    frozen: "dry-run",
    live: "dry-run",
    half_rolled_back: "rolling-back",
    all_rolled_back: "dry-run",
}
"""What was done to a mailbox before somebody looks, and how the look ends."""


def database(trial: Trial) -> Path:
    return trial.directory / "ledger.db"


def looked(trial: Trial, step: Callable[[str], None] = lambda _name: None) -> tuple[LegState, str | None]:
    """As a worker of its own: what the ledger's clock says is not moved."""
    (row,) = trial.ledger.legs(mailbox=trial.id)
    result = Leg(trial.setting(step, LOOK), row).run()
    return result.state, result.code


@pytest.mark.parametrize("changed", [False, True], ids=["as it was", "changed since"])
@pytest.mark.parametrize("before", STATES, ids=lambda one: one.__name__)
def test_a_look_writes_nothing(tmp_path: Path, before: States, changed: bool) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    before(trial)
    if changed:
        edit(trial.mailbox)
    ledger, target = whole(database(trial)), trial.store.snapshot()
    assert looked(trial)[1] == STATES[before]
    assert whole(database(trial)) == ledger
    assert trial.store.snapshot() == target
    trial.ledger.verify_events()


FAULTS = {
    "a fault that passes": (Transient("server-unreachable", "away"), LegState.WAITING),
    "a login that is refused": (Blocked("login-refused", "no"), LegState.BLOCKED),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_look_that_fails_takes_nothing_away(tmp_path: Path, name: str) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    verified(trial)
    error, state = FAULTS[name]
    ledger = whole(database(trial))
    assert looked(trial, Failing("source.changes", error, times=99)) == (state, error.code)
    assert whole(database(trial)) == ledger


def test_a_look_while_the_ledger_is_away_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the ledger before the look is no fault of every mailbox either."""
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    half_copied(trial)

    def away(*_: object) -> bool:
        raise Transient("ledger-unavailable", "away")

    monkeypatch.setattr("ledger.leg.listing_diff.begun", away)
    (row,) = trial.ledger.legs()
    row = replace(row, state=LegState.PENDING, code=None)
    result = Leg(trial.setting(task=LOOK), row).run()
    assert (result.state, result.code) == (LegState.WAITING, "ledger-unavailable")


@pytest.mark.parametrize("incremental", [True, False])
def test_a_look_says_what_a_pass_would_find(tmp_path: Path, incremental: bool) -> None:
    mailbox = a_mailbox()
    mailbox.incremental = incremental
    trial = Trial(tmp_path, mailbox, MemoryStore())
    verified(trial)
    assert trial.run(task=LOOK).news == News()
    edit(mailbox)
    found = trial.run(task=LOOK).news
    assert found == trial.run(task=LOOK).news, "a second look finds the same"
    assert found is not None
    assert (found.new, found.changed) == (4, 2)
    assert found.gone == 2
    assert trial.run().state is LegState.VERIFIED, "and the pass after it finds all of it"


def test_the_first_look_keeps_what_it_listed_for_the_first_pass(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    assert looked(trial) == (LegState.PENDING, "dry-run")
    (row,) = trial.ledger.legs()
    assert (row.state, row.code, row.items) == (LegState.PENDING, "dry-run", 13)
    assert looked(trial) == (LegState.PENDING, "dry-run")
    assert trial.run().state is LegState.VERIFIED
