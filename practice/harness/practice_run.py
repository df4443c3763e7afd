"""Start a practice world by `kogge practice up`, in a process of its own, and run shell commands in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from practice.harness.warden import die_with_the_starter

ROOT = Path(__file__).parents[2]
BEGIN_SECONDS = 90.0
END_SECONDS = 30.0
COMMAND_SECONDS = 600.0


class PracticeFailed(RuntimeError):
    """Say that the practice world did not start, or that a command did not end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Hold how a command ended.

    Attributes:
        code: the exit code.
        output: what it printed, standard error included.
    """

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class PracticeRun:
    """Run commands in a practice world.

    Attributes:
        directory: where its configuration is, and where commands run.
    """

    directory: Path

    def shell(self, command: str, seconds: float = COMMAND_SECONDS) -> Ended:
        """Run a line as a shell does in the world's directory, with `kogge` on the PATH.

        Raises:
            PracticeFailed: it did not end in time.
        """
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=seconds,
                preexec_fn=die_with_the_starter,
            )
        except subprocess.TimeoutExpired as late:
            raise PracticeFailed(f"{command}: did not end within {seconds:.0f} s") from late
        return Ended(done.returncode, done.stdout)

    def kogge(self, arguments: str) -> str:
        """Return what a command prints.

        Raises:
            PracticeFailed: its exit code is not 0.
        """
        done = self.shell(f"kogge {arguments}")
        if done.code:
            raise PracticeFailed(f"kogge {arguments} ended with {done.code}:\n{done.output}")
        return done.output


@contextmanager
def practice_run(directory: Path, options: Sequence[str] = ()) -> Iterator[PracticeRun]:
    """Yield a new practice world, and end it with its local Prefect server.

    Args:
        directory: is made; a file of the world that exists in it already is an error.
        options: for `kogge practice up`.

    Raises:
        PracticeFailed: it does not start.
    """
    log = directory.with_name(directory.name + ".log")
    with log.open("w") as out:
        command = [str(programs() / "kogge"), "practice", "up", str(directory), *options]
        process = subprocess.Popen(
            command,
            cwd=directory.parent,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_the_starter,
        )
    try:
        _wait_until_up(process, log)
        world = PracticeRun(directory)
        yield world
    finally:
        if (directory / "kogge.toml").exists():
            PracticeRun(directory).shell("kogge server down", END_SECONDS)
        _end(process)


def _wait_until_up(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the world has printed where its configuration is: its servers run by then."""
    deadline = time.monotonic() + BEGIN_SECONDS
    while "configuration" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise PracticeFailed(f"`kogge practice up` did not start:\n{log.read_text()}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def environment() -> dict[str, str]:
    """Return the environment of commands: without the caller's Prefect, with `kogge` first on the PATH."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "KOGGE_"))}
    path = os.pathsep.join((str(programs()), own.get("PATH", "")))
    return {**own, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "110", "NO_COLOR": "1"}


def programs() -> Path:
    """Return the folder of this environment's programs, `kogge` among them."""
    return Path(sys.executable).parent
