"""The list of commands is shown from a table: it says what the commands say, and loads none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from kogge.app import app
from kogge.command_table import COMMANDS

HEAVY = {"prefect", "exchangelib", "sqlalchemy", "imapclient", "caldav", "alembic", "pydantic", "requests"}


def loaded(*arguments: str, folder: Path) -> set[str]:
    """The modules that a command line has imported when it ends."""
    code = (
        "import atexit, sys\n"
        "from kogge.start import main\n"
        "sys.argv = ['kogge', *sys.argv[1:]]\n"
        "atexit.register(lambda: print('\\nLOADED', *sys.modules))\n"
        "main()"
    )
    command = [sys.executable, "-c", code, *arguments]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder).stdout
    return set(shown.rpartition("LOADED ")[2].split())


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


def test_a_misspelled_command_is_told_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app(["statsu"])
    assert caught.value.code == 2
    assert "'status'" in capsys.readouterr().err
