"""The local Prefect server on a busy machine: what passes says so, and what does not says where to look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.deploy import prefect_server
from flows.deploy.prefect_server import Server
from kogge.terminal.exit_codes import Exit
from kogge.terminal.options import report
from model.errors import Misconfigured, Transient

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")
ENDS = (sys.executable, "-c", "")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prefect_server, "START_SECONDS", 0.0)
    monkeypatch.setattr(prefect_server, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(prefect_server, "_is_home", lambda *_args, **_more: False)
    prefect_server.home(tmp_path).mkdir()
    return tmp_path


def begun(words: tuple[str, ...]) -> tuple[subprocess.Popen[bytes], Server]:
    process = subprocess.Popen(words, start_new_session=True)
    return process, Server(process.pid, prefect_server._free_port(0), 0.0)


def test_a_start_that_takes_too_long_may_be_tried_again(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process, server = begun(SLEEPS)
    with pytest.raises(Transient) as slow:
        prefect_server._answers_in_time(process, server, state)
    assert process.returncode is not None, "it is not left behind"
    assert report(slow.value) == Exit.AGAIN
    told = capsys.readouterr().err
    assert "the machine may be busy" in told
    assert "run the command again" in told
    assert str(prefect_server.log_path(state)) in told


def test_a_server_that_ends_by_itself_is_not_tried_again(state: Path) -> None:
    process, server = begun(ENDS)
    process.wait()
    with pytest.raises(Misconfigured, match="ended as it started"):
        prefect_server._answers_in_time(process, server, state)


def test_one_that_runs_and_is_too_busy_is_no_other_program(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one beside it, or the advice to take another port, would be wrong."""
    monkeypatch.setattr(prefect_server, "_recorded", lambda _state: Server(1, 4200, 0.0))
    with pytest.raises(Transient, match="kogge server down"):
        prefect_server.up(state)
