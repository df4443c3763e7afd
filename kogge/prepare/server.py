"""`kogge server`: the local Prefect server, and the environment of a larger one."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import AsJson, ConfigPath, Exit, echo, emit, help_text, say, write_private
from model.errors import Misconfigured

server = typer.Typer(
    help="Starts and stops the local Prefect server; prepares a larger one.", no_args_is_help=True
)


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
    _say_login(settings.state_directory)


def _say_login(state: Path) -> None:
    from flows.deploy.prefect_server import login_file

    say(f"Its pages ask for the login that stands in {login_file(state)}")


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
    from flows.display.from_command import settle_killed_commands

    settings = load(config)
    settle_killed_commands(settings)
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
        if settings.prefect.api_url is None:
            _say_login(settings.state_directory)
    raise typer.Exit(Exit.OK if alive else Exit.OPEN)


def server_environment(
    database: Annotated[
        str,
        typer.Option(
            "--database", metavar="URL", help="Prefect's own: postgresql://USER@HOST:PORT/DATABASE."
        ),
    ],
    redis: Annotated[
        str,
        typer.Option(
            "--redis",
            metavar="URL",
            help="Redis: rediss://HOST:PORT; redis:// on this machine or with --plain.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file; its encryption key stays if it is there.")
    ] = Path("prefect-server.env"),
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", metavar="NAME", help="The variable with the database's password."),
    ] = None,
    redis_password_env: Annotated[
        str | None,
        typer.Option("--redis-password-env", metavar="NAME", help="The variable with Redis's password."),
    ] = None,
    login_env: Annotated[
        str | None,
        typer.Option("--login-env", metavar="NAME", help="The variable with USER:PASSWORD of the API."),
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where the server listens.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the server listens.")] = 4200,
    public_url: Annotated[
        str | None,
        typer.Option("--public-url", metavar="URL", help="The API as browsers reach it, behind a proxy."),
    ] = None,
    home: Annotated[
        Path, typer.Option("--home", metavar="DIR", help="Prefect's directory, for its settings.")
    ] = Path("/var/lib/prefect"),
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file", metavar="FILE", help="The authority of the database's certificate, if not trusted."
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Go without TLS, only in a network that nobody else can reach.")
    ] = False,
) -> None:
    """Writes the environment of a Prefect server on PostgreSQL and Redis, for systemd or a shell.

    For many workers without Docker: as many servers as you like may have it. The file holds secrets, and only
    you can read it. With --host other than this machine, give --login-env too: the API lets anybody in
    otherwise. The database is a role's that may use it alone, not the ledger's. On another machine it proves
    itself by TLS.

    Example: kogge server environment --database postgresql://prefect@db/prefect --redis rediss://cache:6379
    """
    from flows.deploy.stack_environment import (
        ServerSettings,
        as_environment_file,
        key_of,
        server_environment,
    )

    settings = ServerSettings(
        database,
        redis,
        _variable("--password-env", password_env),
        _variable("--login-env", login_env),
        host,
        port,
        public_url,
        str(home),
        key_of(_earlier(out)),
        _variable("--redis-password-env", redis_password_env),
        None if ca_file is None else _authority(ca_file),
        plain,
    )
    write_private(out, as_environment_file(server_environment(settings)).encode(), "--out")
    echo(f"written: {out}")
    say(f"Once:           set -a; . {shlex.quote(str(out.absolute()))}; prefect server database upgrade -y")
    say("Each server:    prefect server start --no-services")
    say("One machine:    prefect server services start")
    say('Then: api_url and dispatch = "deployment" in [prefect] of kogge.toml, kogge setup, kogge worker')


def _authority(path: Path) -> str:
    if not path.is_file():
        raise Misconfigured("--ca-file", "no such file")
    return str(path.absolute())


def _variable(option: str, name: str | None) -> str | None:
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        state = "is empty" if value == "" else "is not set"
        raise Misconfigured(option, f"the environment variable {name} {state}")
    return value


def _earlier(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        raise Misconfigured(f"--out {path}", "is there already, and cannot be read") from None


server.command("up", help=help_text(server_up), cls=GivenOnceCommand)(server_up)
server.command("down", help=help_text(server_down), cls=GivenOnceCommand)(server_down)
server.command("status", help=help_text(server_status), cls=GivenOnceCommand)(server_status)
server.command("environment", help=help_text(server_environment), cls=GivenOnceCommand)(server_environment)
