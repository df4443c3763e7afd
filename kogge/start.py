"""What the program `kogge` runs first. It loads the command line."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time

INTERRUPTED = 130
COLLECTED_AFTER = 50_000
"""The garbage collector looks when so many more objects exist than at the last time. What is imported is no
garbage; to look at it again and again was a fifth of the time that `kogge status` takes."""
LINGER_SECONDS = 1.0
"""How long the threads of an interrupted command may still end by themselves."""


def main() -> None:
    """Loads the command line and runs it.

    Ctrl-C ends the program at once and without a word until `kogge.app.main` listens for it: an exception in
    the middle of an import would be shown as a traceback. A signal that the parent ignores stays ignored."""
    gc.set_threshold(COLLECTED_AFTER, *gc.get_threshold()[1:])
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


def _leave_waiting_threads() -> None:
    """Ends the process if a thread of an interrupted command still waits for a server.

    Python would wait for that thread, for as long as the server takes. A command that writes to mailboxes has
    ended its threads before; those of `kogge check` only read."""
    until = time.monotonic() + LINGER_SECONDS
    while any(not one.daemon for one in threading.enumerate() if one is not threading.main_thread()):
        if time.monotonic() >= until:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        time.sleep(0.05)
