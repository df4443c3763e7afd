"""Nothing is written where others than the owner of a mailbox may read it, until a person approves that."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from memory.doubles import MemoryMailbox, MemoryStore, MemoryTarget
from on_dovecot import OnDovecot
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import SOURCE, Trial, letter, verified

from engine.identity.other_readers import CODE
from engine.planning.mailbox_list import Person
from engine.preflight import preflight
from engine.preflight.preflight import PreflightResult
from ledger.db.rows import LegState, Phase
from ledger.leg.leg_session import LegLedger
from model.kinds import Kind
from model.protocols import Capabilities, Role
from model.readers import Readers
from practice.servers.pigeonhole import ACL

dovecot = dovecot_fixture(["anna", "bert"], more=ACL)
BLOCKED = (LegState.BLOCKED, CODE)
ANNA = Person(2, "a@old.example", "a@new.example", "pilot", "a@old.example", "a@new.example")


class Shared(MemoryTarget):
    """Others may read these of its folders."""

    to_others: frozenset[str] = frozenset()
    asked: tuple[str, ...] = ()

    def readers(self, hrefs: Collection[str] | None) -> Readers:
        names = [one.id for one in self.containers()] if hrefs is None else hrefs
        Shared.asked += tuple(names)
        return Readers(open=self.to_others & frozenset(names))


@pytest.fixture
def trial(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr("walking.MemoryTarget", Shared)
    monkeypatch.setattr(Shared, "asked", ())
    return Trial(quick_path, mailbox(("INBOX",)), MemoryStore())


def mailbox(*paths: tuple[str, ...]) -> MemoryMailbox:
    made = MemoryMailbox(addresses=frozenset({SOURCE}))
    for path in paths:
        role = Role.INBOX if path == ("INBOX",) else None
        made.deliver(made.create_folder(path, role), letter(len(path)))
    return made


def share(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(Shared, "to_others", frozenset(names))


def test_nothing_is_written_before_a_person_said_so(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, "INBOX")
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == BLOCKED
        assert trial.store.used() == 0
        trial.ledger.requeue()
    trial.approve(CODE)
    verified(trial)


def test_a_folder_is_asked_about_until_it_holds_something(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified(trial)
    assert Shared.asked == ("INBOX",)
    share(monkeypatch, "INBOX", "Later")
    (inbox,) = trial.mailbox.folders
    trial.mailbox.deliver(inbox, letter(50))
    verified(trial)
    trial.mailbox.deliver(trial.mailbox.create_folder(("Later",)), letter(60))
    result = trial.run()
    assert (result.state, result.code) == BLOCKED
    assert not trial.store.folders["Later",].messages
    assert Shared.asked == ("INBOX", "Later")


def test_a_live_mailbox_is_its_owners_affair(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    share(monkeypatch, "INBOX", "Later")
    asked = Shared.asked
    trial.mailbox.deliver(trial.mailbox.create_folder(("Later",)), letter(60))
    verified(trial)
    assert len(trial.store.folders["Later",].messages) == 1
    assert Shared.asked == asked


def test_rights_that_kogge_gave_refuse_no_later_folder(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may give a new folder those of the folder that it is in."""
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    share(monkeypatch, "Later")
    trial.mailbox.deliver(trial.mailbox.create_folder(("Later",)), letter(60))
    assert (trial.run().state, trial.run().code) == BLOCKED
    trial.ledger.requeue()
    monkeypatch.setattr(LegLedger, "gives_rights", lambda _: True)
    verified(trial)
    assert len(trial.store.folders["Later",].messages) == 1


@pytest.mark.parametrize(
    ("readers", "warned", "fact"),
    [
        (Readers(), [], None),
        (Readers(open=frozenset({"INBOX"})), [("target", CODE)], None),
        (Readers(untold=frozenset({"INBOX"})), [], "not told"),
    ],
)
def test_a_check_asks_about_all_folders(readers: Readers, warned: list[object], fact: str | None) -> None:
    target: Any = SimpleNamespace(
        capabilities=Capabilities(kinds=frozenset({Kind.MAIL})), readers=lambda hrefs: readers
    )
    look = PreflightResult(ANNA)
    preflight._look_at_target(look, "target", target)
    assert look.warnings == warned
    assert look.ready is not bool(warned)
    assert look.facts["target"].get("rights of folders") == fact


@pytest.mark.dovecot
def test_a_delegate_of_a_folder_gets_no_new_one_in_it(quick_path: Path, dovecot: Dovecot) -> None:
    source = mailbox(("INBOX",), ("Werk",), ("Werk", "Kinder"))
    trial = OnDovecot(quick_path, source, MemoryStore())
    trial.server, trial.user = dovecot, "anna"
    with trial.client() as client:
        client.create_folder("Werk")
        client.setacl("Werk", "bert", "lrs")
    result = trial.run()
    assert (result.state, result.code) == BLOCKED
    with trial.client() as client:
        for name in ("INBOX", "Werk", "Werk/Kinder"):
            assert client.folder_status(name, ["MESSAGES"])[b"MESSAGES"] == 0
        for name in ("Werk", "Werk/Kinder"):
            client.setacl(name, "bert", "-lrs")
    events = json.dumps([[one.kind, one.detail] for one in trial.ledger.events("w")], default=str)
    assert "bert" not in events + str(result)
    trial.ledger.requeue()
    verified(trial)
