"""A forked command is what a started one is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import commands
from forking.commands import ForkedCommand

WORDS = [str(Path(sys.executable).with_name("kogge")), "migrate", "--wave", "pilot"]
KINDS = [subprocess.Popen[str], ForkedCommand]
SETTINGS = (
    '[ledger]\nurl = "sqlite:///here.db"\n[source]\nkind = "imap"\nhost = "127.0.0.1"\nusername = "x"\n'
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment that no other test has, so that its template is not theirs."""
    home = tmp_path_factory.mktemp("home")
    yield {**os.environ, "PREFECT_HOME": str(home), "COLUMNS": "120"}
    commands.forget()


def started(
    kind: type[subprocess.Popen[str]], directory: Path, environment: dict[str, str]
) -> subprocess.Popen[str]:
    return kind(
        WORDS,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_it_ends_and_says_the_same(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "kogge.toml").write_text(SETTINGS)
    ended = []
    for kind in KINDS:
        with started(kind, tmp_path, environment) as command:
            ended.append((*command.communicate(timeout=60), command.returncode))
    assert ended[0] == ended[1]
    assert ended[0][2] == 2
    assert "target" in ended[0][1], "its own directory's configuration"


def test_each_runs_in_its_own_directory(tmp_path: Path, environment: dict[str, str]) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with started(ForkedCommand, tmp_path / name, environment) as command:
            assert Path(f"/proc/{command.pid}/cwd").readlink() in (tmp_path / name, Path("/"))
            assert "no such file" in command.communicate(timeout=60)[1]


def test_it_is_a_child_that_can_be_killed(tmp_path: Path, environment: dict[str, str]) -> None:
    os.mkfifo(tmp_path / "kogge.toml")  # whoever reads it waits
    with started(ForkedCommand, tmp_path, environment) as command:
        while os.getsid(command.pid) != command.pid:
            assert command.poll() is None
        assert f"\nPPid:\t{os.getpid()}\n" in Path(f"/proc/{command.pid}/status").read_text()
        os.killpg(command.pid, signal.SIGKILL)
        command.communicate(timeout=60)
        assert command.returncode == -signal.SIGKILL


def test_another_environment_has_another_template(tmp_path: Path, environment: dict[str, str]) -> None:
    commands.forget()
    for width in ("120", "130", "140"):
        with started(ForkedCommand, tmp_path, environment | {"COLUMNS": width}) as command:
            assert f"COLUMNS={width}" in Path(f"/proc/{command.pid}/environ").read_text()
            command.communicate(timeout=60)
    assert len(commands.TEMPLATES) == commands.MOST
