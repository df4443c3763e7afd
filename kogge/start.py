"""What the program `kogge` runs first. It loads the command line."""

from __future__ import annotations

import signal


def main() -> None:
    """Loads the command line and runs it.

    Ctrl-C ends the program at once and without a word until `kogge.app.main` listens for it: an exception in
    the middle of an import would be shown as a traceback. A signal that the parent ignores stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from engine.control.environment import reach_this_machine_directly

    reach_this_machine_directly()
    from kogge.app import main as command_line

    command_line()
