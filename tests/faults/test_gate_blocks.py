"""Everything that speaks against writing blocks before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from memory.doubles import MemorySource, MemoryStore
from walking import ONE, PROVEN, SOURCE, TARGET, Trial, a_mailbox, letter

from engine.identity.identity_gate import GateRules
from engine.leg.run import Task
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory
from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from model.kinds import Kind
from model.protocols import Identity

WRITES = ("target.write", "target.append", "target.amend", "target.remove", "target.ensure", "target.rename")
NOBODY = frozenset({2})


def denied(trial: Trial) -> None:
    trial.rules = replace(PROVEN, deny=DenyList(frozenset({SOURCE})))


def denied_by_another_address(trial: Trial) -> None:
    trial.mailbox.addresses = frozenset({SOURCE, "judge@old.example"})
    trial.rules = replace(PROVEN, deny=DenyList(frozenset({"judge@old.example"})))


def strange_source(trial: Trial) -> None:
    trial.mailbox.addresses = frozenset({"berta@old.example"})


def strange_directory(trial: Trial) -> None:
    trial.rules = GateRules(directory=Directory({SOURCE: ONE}, {TARGET: NOBODY}))


def strange_target(trial: Trial) -> None:
    trial.store.addresses = frozenset({"berta@new.example"})


def only_asserted(trial: Trial) -> None:
    trial.rules = GateRules()


def occupied(trial: Trial) -> None:
    trial.store.append(("INBOX",), letter(1), frozenset(), None)


def strange_sender(trial: Trial) -> None:
    trial.mailbox.id = "sender-is-berta"


BLOCKS = [
    (denied, "denied"),
    (denied_by_another_address, "denied"),
    (strange_source, "source-address-differs"),
    (strange_directory, "directory-disagrees"),
    (strange_target, "target-address-differs"),
    (only_asserted, "identity-not-proven"),
    (occupied, "target-not-empty"),
    (strange_sender, "sent-items-implausible"),
]


class Telling(MemorySource):
    """A class of its own: whether an object fulfils a protocol is remembered by its class."""

    def sent_from(self, limit: int) -> list[str]:
        strange = self.identity().id == "sender-is-berta"
        return ["berta@old.example" if strange else SOURCE] * min(3, limit)


@pytest.fixture
def trial(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr("walking.MemorySource", Telling)
    return Trial(quick_path, a_mailbox(2), MemoryStore())


@pytest.mark.parametrize(("arrange", "code"), BLOCKS, ids=[arrange.__name__ for arrange, _ in BLOCKS])
def test_what_stops_a_look_stops_no_run_that_comes(
    trial: Trial, arrange: Callable[[Trial], None], code: str
) -> None:
    """Somebody mends it after a dry run, and then runs the wave."""
    arrange(trial)
    look = trial.run(task=Task(dry=True))
    assert (look.state, look.code) == (LegState.BLOCKED, code)
    assert look.news is not None, "the command that looked shows it"
    (leg,) = trial.ledger.legs()
    assert (leg.state, leg.code) == (LegState.PENDING, "dry-run")


@pytest.mark.parametrize(("arrange", "code"), BLOCKS, ids=[arrange.__name__ for arrange, _ in BLOCKS])
def test_it_blocks_and_nothing_is_written(trial: Trial, arrange: Callable[[Trial], None], code: str) -> None:
    arrange(trial)
    before, steps = trial.store.snapshot(), list[str]()
    result = trial.run(steps.append)
    assert (result.state, result.code) == (LegState.BLOCKED, code)
    assert trial.store.snapshot() == before
    assert list(trial.store.folders) == [("INBOX",)]
    assert not {step for step in steps if step.startswith(WRITES)}
    assert trial.ledger.mailbox(trial.id).target_identity is None


APPROVABLE = [
    (only_asserted, "asserted"),
    (occupied, "target-not-empty"),
    (strange_sender, "sent-items"),
]


@pytest.mark.parametrize(("arrange", "code"), APPROVABLE, ids=[code for _, code in APPROVABLE])
def test_an_approval_lets_it_pass(trial: Trial, arrange: Callable[[Trial], None], code: str) -> None:
    arrange(trial)
    assert trial.run().state is LegState.BLOCKED
    trial.approve(code)
    trial.run()
    assert trial.ledger.mailbox(trial.id).target_identity is not None
    assert trial.store.used() > 0


@pytest.mark.parametrize("arrange", [denied, strange_source, strange_directory, strange_target])
def test_nothing_lets_these_pass(trial: Trial, arrange: Callable[[Trial], None]) -> None:
    arrange(trial)
    for code in ("asserted", "denied", "target-not-empty", "sent-items"):
        trial.approve(code)
    assert trial.run().state is LegState.BLOCKED
    assert trial.store.used() == 0


def test_artefacts_of_provisioning_are_ignored(trial: Trial) -> None:
    trial.store.append(("INBOX",), b"Subject: Welcome, Anna\r\n\r\nhello\r\n", frozenset(), None)
    assert trial.run().code == "target-not-empty"
    trial.ledger.requeue()
    trial.rules = replace(PROVEN, artefacts=("Welcome",))
    trial.run()
    assert trial.ledger.mailbox(trial.id).target_identity is not None


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_account_that_was_made_anew_is_another_one(trial: Trial, side: str) -> None:
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    trial.mailbox.deliver(next(iter(trial.mailbox.folders)), letter(9))
    changed = trial.mailbox if side == "source" else trial.store
    changed.id = "made-anew"
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "identity-changed")
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_account_that_another_mailbox_owns(trial: Trial, side: str) -> None:
    workloads = frozenset({Kind.MAIL})
    planned = PlannedMailbox("b@old.example", "b@new.example", "w", Phase.STAGING, workloads)
    (other,) = trial.ledger.add_mailboxes([planned])
    (leg,) = trial.ledger.legs(mailbox=str(other))
    lease = trial.ledger.claim(leg.id, "somebody", 60)
    assert lease is not None
    ids = {"source": "elsewhere-1", "target": "elsewhere-2", side: f"{side}-1"}
    source, target = Identity("memory", ids["source"]), Identity("memory", ids["target"])
    trial.ledger.bind(lease, source, target, "directory")
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "identity-bound-elsewhere")
    assert trial.store.used() == 0
    assert list(trial.store.folders) == [("INBOX",)]
