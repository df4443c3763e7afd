"""Hostile input in a process of its own, with a limit of processor time that no honest work comes near.

The limit is a guard against hanging, not a measure of speed: what grows with the square of 100 kB needs at
least five seconds, mostly fifty, and honest work at most one. Processor time, not time of day: a busy machine
changes nothing.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
USUAL = 100_000
GUARD = 3.0
"""Seconds of processor time for one input of the usual length; a longer one has as much more."""

Case = tuple[str, Callable[[], object]]


def run_all(
    cases: Iterable[Case], expected: type[Exception] | tuple[type[Exception], ...] = (), length: int = USUAL
) -> None:
    """Runs each case under the guard and says its name first; for the child process.

    expected: errors by which a case may end, because that is its answer to such input. length: of the
    longest input, in bytes."""
    guard = GUARD * max(1, length / USUAL)
    for name, call in cases:
        print(name, flush=True)  # noqa: T201 - the parent reads it
        signal.setitimer(signal.ITIMER_PROF, guard)  # its signal ends the process, also in the midst of `re`
        try:
            call()
        except expected:
            continue
    print("done", flush=True)  # noqa: T201


def survives(module: str, *words: str) -> list[str]:
    """The names of the cases that the module ran as a program; fails with the name of the one it died of."""
    command = [sys.executable, "-W", "error", "-m", module, *words]
    path = f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests/support'}"
    ended = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    names = ended.stdout.splitlines()
    assert names[-1:] == ["done"], f"{ended.returncode} in {names[-1:]}: {ended.stderr[-2000:]}"
    return names[:-1]
