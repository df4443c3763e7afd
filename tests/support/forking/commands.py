"""Start a command of `kogge` by a fork of a process that has imported it: two seconds of a processor less.

What is forked is a child of the test's process, with a process id, an environment, a directory, standard
streams and an exit code of its own, as `subprocess` makes one. One thing is different: Prefect and the flows
are imported already. So only those commands are forked that import them anyway. A test of the start, or of
what a command imports, starts it really.
"""

from __future__ import annotations

import array
import atexit
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORKED = frozenset({"migrate", "rollback"})
"""The commands that run a flow in their own process."""
TEMPLATE = Path(__file__).with_name("template.py")
SET_SUBREAPER, GET_SUBREAPER = 36, 37
MOST = 2
"""So many templates are kept; each holds 150 MB, most of which its commands share."""
TEMPLATES: dict[frozenset[tuple[str, str]], Template] = {}
"""By environment: Prefect reads it while it is imported."""
_one_at_a_time = threading.Lock()


class Template:
    """A process that waits to be forked, for commands of one environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(TEMPLATE), str(other.fileno())],
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                start_new_session=True,
            )
        self._expect(b"ready")

    def fork(self, words: Sequence[str], cwd: str, streams: Sequence[int], session: bool) -> int:
        """Return the process id of a new command.

        Args:
            words: the command line.
            cwd: where it runs.
            streams: its standard input, output and error.
            session: whether it leads a session of its own.
        """
        asked = {"words": [*words], "cwd": cwd, "session": session, "parent": os.getpid()}
        handles = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))]
        with _adopting():
            self._channel.sendmsg([json.dumps(asked).encode()], handles)
            pid = int(self._channel.recv(100))
            self._expect(b"forked")
        return pid

    def close(self) -> None:
        """End the template; its commands live on."""
        self._channel.close()
        self._process.wait()

    def _expect(self, word: bytes) -> None:
        if (answer := self._channel.recv(100)) != word:
            raise AssertionError(f"the process to fork from said {answer!r} in place of {word!r}")


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of processes whose own parent ends meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int()
    libc.prctl(GET_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    libc.prctl(SET_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(SET_SUBREAPER, before.value, 0, 0, 0)


class ForkedCommand(subprocess.Popen[str]):
    """A command that was forked. It is used as any other process."""

    def _execute_child(
        self,
        args: Sequence[str],
        executable: None,
        preexec_fn: None,
        close_fds: bool,
        pass_fds: Sequence[int],
        cwd: Path,
        env: Mapping[str, str],
        *given: Any,
    ) -> None:
        _, _, _, stdin, _, _, stdout, _, stderr, _, _, _, _, _, session, *_ = given
        streams = [own if one == -1 else one for own, one in enumerate((stdin, stdout, stderr))]
        with _one_at_a_time:
            self.pid = _template(env).fork(args, str(cwd), streams, session)
        self._child_created = True
        for handle in {stdin, stdout, stderr} - {-1}:
            os.close(handle)
        self._closed_child_pipe_fds = True


def _template(environment: Mapping[str, str]) -> Template:
    key = frozenset(environment.items())
    if key not in TEMPLATES:
        while len(TEMPLATES) >= MOST:
            TEMPLATES.pop(next(iter(TEMPLATES))).close()
        TEMPLATES[key] = Template(environment)
    return TEMPLATES[key]


@atexit.register
def forget() -> None:
    """End all templates; the next command makes a new one."""
    while TEMPLATES:
        TEMPLATES.popitem()[1].close()
