"""`kogge worker`: takes runs from Prefect's queues."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import load
from engine.control import json_log
from kogge.terminal.options import say
from model.errors import Misconfigured

QUEUES = ("waves", "urgent", "normal", "nightly")


def worker(
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="A configuration that runs may use; repeatable. The first says which Prefect, and is what a "
            "run uses that names none.",
        ),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option(
            "--queue", "-q", metavar="Q", help=f"The queue: {', '.join(QUEUES)}; repeatable. All by default."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, max=1000, help="Runs at once.")] = None,
    name: Annotated[str | None, typer.Option(help="How Prefect shows this worker.")] = None,
    healthcheck: Annotated[
        bool, typer.Option("--with-healthcheck", help="Serve /health for the machine that watches over it.")
    ] = False,
) -> None:
    """Takes runs from the queues of Prefect and works until interrupted.

    Without an address of Prefect it uses the server that `kogge server up` started here, if that runs.

    It runs Kogge's own flows alone, with the configurations given here, and ignores what Prefect's server
    says of commands, environments, directories or files. Start one for the queue `waves` and others for the
    rest: a wave waits for its batches.

    Example: kogge worker --queue urgent --queue normal --queue nightly --limit 2
    """
    files = config or _from_environment()
    settings = [load(path) for path in files]
    json_log.use(settings[0])  # before Prefect is loaded: it leaves the console to us then
    from engine.config.registry import listed
    from flows.deploy.api import known_api
    from flows.deploy.worker import environment, work
    from flows.display.stopped_cutover import show_ended

    first = settings[0].prefect
    api = known_api(settings[0])
    if api is None:
        raise Misconfigured(
            f"{files[0].name}: prefect.api_url",
            f"is missing, and no local Prefect server runs: {next_command(files[0], 'server up')}",
        )
    _refuse_unknown(queue or ())

    environment(api, listed(files), as_json=json_log.is_on())
    asyncio.run(work(first.work_pool, queue or list(QUEUES), limit, name, healthcheck, say, show_ended))


def _from_environment() -> list[Path]:
    from engine.config.registry import ONE, SEVERAL, offered

    named = os.environ.get(ONE) or os.environ.get(SEVERAL)
    return list(offered().values()) if named else [DEFAULT]


def _refuse_unknown(queues: list[str] | tuple[str, ...]) -> None:
    from engine.config.file_errors import unknown

    for one in queues:
        if one not in QUEUES:
            raise Misconfigured("--queue", unknown(one, QUEUES))
