"""End a server with the process that started it, however that process ends.

A warden is a small process of its own that holds the reading end of a pipe and nothing else. When the starter
ends, also by SIGKILL, the pipe ends too: the warden stops the server that the pid file names and removes its
folder. A starter that stops its server itself removes the folder and lets the warden go, which then has
nothing to do. The file runs as a script, with the standard library alone: about 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DEATH_SIGNAL = 1  # prctl(2): PR_SET_PDEATHSIG
START_SECONDS = 2.0
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Warden:
    """Watch over one server from now until release()."""

    process: subprocess.Popen[bytes]

    def release(self) -> None:
        """Let the warden go. Safe to call again.

        Call it when the server's folder is gone: otherwise the server and the folder go now.
        """
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def watch_over(folder: Path, pid_file: Path, farewell: signal.Signals, *, keep: bool = False) -> Warden:
    """Start a warden for a server.

    Args:
        folder: holds the server's files; the server's command line names it.
        pid_file: names the server's process.
        farewell: the signal that stops the server with all its processes.
        keep: True if the files stay.
    """
    what = "keep" if keep else "remove"
    command = [sys.executable, "-I", "-S", __file__, str(folder), str(pid_file), str(int(farewell)), what]
    # A session of its own: what is sent to the starter's whole group must not end the warden with it.
    return Warden(subprocess.Popen(command, stdin=subprocess.PIPE, cwd="/", start_new_session=True))


def die_with_the_starter() -> None:
    """Let the kernel kill a new process when its starter ends, however that ends.

    Call it in the new process, before its program.
    """
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _serve(folder: Path, pid_file: Path, farewell: int, keep: bool) -> None:
    sys.stdin.buffer.read()
    if folder.exists():
        pid = _pid(folder, pid_file)
        if pid is not None:
            _end(pid, farewell)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _pid(folder: Path, pid_file: Path) -> int | None:
    """Return the server's process, which may still be starting; None when it is down."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().split()[0])
            return pid if _is_ours(pid, folder) else None
        time.sleep(0.05)
    return None


def _is_ours(pid: int, folder: Path) -> bool:
    """Return whether a process is the server: a pid file may be old, and process ids are used again.

    Without /proc the file is believed.
    """
    if not Path("/proc/self/cmdline").exists():
        return True
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _end(pid: int, farewell: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, farewell)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "keep")
