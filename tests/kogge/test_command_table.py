"""The list of commands is shown from a table: it says what the commands say, and loads none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lonely import plan, settle
from typer.main import get_command

from kogge.app import app
from kogge.command_table import COMMANDS

HEAVY = {"prefect", "exchangelib", "sqlalchemy", "imapclient", "caldav", "alembic", "pydantic", "requests"}


RUN = """
import contextlib, sys
from kogge.start import main
for words in sys.argv[1:]:
    sys.argv = ["kogge", *words.split()]
    with contextlib.suppress(SystemExit):
        main()
print("\\nLOADED", *sys.modules)
"""


def loaded(*commands: str, folder: Path) -> set[str]:
    """The modules that one process has imported when these commands have ended."""
    command = [sys.executable, "-c", RUN, *commands]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    assert "internal-error" not in done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_table_says_what_the_command_says(name: str) -> None:
    command: Any = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert COMMANDS[name].purpose == command.help.split("\n\n")[0]
    assert command.name == name


def test_the_list_of_commands_loads_no_command(tmp_path: Path) -> None:
    found = loaded("--help", folder=tmp_path)
    assert "kogge.command_table" in found
    rooms = ("kogge.prepare", "kogge.run", "kogge.audit", "kogge.approve", "flows", "engine.config.load")
    assert not HEAVY & found
    assert not [one for one in found if one.startswith(rooms)]


READING = (
    "status",
    "show 2",
    "explain login-refused",
    "failures",
    "score",
    "who m-1 --by Ada",
    "log pilot",
    "approvals --wave pilot",
    "routes",
)


def test_what_reads_the_ledger_loads_no_server_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs neither Prefect nor the library of a connector, and answers at once."""
    plan(settle(tmp_path, monkeypatch))
    assert not loaded(*READING, folder=tmp_path) & {
        "prefect",
        "exchangelib",
        "imapclient",
        "caldav",
        "urllib3",
        "alembic",
    }


def test_what_is_typed_most_loads_only_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one dialect, and nothing of what writes to mailboxes, asks servers or draws again and again."""
    plan(settle(tmp_path, monkeypatch))
    unneeded = {
        "sqlalchemy.dialects.postgresql",
        "sqlalchemy.orm",
        "ledger.leg.leg_session",
        "engine.pacing.admission",
        "urllib.request",
        "cryptography",
        "rich.live",
    }
    assert loaded("status", "show 2", folder=tmp_path) & unneeded == set()


def test_the_help_of_a_command_loads_no_ledger(tmp_path: Path) -> None:
    found = loaded("status --help", "show --help", "explain --help", "migrate --help", folder=tmp_path)
    assert not found & {"sqlalchemy", "prefect", "exchangelib", "alembic"}
    found = loaded("status --help", "show --help", folder=tmp_path)
    assert "engine.config.load" not in found


def test_a_misspelled_command_is_told_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app(["statsu"])
    assert caught.value.code == 2
    assert "'status'" in capsys.readouterr().err
