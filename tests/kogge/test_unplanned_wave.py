"""A wave that is written down and only not planned is not "unknown": the command that plans it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run
from lonely import TOML

HEAD = "source,target,wave\n"
OWN = "a@old.example,a@new.example,pilot\n"
WHO = ("--by", "Night shift")
COMMANDS = [
    ("links",),
    ("status",),
    ("failures",),
    ("verify",),
    ("retry",),
    ("report",),
    ("score",),
    ("phase", "live", *WHO),
    ("pause", *WHO),
    ("cutover", "--status"),
    ("rollback",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_wave_of_the_list_is_planned_by_a_check(
    words: tuple[str, ...], place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "mailboxes.csv").write_text(f"{HEAD}{OWN}b@old.example,b@new.example,second\n")
    assert run(*words, "--wave", "second") == 2
    assert capsys.readouterr().err == (
        "--wave: not planned yet, but mailboxes.csv has it; `kogge check --wave second` plans it\n"
    )


@pytest.mark.parametrize("command", ["check", "discover", "links"])
def test_a_wave_of_another_source_is_planned_with_its_configuration(
    command: str, place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "cloud.toml").write_text('mailboxes = "cloud.csv"\n' + TOML)
    (place / "cloud.csv").write_text(f"{HEAD}b@old.example,b@new.example,cloud\n")
    assert run(command, "--wave", "cloud") == 2
    assert capsys.readouterr().err == (
        "--wave: not planned here, but it is a wave of cloud.toml;"
        " `kogge check --wave cloud -c cloud.toml` plans it\n"
    )


def test_a_wave_of_another_source_that_is_not_planned(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "cloud.toml").write_text('mailboxes = "cloud.csv"\n' + TOML)
    (place / "cloud.csv").write_text(f"{HEAD}b@old.example,b@new.example,cloud\n")
    assert run("links", "--wave", "cloud", "-c", "cloud.toml") == 2
    assert "`kogge check --wave cloud -c cloud.toml` plans it" in capsys.readouterr().err


def test_a_wave_that_only_a_proposed_plan_has(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mailboxes.csv").write_text(f"{HEAD}{OWN.replace('pilot', '')}")
    (place / "mailboxes.planned.csv").write_text(HEAD + OWN)
    assert run("check", "--wave", "pilot") == 2
    assert "only in mailboxes.planned.csv yet" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "discover"])
def test_rows_without_a_wave_are_counted(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "mailboxes.csv").write_text(f"{HEAD}{OWN.replace('pilot', '')}")
    assert run(command, "--wave", "pilot") == 2
    assert capsys.readouterr().err == (
        "--wave: unknown; there is none yet; 1 row has no wave yet in mailboxes.csv:"
        " `kogge plan --write` makes waves\n"
    )


def test_a_list_that_cannot_be_read_is_no_reason_for_another_error(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "mailboxes.csv").write_bytes(b"\xff")
    (place / "broken.toml").write_text("= no TOML")
    assert run("links", "--wave", "other") == 2
    assert capsys.readouterr().err == "--wave: unknown; there is only pilot\n"
