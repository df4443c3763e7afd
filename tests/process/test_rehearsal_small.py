"""The rehearsal with sixty mailboxes, itself killed in the middle: the same command goes on, and everything
is at the target once. `make rehearsal` is the same with 40,000."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rehearsal.crew import MARK, end_the_left_over
from rehearsal.size import SIZES
from services import need_dovecot, need_postgres

pytestmark = [pytest.mark.dovecot, pytest.mark.postgres, pytest.mark.prefect]
ROOT = Path(__file__).parents[2]
PATIENCE = SIZES["test"].patience + 900.0
"""So the rehearsal itself gives a wave up that stands still, and its report says which."""
HANDS = ("waves_started_again", "waves_begun_again_by_kogge", "commands_without_a_run")


@pytest.fixture
def state() -> Iterator[Path]:
    """Where the servers' accounts may go, and nothing of it is left."""
    need_dovecot()
    need_postgres()
    directory = Path(tempfile.mkdtemp(prefix="kogge-rehearsal-"))
    directory.chmod(0o711)
    yield directory
    end_the_left_over(directory)
    shutil.rmtree(directory, ignore_errors=True)


def started(state: Path, size: str) -> subprocess.Popen[bytes]:
    words = ["--size", size, "--state", str(state), "--report", str(state / "rehearsal.json")]
    with (state / "output").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "rehearsal.run", *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/tests:{ROOT}/tests/support", MARK: str(state)},
            stdout=output,
            stderr=output,
        )


def under_way(state: Path) -> bool:
    """Whether mailboxes are sealed, others at work, and a worker was killed."""
    return "worker killed" in (state / "output").read_text()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_nothing_is_lost_and_nothing_is_there_twice(state: Path) -> None:
    first = started(state, "test")
    deadline = time.monotonic() + PATIENCE
    while not under_way(state):
        assert first.poll() is None, (state / "output").read_text()
        assert time.monotonic() < deadline, (state / "output").read_text()
        time.sleep(0.1)
    first.kill()
    first.wait()
    end_the_left_over(state)
    second = started(state, "test")
    assert second.wait(PATIENCE) == 0, (state / "output").read_text()
    found = json.loads((state / "rehearsal.json").read_text())
    size = SIZES["test"]
    assert (found["mailboxes"], found["items"], found["found"]) == (size.mailboxes, size.items, size.items)
    assert [found[name] for name in ("lost", "duplicated", "foreign", "unaccounted")] == [0, 0, 0, 0]
    assert found["sealed"] == size.mailboxes
    assert [found[name] for name in HANDS] == [0, 0, 0]
    assert found["waves_unfinished"] == []
    assert found["kills"] == {"worker": 1, "prefect": 1, "dovecot": 1}
    assert found["cpu_ms_per_mailbox"]["ours"] > 0
    assert found["peak_memory_mb"]["prefect"] < 1_000
    assert set(found["databases"]) == {"ledger_mb", "prefect_mb"}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_five_hundred_mailboxes(state: Path) -> None:
    assert started(state, "ci").wait(7000) == 0, (state / "output").read_text()
    found = json.loads((state / "rehearsal.json").read_text())
    assert (found["sealed"], found["found"]) == (SIZES["ci"].mailboxes, SIZES["ci"].items)
    assert min(found["kills"].values()) >= 1
