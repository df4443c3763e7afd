"""The command line: `kogge`. What a command needs is imported when it is asked for (kogge/lazy_group.py)."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.main import get_command

from engine.config.hints import remember
from engine.control.error_log import INTERNAL, hook
from engine.control.log_filter import quieten
from kogge.lazy_group import LazyGroup
from kogge.terminal.exit_codes import CODES, Exit
from model.errors import MigrationError

ABOUT = (
    "Moves mailboxes and files from Exchange and Microsoft 365 to open systems: the right mailbox, nothing "
    "lost, nothing twice."
)


class _Interruptible(LazyGroup):
    """End an interrupted command with 130 and a message; Typer ends it without one."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # a word of the library's
            raise
        except KeyboardInterrupt:
            _say("kogge: interrupted")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="kogge",
    cls=_Interruptible,
    help=ABOUT,
    epilog=CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from kogge.terminal.options import echo

        echo(f"kogge {version('kogge')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _options_of(words: Sequence[str]) -> frozenset[str]:
    """Return the options of the command that these words name."""
    command: Any = get_command(app)
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    return frozenset(option for one in command.params for option in one.opts)


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and exit with its code, without a traceback for what the operator can repair."""
    quieten()
    hook(_defect)
    if "_KOGGE_COMPLETE" in os.environ:
        from kogge.prepare.completion import answer_shell

        answer_shell()
    remember(sys.argv[1:] if arguments is None else arguments, _options_of)
    try:
        with _terminable():
            try:
                # Not app(...): that would print a defect with its text, in place of _defect.
                get_command(app)(arguments, prog_name="kogge")
            finally:
                _take_leave()
    except MigrationError as error:
        from kogge.terminal.options import report

        sys.exit(report(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OPEN)
    except KeyboardInterrupt:
        _say("kogge: interrupted")
        sys.exit(130)


def _take_leave() -> None:
    """Send what still waits for Prefect, if this command has loaded Prefect."""
    if "prefect" in sys.modules:
        from flows.display.prefect_events import farewell

        farewell()


def _say(text: str) -> None:
    from kogge.terminal.options import say

    say(text)


def _defect(line: str) -> None:
    _say(f"kogge: {INTERNAL}: {line}")
    _say("  A defect in Kogge. Nothing is lost; report it with this line.")


@contextmanager
def _terminable() -> Iterator[None]:
    """Make SIGTERM and Ctrl-C end a command cleanly and with 130; a run at work drains instead.

    A SIGINT that the parent ignores, as a shell does for what it starts in the background, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        heard.append(signal.SIGINT)
    old = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
