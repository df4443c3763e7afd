"""R10 with real processes: being killed says nothing about an item; dying of one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dying_process import ITEMS, made

from engine.steps.settling.worker_deaths import BEFORE_REJECTED, Cause, counted
from model.protocols import key_of

WAIT = 300.0
SCRIPT = Path(__file__).with_name("dying_process.py")


@contextmanager
def started(directory: Path, how: str, seed: int = 0) -> Iterator[subprocess.Popen[str]]:
    tests = Path(__file__).parents[2]
    paths = os.pathsep.join(str(path) for path in (tests, tests / "support", tests.parent))
    command = [sys.executable, str(SCRIPT), str(directory), how, str(seed)]
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(directory: Path, how: str) -> tuple[int, str]:
    """The exit status of a worker and its last line."""
    with started(directory, how) as process:
        said, _ = process.communicate(timeout=WAIT)
    return process.returncode, said


def killed(directory: Path, seed: int) -> bool:
    """Whether a worker was killed at some step; False: it ended before."""
    mark, until = directory / f"waiting-{seed}", time.monotonic() + WAIT
    with started(directory, "wait", seed) as process:
        while process.poll() is None and not mark.exists():
            assert time.monotonic() < until
            time.sleep(0.02)
    return process.returncode == -signal.SIGKILL


@pytest.mark.timeout(1200)
def test_ten_kills_reject_nothing(quick_path: Path) -> None:
    assert sum(killed(quick_path, seed) for seed in range(10)) >= 5
    assert ended(quick_path, "live") == (0, "verified None")
    trial, _ = made(quick_path)
    assert list(trial.ledger.rejected()) == []
    assert trial.store.snapshot().total() == ITEMS


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("how", "status", "deaths"), [("abort", -signal.SIGABRT, 4), ("exit", 70, 6)])
def test_an_item_that_ends_its_process(quick_path: Path, how: str, status: int, deaths: int) -> None:
    """A crash is known for one at once; an exit looks like a kill, and takes more of them."""
    for _ in range(deaths):
        assert ended(quick_path, how)[0] == status
    assert ended(quick_path, how) == (0, "copied kills-worker")
    trial, killer = made(quick_path)
    ((_, _, item),) = trial.ledger.rejected()
    assert (item.key, item.code) == (key_of(killer), "kills-worker")
    assert trial.store.snapshot().total() == ITEMS - 1


def test_what_is_never_alone_is_never_rejected() -> None:
    for cause in Cause:
        deaths = 0
        for _ in range(50):
            deaths = counted(deaths, cause, alone=False)
        assert deaths < BEFORE_REJECTED
