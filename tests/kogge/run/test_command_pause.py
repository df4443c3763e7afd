"""`kogge migrate` outside of a wave's hours, `--now`, and what a refused command says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from configurations import NO_APPROVAL, imap_sides

from engine.config.load import load
from kogge.app import main
from kogge.run import migrate as command_run
from ledger.plan.wave_control import OVERRIDDEN, set_paused
from ledger.plan.waves import Waves
from ledger.store import Ledger

TOML = f"""\
{NO_APPROVAL}{imap_sides()}
[windows.nights]
spans = ["DAY 00:00-24:00"]
"""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two waves: one of them has a window that is closed today; what would run is noted, not run."""
    far = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    (tmp_path / "kogge.toml").write_text(TOML.replace("DAY", far))
    (tmp_path / "mailboxes.csv").write_text(
        "source,target,wave,priority\na@x.example,a@y.example,one,0\nb@x.example,b@y.example,two,7\n"
    )
    (tmp_path / "waves.csv").write_text("wave,date,window\none,,nights\ntwo,,\n")

    def noted(_config: object, order: command_run.RunOptions, _as_json: bool) -> int:
        (tmp_path / "ran").write_text(" ".join(sorted(row.wave for row in order.rows)))
        return 0

    monkeypatch.setattr(command_run, "_run_all", noted)
    monkeypatch.setattr("engine.preflight.preflight.refuse_power", lambda *_: None)
    return tmp_path


def kogge(folder: Path, *words: str) -> int:
    (folder / "ran").unlink(missing_ok=True)
    with pytest.raises(SystemExit) as ended:
        main([*words, "-c", str(folder / "kogge.toml")])
    return int(ended.value.code or 0)


def ran(folder: Path) -> str | None:
    return (folder / "ran").read_text() if (folder / "ran").exists() else None


@pytest.fixture
def ledger(folder: Path) -> Ledger:
    return Ledger(load(folder / "kogge.toml").ledger_url())


def test_a_closed_wave_is_refused_with_when_it_opens(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kogge(folder, "migrate", "--wave", "one") == 3
    said = capsys.readouterr().err
    assert "window-closed: wave one may run from" in said
    assert ran(folder) is None


def test_a_dry_run_may_be_made_at_any_time(folder: Path) -> None:
    assert kogge(folder, "migrate", "--wave", "one", "--dry-run") == 0
    assert ran(folder) == "one"


def test_of_all_waves_those_that_may_not_run_are_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kogge(folder, "migrate") == 3
    assert ran(folder) == "two"
    assert "left out: window-closed: wave one" in capsys.readouterr().err


def test_somebody_may_let_it_run_and_is_recorded(folder: Path, ledger: Ledger) -> None:
    assert kogge(folder, "migrate", "--wave", "one", "--now") == 2  # who?
    assert ran(folder) is None
    assert kogge(folder, "migrate", "--wave", "one", "--now", "--by", "night shift") == 0
    assert ran(folder) == "one"
    assert [dict(event.detail) for event in ledger.events("one") if event.kind == OVERRIDDEN] == [
        {"by": "night shift"}
    ]
    assert kogge(folder, "migrate", "--wave", "one") == 0  # it still holds
    assert len([event for event in ledger.events("one") if event.kind == OVERRIDDEN]) == 1


def test_a_pause_is_stronger_than_now(
    folder: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kogge(folder, "migrate", "--wave", "two") == 0
    set_paused(ledger, "two", True, "night shift")
    assert kogge(folder, "migrate", "--wave", "two", "--now", "--by", "day shift") == 3
    assert "kogge resume --wave two" in capsys.readouterr().err
    assert ran(folder) is None
    assert Waves(ledger).read("two").paused


def test_what_ends_a_pause_is_told_as_it_is_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kogge(folder, "migrate", "--wave", "two") == 0
    assert kogge(folder, "pause", "--wave", "two", "--by", "night shift") == 0
    command = f"resume --wave two --by NAME -c {folder / 'kogge.toml'}"
    assert f"Next: kogge {command}\n" in capsys.readouterr().err
    assert kogge(folder, *command.split()[:-2]) == 0


def test_a_window_that_is_not_configured_stops_everything(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "waves.csv").write_text("wave,date,window\none,,weekends\n")
    assert kogge(folder, "migrate", "--wave", "one") == 2
    assert "waves.csv:2: window" in capsys.readouterr().err


def test_without_any_window_none_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "kogge.toml"
    file.write_text(file.read_text().partition("[windows")[0])
    assert kogge(folder, "migrate", "--wave", "one") == 2
    assert capsys.readouterr().err == "waves.csv:2: window: unknown; there is none yet\n"


def test_pausing_and_resuming_say_what_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kogge(folder, "migrate") == 3
    capsys.readouterr()
    for command, told in (
        ("resume", "wave one was not paused"),
        ("pause", "wave one is paused"),
        ("pause", "wave one was paused already"),
        ("resume", "wave one is not paused any more"),
    ):
        assert kogge(folder, command, "--wave", "one", "--by", "night shift") == 0
        assert capsys.readouterr().out == f"{told}\n"
