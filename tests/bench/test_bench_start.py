"""What a command costs when there is next to nothing to do: a person types many of them.

`kogge status` by the clock, of one mailbox that has moved. `kogge migrate` by the CPU time of its process,
with one mailbox of which nothing changed: the Prefect server and the mail servers are not counted. Of several
runs the least counts, because the machine's other work weighs on the others.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench_board import Board

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
KOGGE = str(Path(sys.executable).with_name("kogge"))
RUNS = 5
START_SECONDS = 60


def kogge(place: Path, *words: str) -> None:
    subprocess.run([KOGGE, *words], cwd=place, capture_output=True, check=True)


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of one practice mailbox that has moved; its servers run."""
    place = tmp_path_factory.mktemp("start") / "run"
    world = [
        "practice",
        "up",
        str(place),
        "--people",
        "1",
        "--plain",
        "0",
        "--items",
        "20",
        "--pim",
        "0",
        "--cloud",
        "0",
    ]
    servers = subprocess.Popen([KOGGE, *world], stdout=subprocess.PIPE, text=True)
    try:
        assert servers.stdout is not None
        deadline = time.monotonic() + START_SECONDS
        while "configuration" not in servers.stdout.readline():
            assert time.monotonic() < deadline, "the practice servers do not start"
        kogge(place, "check", "--wave", "pilot")
        for key in ("approver-one.pem", "approver-two.pem"):
            kogge(place, "approve", "--wave", "pilot", "--key", key, "--reason", "bench", "--yes")
        kogge(place, "migrate", "--wave", "pilot")
        yield place
        kogge(place, "server", "down")
    finally:
        servers.terminate()
        servers.communicate()


def cost(place: Path, *words: str) -> tuple[float, float]:
    """The wall clock seconds and the CPU seconds of one run."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    kogge(place, *words)
    after, passed = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_status(moved: Path, board: Board) -> None:
    board.put("status-start-s", min(cost(moved, "status")[0] for _ in range(RUNS)))


def test_migrate_with_nothing_new(moved: Path, board: Board) -> None:
    least = min(cost(moved, "migrate", "--wave", "pilot", "--workload", "mail")[1] for _ in range(RUNS))
    board.put("migrate-start-cpu-s", least)
    board.notes.append(("start", f"of {RUNS} runs the least; load {os.getloadavg()[0]:.1f}"))
