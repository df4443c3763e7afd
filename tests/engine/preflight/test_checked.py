"""What a check found stays what approvers saw, as far as the migration itself changed what is there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lonely import plan, settle

from engine.approvals.plan_approval import plan_of
from engine.config.load import Config, load
from engine.config.sources import Sources
from engine.identity.identity_gate import GateRules
from engine.planning.mailbox_list import Person
from engine.preflight import preflight
from engine.preflight.check_results import keep
from engine.preflight.preflight import PreflightResult
from kogge.prepare import check as command_check
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind

ANNA = Person(2, "a@old.example", "a@new.example", "pilot", "a@old.example", "a@new.example")
BEGUN = frozenset({ANNA.source})


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    plan(settle(tmp_path, monkeypatch))
    return load(tmp_path / "kogge.toml")


def plan_hash(config: Config) -> str:
    with closing(Ledger(config.ledger_url())) as ledger:
        return plan_of(config, ledger, "pilot").hash


def look(*warnings: str, level: str = "address", fault: str | None = None) -> PreflightResult:
    faults = [("gate", fault)] if fault else []
    return PreflightResult(ANNA, level, warnings=[("gate", code) for code in warnings], faults=faults)


@pytest.mark.parametrize("code", ["target-not-empty", "sent-items-implausible"])
def test_what_is_asked_once_stays_as_it_was_approved(config: Config, code: str) -> None:
    keep(config, "pilot", [look(code)])
    approved = plan_hash(config)
    keep(config, "pilot", [look()], BEGUN)
    assert plan_hash(config) == approved
    keep(config, "pilot", [look()])
    assert plan_hash(config) != approved


@pytest.mark.parametrize(
    "later", [look(level="asserted"), look("identity-not-proven"), look(fault="directory-disagrees")]
)
def test_what_else_is_found_of_what_has_begun_is_told(config: Config, later: PreflightResult) -> None:
    keep(config, "pilot", [look("target-not-empty")])
    approved = plan_hash(config)
    keep(config, "pilot", [later], BEGUN)
    assert plan_hash(config) != approved


@pytest.mark.parametrize("begun", [False, True])
def test_what_was_copied_already_needs_no_room(monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    """Else the check of a wave that runs would void its approvals: 6 GB of 9 GB were copied."""

    def source(look: PreflightResult, *_: object) -> None:
        look.bytes, look.free = 9_000, 4_000

    side = SimpleNamespace(identity=lambda: None, close=lambda: None)
    monkeypatch.setattr(preflight, "open_source", lambda *_, **__: side)
    monkeypatch.setattr(preflight, "_look_at_source", source)
    monkeypatch.setattr(preflight, "_examine_target", lambda *_: None)
    config: Any = SimpleNamespace(workloads=(Kind.MAIL,), source=Sources(None, {}))
    found = preflight.examine(config, ANNA, {Kind.MAIL: GateRules()}, begun=begun)
    assert found.faults == ([] if begun else [("target", "quota-too-small")])


def test_what_this_machine_found_stands_below_the_code_and_nowhere_else() -> None:
    def refuse() -> None:
        raise Blocked("tls-failed", "certificate or protocol not accepted").with_local_cause(
            "mail.example:143: the port does not speak TLS"
        )

    look = PreflightResult(ANNA)
    with preflight._noting(look, "source"):
        refuse()
    assert look.faults == [("source", "tls-failed")]
    lines = list(command_check._fault_lines([look, look], "list.csv"))
    assert lines[0].startswith("tls-failed (2): ")
    assert lines[1:] == ["  mail.example:143: the port does not speak TLS"]
    with pytest.raises(Blocked) as caught:
        refuse()
    assert "mail.example" not in str(caught.value)
