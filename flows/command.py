"""The command line: `kogge`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from connectors.errors import MigrationError
from flows import (
    command_approve,
    command_approve_settings,
    command_audit,
    command_check,
    command_cutover,
    command_decide,
    command_failures,
    command_keys,
    command_ledger,
    command_links,
    command_pause,
    command_plan,
    command_repair,
    command_report,
    command_rollback,
    command_run,
    command_score,
    command_server,
    command_setup,
    command_start,
    command_watch,
    command_worker,
)
from flows.advice import advice
from flows.defects import INTERNAL, hook
from flows.events import farewell
from flows.quiet import quieten
from flows.terminal import CODES, Exit, echo, remember, report, say, told

ABOUT = (
    "Moves mailboxes and files from Exchange and Microsoft 365 to open systems: the right mailbox, nothing "
    "lost, nothing twice."
)


class _Interruptible(TyperGroup):
    """Typer ends an interrupted command with 130, but without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("kogge: interrupted")
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
COMMANDS: Mapping[str, Callable[..., None]] = {
    "init": command_start.init,
    "check": command_check.check,
    "discover": command_check.discover,
    "migrate": command_run.migrate,
    "status": command_watch.status,
    "verify": command_run.verify,
    "failures": command_failures.failures,
    "score": command_score.score,
    "links": command_links.links,
    "retry": command_run.retry,
    "pause": command_pause.pause,
    "resume": command_pause.resume,
    "approve": command_decide.approve,
    "approvals": command_approve.approvals,
    "approve-settings": command_approve_settings.approve_settings,
    "phase": command_decide.phase,
    "cutover": command_cutover.cutover,
    "rollback": command_rollback.rollback,
    "repair": command_repair.repair,
    "report": command_report.report,
    "who": command_decide.who,
    "setup": command_setup.setup,
    "worker": command_worker.worker,
    "log": command_watch.log,
}
for _name, _command in COMMANDS.items():
    app.command(_name, help=told(_command), epilog=CODES)(_command)
app.add_typer(command_plan.group, name="plan")
app.add_typer(command_audit.audit, name="audit")
app.add_typer(command_keys.keys, name="keys")
app.add_typer(command_ledger.ledger, name="ledger")
app.add_typer(command_server.practice, name="practice")
app.add_typer(command_server.server, name="server")


def _version(wanted: bool) -> None:
    if wanted:
        echo(f"kogge {version('kogge')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Runs a command line and exits with its code. No traceback for what the operator can repair."""
    quieten()
    hook(_defect)
    remember(sys.argv[1:] if arguments is None else arguments)
    try:
        with _terminable():
            try:
                app(arguments, prog_name="kogge")
            finally:
                farewell()
    except MigrationError as error:
        sys.exit(report(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OPEN)
    except KeyboardInterrupt:
        say("kogge: interrupted")
        sys.exit(130)


def _defect(line: str) -> None:
    say(f"kogge: {INTERNAL}: {line}")
    say(f"  {advice(INTERNAL)}")


@contextmanager
def _terminable() -> Iterator[None]:
    """Makes SIGTERM end a command as Ctrl-C does, cleanly and with 130; a run at work drains instead."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
