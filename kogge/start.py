"""What the program `kogge` runs first. It loads the command line."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time

INTERRUPTED = 130
FIRST_COLLECTED_AFTER = 400_000
"""The garbage collector looks for the first time when so many objects exist: more than the imports of any
command make. What is imported is no garbage."""
COLLECTED_AFTER = 50_000
"""After that it looks when so many more objects exist than at the last time."""
LINGER_SECONDS = 1.0
"""How long the threads of an interrupted command may still end by themselves."""


def main() -> None:
    """Load the command line and run it.

    Ctrl-C ends the program at once and without a word until `kogge.app.main` listens for it: an exception in
    the middle of an import would be shown as a traceback. A signal that the parent ignores stays ignored.
    """
    _collect_later()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some reads 170 packages' files
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from engine.control.environment import reach_this_machine_directly

    reach_this_machine_directly()
    from kogge.app import main as command_line

    try:
        command_line()
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            _leave_waiting_threads()
        raise


def _collect_later() -> None:
    """Let the garbage collector look for the first time after the imports."""
    rest = gc.get_threshold()[1:]

    def begin(phase: str, _told: object) -> None:
        if phase == "stop":
            gc.callbacks.remove(begin)
            gc.set_threshold(COLLECTED_AFTER, *rest)

    gc.callbacks.append(begin)
    gc.set_threshold(FIRST_COLLECTED_AFTER, *rest)


def _leave_waiting_threads() -> None:
    """End the process if a thread of an interrupted command still waits for a server.

    Python would wait for that thread, for as long as the server takes. A command that writes to mailboxes has
    ended its threads before; those of `kogge check` only read.
    """
    until = time.monotonic() + LINGER_SECONDS
    while any(not one.daemon for one in threading.enumerate() if one is not threading.main_thread()):
        if time.monotonic() >= until:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        time.sleep(0.05)
