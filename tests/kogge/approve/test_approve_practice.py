"""From the check to the first write, on practice servers, as an operator and two approvers go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commands import run

from engine.assembly import build_leg
from engine.config.load import load
from engine.config.template import write_new
from engine.leg.leg_result import LegResult
from kogge.prepare.practice_servers import APPROVERS, Stage, practising
from ledger.db.rows import LegState
from ledger.plan.approvals import plan_rows
from ledger.store import Ledger


@pytest.fixture
def stage() -> Iterator[Stage]:
    with practising(people=2, items=3, seed=7, prefect_port=0) as running:
        yield running


@pytest.fixture
def place(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_new(tmp_path, stage.files())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def approve(*options: str) -> None:
    for name in APPROVERS:
        assert run("approve", "-w", "pilot", "--key", f"{name}.pem", "--reason", "x", "--yes", *options) == 0


def legs(place: Path) -> list[LegResult]:
    """Every leg, as a worker runs it that nobody asked for an approval before."""
    config = load(place / "kogge.toml")
    with closing(Ledger(config.ledger_url())) as ledger:
        ledger.requeue()
        numbers = [leg.id for leg in ledger.legs("pilot")]
    return [build_leg(config, number).run() for number in numbers]


def test_nothing_is_written_before_two_have_signed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--wave", "pilot") == 0
    with closing(Ledger(load(place / "kogge.toml").ledger_url())) as ledger:
        rows = plan_rows(ledger, "pilot")
    assert [(row.level, row.code, row.items) for row in rows] == [("directory", None, 3)] * 2
    capsys.readouterr()
    assert run("migrate", "--wave", "pilot") == 1
    assert "not-approved" in capsys.readouterr().err
    refused = legs(place)
    assert {(one.state, one.code) for one in refused} == {(LegState.BLOCKED, "not-approved")}
    approve()
    assert {(one.state, one.code) for one in legs(place)} == {(LegState.VERIFIED, None)}
    capsys.readouterr()
    assert run("check", "--wave", "pilot") == 0
    assert "approvers named" not in capsys.readouterr().out
    assert run("approvals", "-w", "pilot") == 0, (
        "what is being migrated stays approved when it is checked again"
    )
    toml = (place / "kogge.toml").read_text()
    (place / "kogge.toml").write_text(toml.replace("required = 2", "required = 3"))
    assert run("check", "--wave", "pilot") == 0
    assert "a wave takes 3 approvals, approvers named: 2." in " ".join(capsys.readouterr().out.split())


def test_each_command_says_the_next_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Up to the last signature, and when all is signed; the rows are counted of what was looked at."""
    more = "new@practice.example,new@practice.example,later\n"
    (place / "mailboxes.csv").write_text((place / "mailboxes.csv").read_text() + more)
    to_sign = "kogge approve --wave pilot --key KEY --reason TEXT\n"
    assert run("check", "--wave", "pilot") == 0
    said = capsys.readouterr()
    assert said.err.endswith(f"Next: {to_sign}")
    assert "2 of 2 mailboxes of wave pilot in mailboxes.csv (3 in all) are ready" in said.out
    sign = ("approve", "-w", "pilot", "--reason", "x", "--yes", "--key")
    assert run(*sign, f"{APPROVERS[0]}.pem") == 0
    assert capsys.readouterr().err.endswith(f"Next, by another approver: {to_sign}")
    assert run(*sign, f"{APPROVERS[1]}.pem") == 0
    assert "Next: kogge migrate --wave pilot\n" in capsys.readouterr().err
    assert run("verify", "--wave", "pilot") == 1, "no Prefect server is started for it"
    assert capsys.readouterr().err == "Nothing of it has run yet. Next: kogge migrate --wave pilot\n"
    assert run("check", "--wave", "pilot") == 0
    assert capsys.readouterr().err.endswith("Next: kogge migrate --wave pilot\n")


def test_a_check_of_the_whole_list_is_kept_for_each_wave_of_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check") == 0
    config = load(place / "kogge.toml")
    with closing(Ledger(config.ledger_url())) as ledger:
        before = {(row.level, row.code) for row in plan_rows(ledger)}
        assert before == {("directory", None)}
        approve()
        assert len([event for event in ledger.events("pilot") if event.kind == "plan-approved:start"]) == 2
        listed = (place / "mailboxes.csv").read_text()
        (place / "mailboxes.csv").write_text(listed + "new@practice.example,new@practice.example,pilot\n")
        capsys.readouterr()
        run("check")
        told = " ".join(capsys.readouterr().err.split())
        assert "not kept for the approvers: mailboxes.csv: differs from the signed plan of wave pilot" in told
        assert len(plan_rows(ledger)) == len(listed.splitlines()) - 1
        (place / "mailboxes.csv").write_text(listed)
        toml = (place / "kogge.toml").read_text()
        (place / "kogge.toml").write_text(toml.replace('directory = "directory.csv"', ""))
        assert run("check") == 1
        assert {(row.level, row.code) for row in plan_rows(ledger)} == {("asserted", "identity-not-proven")}


def test_a_proof_that_got_worse_since_blocks_and_needs_new_signatures(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--wave", "pilot") == 0
    approve()
    (place / "directory.csv").write_text("source,target\n")
    config = load(place / "kogge.toml")
    with closing(Ledger(config.ledger_url())) as ledger:
        ledger.approve("wave:pilot", "asserted", "A. Auditor", "seen both")
    assert {one.code for one in legs(place)} == {"proof-weaker-than-approved"}
    capsys.readouterr()
    assert run("check", "--wave", "pilot") == 0
    out = capsys.readouterr().out
    assert "identity-not-proven, approved" in out
    assert "2 of 2 mailboxes" in out
    assert {one.code for one in legs(place)} == {"not-approved"}
    capsys.readouterr()
    approve()
    assert "accepted 2 identity-not-proven" in " ".join(capsys.readouterr().out.split())
    assert {(one.state, one.code) for one in legs(place)} == {(LegState.VERIFIED, None)}
    assert run("approvals", "-w", "pilot", "--json") == 0
    given = json.loads(capsys.readouterr().out)["approvals"]
    assert [one["void"] for one in given] == ["plan-changed", "plan-changed", None, None]
