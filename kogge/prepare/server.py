"""`kogge server` and `kogge practice`: servers on this machine."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.config.template import refuse_existing, write_new
from kogge.terminal.options import AsJson, ConfigPath, Exit, echo, emit, say, told
from model.errors import Misconfigured

server = typer.Typer(help="Starts and stops the local Prefect server.", no_args_is_help=True)
practice = typer.Typer(help="Starts servers to practise on.", no_args_is_help=True)
AGAIN = "of servers that have ended, the directory is of no use: delete it, or choose another"

SERVERS = ("aiosmtpd", "cheroot", "pymap", "radicale", "starlette", "uvicorn", "wsgidav")
"""What the extra `practice` brings."""


def server_up(config: ConfigPath = DEFAULT) -> None:
    """Starts the local Prefect server, unless it runs. It stays when this command ends.

    Example: kogge server up
    """
    from flows.deploy.prefect_server import up

    settings = load(config)
    if settings.prefect.api_url is not None:
        raise Misconfigured(f"{config.name}: prefect.api_url", "names a server; Kogge starts none beside it")
    running = up(settings.state_directory, settings.prefect.port)
    echo(f"Prefect at {running.ui}")


def server_down(config: ConfigPath = DEFAULT) -> None:
    """Stops the local Prefect server. The ledger and every mailbox are untouched by it.

    Example: kogge server down
    """
    from flows.deploy.prefect_server import down

    stopped = down(load(config).state_directory)
    echo("stopped" if stopped else "was not running")


def server_status(config: ConfigPath = DEFAULT, as_json: AsJson = False) -> None:
    """Says whether Prefect answers: the configured server, or the local one. Exit code 1 when not.

    Example: kogge server status
    """
    from flows.deploy.prefect_server import answers, status

    settings = load(config)
    api = settings.prefect.api_url
    if api is None:
        local = status(settings.state_directory)
        api, alive = (local.api, True) if local is not None else (None, False)
    else:
        alive = answers(api)
    if as_json:
        emit({"running": alive, "api": api})
    elif api is None:
        echo("no local Prefect server is running; `kogge server up` starts one")
    else:
        echo(f"Prefect {'answers' if alive else 'does not answer'} at {api}")
    raise typer.Exit(Exit.OK if alive else Exit.OPEN)


@contextmanager
def _understood() -> Iterator[None]:
    """Names what is wrong in the practice world's data; its servers have started nothing then."""
    from practice.world.cases import CaseError

    try:
        yield
    except CaseError as error:
        raise Misconfigured("practice", f"its data are not understood; {error}") from None


def practice_up(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where to write the files.")] = Path(
        "practice-run"
    ),
    people: Annotated[int, typer.Option(min=1, max=40_000, help="How many mailboxes the Exchange has.")] = 5,
    items: Annotated[int, typer.Option(min=1, max=100_000, help="Mails a mailbox.")] = 100,
    pim: Annotated[
        int,
        typer.Option(
            min=0,
            max=10_000,
            help="Events, contacts, tasks and notes a mailbox, so many of each; 0 for none.",
        ),
    ] = 20,
    cloud: Annotated[
        int,
        typer.Option(min=0, max=40_000, help="How many people Microsoft 365 has, beside those of Exchange."),
    ] = 5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same mailboxes.")] = 1,
) -> None:
    """Starts a practice Exchange and a practice Microsoft 365, targets for what people have there (IMAP, DAV,
    Nextcloud), and writes a configuration for each of the two.

    Runs until interrupted. In another terminal, every command works in DIRECTORY: nothing there is real.

    Example: kogge practice up my-practice
    """
    missing = [name for name in SERVERS if find_spec(name) is None]
    if missing:
        why = f"its servers are not installed ({missing[0]} is missing); install the extra `practice`"
        raise Misconfigured("practice", why)
    from kogge.prepare.practice_servers import APPROVERS, practising

    refuse_existing(directory, ["kogge.toml", "microsoft365.toml"], AGAIN)
    done = threading.Event()
    with _understood(), practising(people, items, seed, pim, cloud) as stage:
        written = write_new(directory, stage.files())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: done.set())
        for line in stage.lines():
            echo(line)
        for path in written:
            if path.suffix == ".toml":
                echo(f"configuration {path}")
        say(f"Try, in another terminal:  cd {directory} && kogge check --wave pilot")
        say("A wave takes two approvers, whose keys lie there, too; sign with each:")
        for name in APPROVERS:
            say(f"  kogge approve --wave pilot --key {name}.pem --reason practice")
        say("Then:  kogge migrate --wave pilot")
        if stage.cloud is not None:
            say("Microsoft 365 likewise, with  -c microsoft365.toml --wave cloud")
        say("Ctrl-C ends the servers and everything in them. The local Prefect goes on:")
        say("  kogge server down   in that directory, before you delete it")
        done.wait()


server.command("up", help=told(server_up))(server_up)
server.command("down", help=told(server_down))(server_down)
server.command("status", help=told(server_status))(server_status)
practice.command("up", help=told(practice_up))(practice_up)
