"""A list that was edited after its plan was signed: a command that runs the wave is refused, and the ledger
stays as it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import run
from configurations import imap_sides

from engine.approvals.pinned_settings import pin_at_start
from engine.approvals.plan_approval import approvals_of, refuse_unapproved
from engine.approvals.signed_list import refuse_changed_list
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from engine.planning.load_plan import plan
from engine.planning.plan_diff import changes
from flows.migrate import _prepare
from flows.process.parameters import WaveParameters
from ledger.plan.approvals import Check, keep_checks, plan_rows
from model.errors import Blocked, Misconfigured

ROWS = "source,target,wave\na@old.example,a@new.example,w\nb@old.example,b@new.example,w\n"
EDITS = {
    "added": "c@old.example,c@new.example,w\n",
    "removed": "b@old.example,b@new.example,w\n",
    "target": "b@old.example,other@new.example,w\n",
    "moved": "b@old.example,b@new.example,v\n",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A wave of two that two approvers signed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    names = ("Anna", "Bernd")
    for name in names:
        assert run("keys", "new", name, "--out", f"{name}.pem") == 0
    lines = capsys.readouterr().out
    (tmp_path / "kogge.toml").write_text(
        f"[approval.approvers]\n{lines}{imap_sides('old.example', 'new.example')}"
    )
    (tmp_path / "mailboxes.csv").write_text(ROWS)
    config = load(tmp_path / "kogge.toml")
    with opened_ledger(config) as ledger:
        planned = plan(config, ledger, "w")
        keep_checks(ledger, [Check(one, "directory", None, 20, 3_000_000) for one in planned.ids])
    for name in names:
        assert run("approve", "--wave", "w", "--key", f"{name}.pem", "--reason", "agreed", "--yes") == 0
    capsys.readouterr()
    return tmp_path


def edit(place: Path, kind: str) -> None:
    rows = ROWS if kind == "added" else ROWS.replace(EDITS["removed"], "")
    (place / "mailboxes.csv").write_text(rows if kind == "removed" else rows + EDITS[kind])


def kept(place: Path) -> list[object]:
    """What of the ledger must stay: the plan's rows, the events, and which signatures count."""
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        voids = [one.void for one in approvals_of(config, ledger, "w")]
        return [plan_rows(ledger), [event.kind for event in ledger.events("w")], voids]


def test_an_edited_list_is_refused_and_changes_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept(place)
    assert before[2] == [None, None]
    for kind in EDITS:
        edit(place, kind)
        for words in ("--wave w --dry-run", "--wave w", "--dry-run"):
            assert run("migrate", *words.split()) == 2
            told = capsys.readouterr().err
            assert f"mailboxes.csv: differs from the signed plan of wave w in 1 place (1 {kind})" in told
            assert "kogge plan diff" in told
            assert "kogge check --wave w" in told
            assert kept(place) == before
    (place / "mailboxes.csv").write_text(ROWS)
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        refuse_unapproved(config, ledger, "w", "start")


@pytest.mark.parametrize("ended", ["no approval", "other approvers", "other systems"])
def test_a_configuration_that_shares_the_ledger_changes_no_signed_plan(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    """Its own settings are not those by which the plan was signed."""
    monkeypatch.setattr("kogge.run.migrate._run_all", lambda *_: 0)
    before, text = kept(place), (place / "kogge.toml").read_text()
    approvers, systems = text.split("\n[", 1)[0], imap_sides("elsewhere.example", "new.example")
    others = {
        "no approval": f"[approval]\nrequired = 0\n{text}",
        "other approvers": "[approval]\nrequired = 1\n"
        + text.replace("Anna", "Carl").replace("Bernd", "Dora"),
        "other systems": f"{approvers}\n{systems}",
    }
    (place / "other.toml").write_text(others[ended])
    for kind in EDITS:
        edit(place, kind)
        for words in ("--wave w --dry-run", "--wave w", "--dry-run"):
            assert run("migrate", "-c", "other.toml", *words.split()) == 2
            assert "differs from the signed plan of wave w" in capsys.readouterr().err
            assert kept(place) == before


def test_a_configuration_that_asks_for_less_loads_no_list(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a wave has begun, the ledger is held to what that wave's configuration asked for."""
    monkeypatch.setattr("kogge.run.migrate._run_all", lambda *_: 0)
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        pin_at_start(config, ledger, "w")
    (place / "mailboxes.csv").write_text(ROWS + "c@old.example,c@new.example,v\n")
    (place / "weak.toml").write_text("[approval]\nrequired = 0\n" + (place / "kogge.toml").read_text())
    before = kept(place)
    for words in ("--wave v --dry-run", "--wave v"):
        assert run("migrate", "-c", "weak.toml", *words.split()) == 2
        assert "asks for less than this ledger is held to" in capsys.readouterr().err
        assert kept(place) == before
    weak = load(place / "weak.toml")
    with opened_ledger(weak) as ledger:
        runner: Any = SimpleNamespace(config=weak, ledger=ledger)
        with pytest.raises(Misconfigured, match="asks for less"):
            _prepare(runner, WaveParameters(wave="v", dry_run=True), planned=False)
    assert kept(place) == before


def test_a_wave_into_which_a_mailbox_of_a_signed_one_moves(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the other wave's plan that was signed. A run that Prefect starts is refused as a command is."""
    before = kept(place)
    edit(place, "moved")
    assert run("migrate", "--wave", "v", "--dry-run") == 2
    assert "the signed plan of wave w in 1 place (1 moved)" in capsys.readouterr().err
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        runner: Any = SimpleNamespace(config=config, ledger=ledger)
        with pytest.raises(Misconfigured, match="differs from the signed plan of wave w"):
            _prepare(runner, WaveParameters(wave="v", dry_run=True), planned=False)
    assert kept(place) == before


def test_a_list_without_a_row_of_the_signed_wave(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or another configuration's list, of the same ledger."""
    before = kept(place)
    gone = "source,target,wave\nc@old.example,c@new.example,v\n"
    (place / "other.csv").write_text(gone)
    (place / "other.toml").write_text('mailboxes = "other.csv"\n' + (place / "kogge.toml").read_text())
    for words in ("--wave w --dry-run", "--wave w"):
        assert run("migrate", "-c", "other.toml", *words.split()) == 2
        assert "other.csv: has no row of wave w, whose plan approvers signed" in capsys.readouterr().err
        assert kept(place) == before


def test_a_dry_run_withdraws_no_wave(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mailboxes.csv").write_text(ROWS + "c@old.example,c@new.example,v\n")
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        plan(config, ledger, "v")
    (place / "mailboxes.csv").write_text(ROWS)
    before = kept(place)
    assert run("migrate", "--wave", "v", "--dry-run") == 2
    assert "without --dry-run it is withdrawn from the plan" in capsys.readouterr().err
    assert kept(place) == before
    assert run("migrate", "--wave", "v") == 2
    assert kept(place) != before


def test_a_date_that_was_signed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = kept(place)
    (place / "waves.csv").write_text("wave,date\nw,2027-01-16\n")
    assert run("migrate", "--wave", "w", "--dry-run") == 2
    told = capsys.readouterr().err
    assert "waves.csv: differs from the signed plan of wave w in 1 place (1 wave's starts)" in told
    assert kept(place) == before


def test_a_refused_run_with_an_edited_configuration_ends_no_approval(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in the address of a server, and its correction: the same signatures count."""
    for name in ("Anna", "Bernd"):
        signed = ("--stage", "cutover", "--accept-not-ready", "--reason", "agreed", "--yes")
        assert run("approve", "--wave", "w", "--key", f"{name}.pem", *signed) == 0
    before, text = kept(place), (place / "kogge.toml").read_text()
    assert before[2] == [None] * 4
    (place / "kogge.toml").write_text(text.replace("new.example", "nwe.example"))
    capsys.readouterr()
    assert run("migrate", "--wave", "w") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "it changed since, by an edit of the configuration alone. Nothing of the plan was changed" in told
    assert "the approvals count as before: undo the edit" in told
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        for stage in ("start", "cutover"):
            with pytest.raises(Blocked, match="count as before"):
                refuse_unapproved(config, ledger, "w", stage)
    (place / "kogge.toml").write_text(text)
    assert kept(place) == before
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        refuse_unapproved(config, ledger, "w", "start")


def test_an_edited_configuration_that_was_approved_ends_the_approvals_before(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (place / "kogge.toml").read_text()
    (place / "kogge.toml").write_text(text.replace("new.example", "newer.example"))
    for name in ("Anna", "Bernd"):
        assert run("approve", "--wave", "w", "--key", f"{name}.pem", "--reason", "agreed", "--yes") == 0
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        refuse_unapproved(config, ledger, "w", "start")
    (place / "kogge.toml").write_text(text)
    capsys.readouterr()
    assert run("approvals", "--wave", "w") == 1
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("no: it was of this plan, but the wave had another one since") == 2
    assert told.count("no: the plan is another one now") == 2
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger, pytest.raises(Blocked, match="has 0 of 2 approvals"):
        refuse_unapproved(config, ledger, "w", "start")


def test_an_edited_configuration_beside_another_plan_ends_the_approvals(place: Path) -> None:
    text = (place / "kogge.toml").read_text()
    (place / "kogge.toml").write_text(text.replace("new.example", "nwe.example"))
    edit(place, "target")
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        plan(config, ledger, "w")
        with pytest.raises(Blocked, match=r"it changed since\. Next"):
            refuse_unapproved(config, ledger, "w", "start")
    assert "plan-voided" in str(kept(place)[1])


def test_a_priority_is_not_signed(place: Path) -> None:
    """It decides no more than who goes first."""
    (place / "mailboxes.csv").write_text(
        ROWS.replace("wave\n", "wave,priority\n", 1).replace(",w\n", ",w,5\n")
    )
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        assert [change.kind for change in changes(config, ledger)] == ["priority", "priority"]
        refuse_changed_list(config, ledger, "w")


def test_the_same_plan_after_another_one_is_said_to_be_the_same(place: Path) -> None:
    """The digest alone would read as a contradiction: the plan now, and the plan that was signed."""
    config = load(place / "kogge.toml")
    edit(place, "target")
    with opened_ledger(config) as ledger:
        plan(config, ledger, "w")
        with pytest.raises(Blocked, match="it changed since"):
            refuse_unapproved(config, ledger, "w", "start")
        (place / "mailboxes.csv").write_text(ROWS)
        planned = plan(config, ledger, "w")
        keep_checks(ledger, [Check(one, "directory", None, 20, 3_000_000) for one in planned.ids])
        with pytest.raises(Blocked, match="was of this plan, but the wave had another one since"):
            refuse_unapproved(config, ledger, "w", "start")
