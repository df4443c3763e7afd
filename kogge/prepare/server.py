"""`kogge server`: the local Prefect server."""

from __future__ import annotations

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from kogge.terminal.options import AsJson, ConfigPath, Exit, echo, emit, told
from model.errors import Misconfigured

server = typer.Typer(help="Starts and stops the local Prefect server.", no_args_is_help=True)


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


server.command("up", help=told(server_up))(server_up)
server.command("down", help=told(server_down))(server_down)
server.command("status", help=told(server_status))(server_status)
