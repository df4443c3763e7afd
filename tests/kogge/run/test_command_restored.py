"""What the commands leave outside of the ledger, and say of a ledger that was restored from a backup."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from lonely import plan, settle
from servers.dovecot import Dovecot
from town import Town, configure, dovecot

from engine.config.load import load
from engine.context.leg_context import utc_now
from engine.opening.open_sides import accounts, open_target
from engine.preflight.preflight import never
from ledger.db.rows import LegState
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind

__all__ = ["dovecot"]
RULES = '[gate]\ndirectory = "people.csv"\n[approval]\nrequired = 0\n'


@pytest.fixture
def town(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Town:
    configure(tmp_path, dovecot, monkeypatch, RULES)
    return Town.settled(tmp_path, dovecot, 0, {"anna": "pilot"}, 3)


@pytest.mark.dovecot
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_restored_ledger_is_told_by_check_and_a_cutover_leaves_its_move(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--json") in (0, 1)
    (found,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert found["ready"], found
    assert run("cutover", "--wave", "pilot", "--by", "Team") == 0
    config, number = load(town.folder / "kogge.toml"), town.ids["anna"]
    with closing(town.ledger()) as ledger:
        row = ledger.mailbox(number)
        account, moves = accounts(ledger, row).target, ledger.moves(number)
        target = open_target(config, account, Kind.MAIL, never, live=True, not_after=utc_now())
        with closing(target):
            assert target.mark().endswith(f" {moves.count} live {moves.newest}")  # type: ignore[attr-defined]
        (file,) = config.state_directory.rglob("*.phase")
        assert file.read_text() == f"{moves.count} live {moves.newest}\n"
        with ledger.engine.begin() as connection:  # as from before the first pass
            connection.exec_driver_sql("UPDATE leg SET generation = 0, done = 0")
    capsys.readouterr()
    assert run("check", "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert [one["code"] for one in (*found["faults"], *found["warnings"])] == ["ledger-restored"]
    assert found["proof"] == "directory", "the rest is looked at all the same"


def test_setting_the_same_phase_is_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = plan(settle(tmp_path, monkeypatch))
    order = ("phase", "staging", "--mailbox", number, "--by", "A")
    with closing(Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")) as ledger:
        assert run(*order) == 0
        assert "0 mailboxes are staging now" in capsys.readouterr().out
        ledger.event("pilot", "phase-behind", {"moves": 5}, subject=number)
        assert ledger.phase_asked([number, "m-other"]) == {number}
        assert run(*order) == 0
        assert "1 mailbox is staging now" in capsys.readouterr().out
        assert ledger.phase_asked([number]) == set()
        moves = ledger.moves(number)
    assert (moves.count, moves.answered) == (6, 5)
    (file,) = (tmp_path / "kogge-state").rglob("*.phase")
    assert file.read_text() == f"6 staging {moves.newest}\n"


def test_a_phase_is_set_though_the_state_directory_takes_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise Blocked("state-full", "no room")

    number = plan(settle(tmp_path, monkeypatch))
    monkeypatch.setattr("engine.steps.beginning.ledger_generation.Generations.write_move", full)
    assert run("phase", "frozen", "--mailbox", number, "--by", "A") == 0
    told = capsys.readouterr()
    assert "1 mailbox is frozen now" in told.out
    assert "does not know the new phases yet" in told.err


def test_failures_in_json_name_what_stopped_a_workload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = plan(settle(tmp_path, monkeypatch))
    with closing(Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")) as ledger:
        (leg,) = ledger.legs(mailbox=number)
        assert ledger.put_off(leg.id, "account-in-doubt", "m-12345678")
        assert ledger.leg(leg.id).state is LegState.WAITING
    assert run("failures", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["mailbox"], row["wave"], row["workload"]) == (number, "pilot", "mail")
    assert (row["code"], row["detail"], row["item"]) == ("account-in-doubt", "m-12345678", None)
    assert row["advice"]
    assert run("failures") == 0
    assert "account-in-doubt" in capsys.readouterr().out
