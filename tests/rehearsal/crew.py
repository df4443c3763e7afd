"""The processes of a rehearsal: each is started, started again when it dies, and killed on purpose."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from practice.harness.warden import die_with_the_starter
from rehearsal.meter import processes

MARK = "KOGGE_REHEARSAL"
"""The environment of every process names its rehearsal: what an earlier run left behind is known by it."""
FAILURES, LIVED_SECONDS = 5, 60.0
"""A program does not work at all that ends by itself so often in a row, each time so soon after its start."""
PID_FILES = ("dovecot/run/master.pid", "postgres/data/postmaster.pid")
SUBREAPER = 36


@dataclass(slots=True)
class Child:
    """A program that runs as long as the rehearsal. Its output goes to log, at the end."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    failures: int = 0

    def start(self) -> None:
        self.began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_the_starter,
            )

    @property
    def code(self) -> int | None:
        """With which it ended; None while it runs."""
        return None if self.process is None else self.process.poll()

    def start_again(self, *, killed: bool) -> None:
        """Start what has ended. Raises RuntimeError for what ends by itself all the time."""
        lived = time.monotonic() - self.began > LIVED_SECONDS
        self.failures = 0 if killed or lived else self.failures + 1
        if self.failures >= FAILURES:
            raise RuntimeError(f"{self.name} ends by itself again and again; see {self.log}")
        self.start()

    @property
    def pid(self) -> int:
        return 0 if self.process is None else self.process.pid

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL to it and all its processes."""
        if self.process is not None:
            kill_all([*below(self.process.pid), self.process.pid] if self.process.poll() is None else [])
            self.process.wait()

    def stop(self, seconds: float = 15.0) -> None:
        """Asks it to end; kills what does not."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.kill()


def kill_all(pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def below(pid: int) -> list[int]:
    """Everything that a process started and that still runs, the deepest last."""
    children: dict[int, list[int]] = {}
    for one in processes():
        children.setdefault(one.parent, []).append(one.key[0])
    found, ahead = [], [pid]
    while ahead:
        ahead = [child for parent in ahead for child in children.get(parent, [])]
        found += ahead
    return found


@contextmanager
def adopting() -> Iterator[None]:
    """What a killed process leaves behind becomes a child of this one, and goes with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(SUBREAPER, 0, 0, 0, 0)


def bury(known: Sequence[subprocess.Popen[bytes] | None]) -> None:
    """Waits for those adopted ones that have ended, and for none of the known."""
    mine = {one.pid for one in known if one is not None}
    me = os.getpid()
    for one in list(processes()):
        if one.parent == me and one.key[0] not in mine and _is_zombie(one.key[0]):
            with suppress(ChildProcessError):
                os.waitpid(one.key[0], os.WNOHANG)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def end_the_left_over(directory: Path, *, seconds: float = 20.0) -> None:
    """Ends every process of this rehearsal that a supervisor which died left behind."""
    deadline = time.monotonic() + seconds
    while found := [pid for pid in _marked(directory) if pid != os.getpid()]:
        kill_all(found)
        if time.monotonic() > deadline:
            raise SystemExit(f"processes of an earlier rehearsal in {directory} do not end: {found}")
        time.sleep(0.2)
    # A server does not start while its old process id is somebody's, if only a zombie's that nobody buries.
    for name in PID_FILES:
        (directory / name).unlink(missing_ok=True)


def _marked(directory: Path) -> Iterator[int]:
    """By their environment, or by a server's own files on the command line; those that serve PostgreSQL's
    clients outlive their server for a moment, and it does not start before they are gone."""
    data = directory / "postgres" / "data"
    mark = f"{MARK}={directory}\0".encode()
    files = ("dovecot/dovecot.conf", "dovecot/run/master.pid", "postgres/data")
    servers = [os.fsencode(directory / name) for name in files]
    for one in list(processes()):
        base = Path(f"/proc/{one.key[0]}")
        with suppress(OSError):
            line = (base / "cmdline").read_bytes()
            named = any(server in line for server in servers) or mark in (base / "environ").read_bytes()
            if named or (line.startswith(b"postgres:") and (base / "cwd").readlink() == data):
                yield one.key[0]
