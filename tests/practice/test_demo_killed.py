"""A demonstration that is killed takes along the command that it has just given."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
DEMO = """
import sys
from pathlib import Path
from practice.demo import run
small = ("--people", "1", "--plain", "0", "--items", "1", "--pim", "0", "--cloud", "0")
run(Path(sys.argv[1]), "practice", "up", "servers", *small)
"""


def at_work_in(directory: Path) -> list[str]:
    """Process ids of who works in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == directory:
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_its_command_ends_with_it(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", DEMO, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as demo:
        assert demo.stdout is not None
        try:
            while b"configuration" not in (line := demo.stdout.readline()):
                assert line, "the command ended before"
            assert at_work_in(tmp_path)
        finally:
            demo.send_signal(number)
        assert demo.wait(SECONDS) == -number
        deadline = time.monotonic() + SECONDS
        while at_work_in(tmp_path):
            assert time.monotonic() < deadline, "the command outlived the demonstration"
            time.sleep(0.05)
