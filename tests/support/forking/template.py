"""The process that commands are forked from. It has imported what a flow needs, and does nothing else.

Started as `python -P template.py SOCKET` with the environment of the commands. Each message on the
socket is a command; its answer is the process id. It ends when the other end of the socket is closed.
"""

from __future__ import annotations

import array
import gc
import json
import os
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

PROMPT = 0.001


def load() -> None:
    """Import what `kogge migrate` and `kogge rollback` import, in the order of the program."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    import_module("engine.control.environment").reach_this_machine_directly()
    import_module("engine.control.log_filter").quieten()
    for name in ("kogge.app", "flows.migrate", "flows.rollback", "kogge.run.migrate", "kogge.run.rollback"):
        import_module(name)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a command, with its stdin, stdout and stderr. Ends the process when nobody asks any more."""
    handles = array.array("i")
    message, extra, _, _ = channel.recvmsg(1 << 20, socket.CMSG_SPACE(3 * handles.itemsize))
    if not message:
        os._exit(0)
    for _, _, data in extra:
        handles.frombytes(data)
    asked: dict[str, Any] = json.loads(message)
    return asked, list(handles)


def begin(channel: socket.socket, asked: dict[str, Any], handles: list[int]) -> None:
    """Make this new process what `subprocess` would have made, and a child of the one who asked."""
    while os.getppid() != asked["parent"]:
        time.sleep(PROMPT)
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
    channel.detach()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if asked["session"]:
        os.setsid()
    os.chdir(asked["cwd"])
    sys.argv[:] = asked["words"]
    gc.enable()


def serve(channel: socket.socket) -> None:
    """Return in each new command's process, and never in this one."""
    while True:
        asked, handles = receive(channel)
        between = os.fork()
        if between == 0:
            if pid := os.fork():
                channel.send(str(pid).encode())
                os._exit(0)
            begin(channel, asked, handles)
            return
        for handle in handles:
            os.close(handle)
        os.waitpid(between, 0)
        channel.send(b"forked")


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()
    load()
    gc.freeze()
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "a fork would lose the other threads"
    channel.send(b"ready")
    serve(channel)
    from kogge.start import main as program

    program()


if __name__ == "__main__":
    main()
