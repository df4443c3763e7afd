"""Whatever the umask says, what lies in the state directory is its owner's alone."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.control.error_log import defect_log
from model.private_files import make_directory, open_private
from reports.files import REPORTS, put


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_folders_above_are_private_too(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b" / "c")
    assert {mode(tmp_path / one) for one in ("a", "a/b", "a/b/c")} == {0o700}
    make_directory(tmp_path / "a" / "b" / "c")


@pytest.mark.usefixtures("umask")
def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    path.chmod(0o644)
    with open(path, "a", opener=open_private) as file:
        file.write("after\n")
    assert (mode(path), path.read_text()) == (0o600, "before\nafter\n")


@pytest.mark.usefixtures("umask")
def test_the_log_of_defects_and_reports(tmp_path: Path) -> None:
    state = tmp_path / "state"
    put(state / REPORTS / "wave-pilot.en.html", "words", "--out")
    with defect_log(state):
        logging.getLogger("kogge.defect").error("KeyError at here")
    assert mode(state / "logs" / "defects.log") == 0o600
    assert {mode(one) for one in (state, state / "logs", state / REPORTS)} == {0o700}
