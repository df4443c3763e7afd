"""The command line: `kogge`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine.config.hints import remember
from engine.control.error_log import INTERNAL, hook
from engine.control.log_filter import quieten
from engine.control.remedies import advice
from flows.display.prefect_events import farewell
from kogge.approve import approve as command_approve
from kogge.approve import approve_settings, decisions
from kogge.audit import audit as command_audit
from kogge.audit import report as command_report
from kogge.audit import score as command_score
from kogge.prepare import check as command_check
from kogge.prepare import init as command_start
from kogge.prepare import keys as command_keys
from kogge.prepare import ledger as command_ledger
from kogge.prepare import links as command_links
from kogge.prepare import plan as command_plan
from kogge.prepare import server as command_server
from kogge.prepare import setup as command_setup
from kogge.prepare import worker as command_worker
from kogge.run import cutover as command_cutover
from kogge.run import failures
from kogge.run import migrate as command_run
from kogge.run import pause as command_pause
from kogge.run import repair as command_repair
from kogge.run import rollback as command_rollback
from kogge.run import routes as command_routes
from kogge.run import status as command_watch
from kogge.terminal.options import CODES, Exit, echo, report, say, told
from model.errors import MigrationError

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
    "failures": failures.failures,
    "score": command_score.score,
    "links": command_links.links,
    "retry": command_run.retry,
    "pause": command_pause.pause,
    "resume": command_pause.resume,
    "approve": decisions.approve,
    "approvals": command_approve.approvals,
    "approve-settings": approve_settings.approve_settings,
    "phase": decisions.phase,
    "cutover": command_cutover.cutover,
    "routes": command_routes.routes,
    "rollback": command_rollback.rollback,
    "repair": command_repair.repair,
    "report": command_report.report,
    "who": decisions.who,
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


def _options_of(words: Sequence[str]) -> frozenset[str]:
    """The options of the command that these words name."""
    from typer.main import get_command

    command: Any = get_command(app)
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    return frozenset(option for one in command.params for option in one.opts)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command line and exits with its code. No traceback for what the operator can repair."""
    quieten()
    hook(_defect)
    remember(sys.argv[1:] if arguments is None else arguments, _options_of)
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
    """Makes SIGTERM and Ctrl-C end a command cleanly and with 130; a run at work drains instead. A SIGINT
    that the parent ignores, as a shell does for what it starts in the background, stays ignored."""
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
