"""Run a practice server in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 5.0


class Child:
    """Hold a process that prints the port it serves on, and ends at the end of its standard input.

    A Ctrl-C ends the starter, and the starter's end ends the process.

    Attributes:
        port: where it serves.
    """

    def __init__(self, module: str, *words: str) -> None:
        """Run a module with these words, and wait until it serves.

        Raises:
            RuntimeError: it does not start.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        line = self._process.stdout.readline().strip() if self._process.stdout is not None else ""
        self.port = int(line) if line.isdigit() else 0
        if not self.port:
            self.stop()
            raise RuntimeError(f"{module} does not start")

    def stop(self) -> None:
        """End it. Safe to call again."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
