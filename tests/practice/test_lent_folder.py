"""What a practice server that was killed leaves in the folder for temporary files goes at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from servers.webdav import WebDavServer

from practice.harness.lent_folder import LOCK, LentFolder, remove_abandoned
from practice.nextcloud.files import NextcloudFiles

PREFIX = "kogge-test-"
ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from practice.harness.lent_folder import LentFolder
lent = LentFolder(sys.argv[2])
(lent.path / "a file").write_text("x")
print(lent.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def holder(place: Path, prefix: str = PREFIX) -> tuple[subprocess.Popen[str], Path]:
    """A process that has made a folder and holds it."""
    command = [sys.executable, "-c", HOLDER, str(place), prefix]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    with process:
        process.send_signal(how)


def test_what_a_killed_process_left_is_removed_at_the_next_start(place: Path) -> None:
    process, left = holder(place)
    other, kept = holder(place)
    try:
        end(process, signal.SIGKILL)
        assert (left / "a file").exists()
        own = LentFolder(PREFIX)
        assert not left.exists()
        assert (kept / "a file").exists(), "its process lives"
        own.close()
        assert sorted(place.iterdir()) == [kept]
    finally:
        end(other, signal.SIGKILL)


def test_the_own_folder_stays_until_it_is_closed(place: Path) -> None:
    own = LentFolder(PREFIX)
    remove_abandoned(PREFIX)
    assert own.path.exists()
    own.close()
    own.close()
    assert list(place.iterdir()) == []


def abandoned(place: Path) -> Path:
    path = place / f"{PREFIX}left"
    path.mkdir()
    (path / LOCK).write_bytes(b"")
    return path


def test_another_users_folder_is_left_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = abandoned(place)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    remove_abandoned(PREFIX)
    assert path.exists()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    remove_abandoned(PREFIX)
    assert not path.exists()


def test_what_has_no_lock_of_ours_is_left_alone(place: Path) -> None:
    (place / f"{PREFIX}none").mkdir()
    (place / f"{PREFIX}file").write_text("")
    (place / "elsewhere").mkdir()
    elsewhere = abandoned(place / "elsewhere")
    (place / f"{PREFIX}link").symlink_to(elsewhere)
    (place / f"{PREFIX}linked-lock").mkdir()
    (place / f"{PREFIX}linked-lock" / LOCK).symlink_to(elsewhere / LOCK)
    before = sorted(place.rglob("*"))
    remove_abandoned(PREFIX)
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("prefix", "start"),
    [
        ("kogge-nextcloud-", lambda: NextcloudFiles(["anna"])),
        ("kogge-webdav-", lambda: WebDavServer(["anna"])),
    ],
)
def test_the_servers_of_files_remove_it_and_their_own(
    place: Path, prefix: str, start: Callable[[], AbstractContextManager[object]]
) -> None:
    process, left = holder(place, prefix)
    end(process, signal.SIGKILL)
    with start():
        assert not left.exists()
        assert len(list(place.iterdir())) == 1
    assert list(place.iterdir()) == []
