"""`kogge metrics`: what Prometheus scrapes."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import Annotated

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.control import json_log
from kogge.terminal.options import ConfigPath, say
from model.errors import Misconfigured

LISTEN = "127.0.0.1:9464"


def metrics(
    config: ConfigPath = DEFAULT,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to serve /metrics.")
    ] = LISTEN,
    once: Annotated[bool, typer.Option("--once", help="Print the metrics and end.")] = False,
) -> None:
    """Serves metrics of all waves for Prometheus until interrupted, read from the ledger.

    They say how many mailboxes, workloads and items are in which state, how the servers and workers are, and
    how fast the ledger answers: by wave, workload and code, without any address or name. One such process
    tells of all workers, on every machine.

    Example: kogge metrics --listen 127.0.0.1:9464
    """
    from ledger import open_ledgers
    from ledger.views.metrics import MetricsReader
    from reports.metrics.exporter import as_text, registry_of, serve

    settings = load(config)
    json_log.use(settings)
    address = settings.ledger_url(reads=True)
    reader = MetricsReader()
    registry = registry_of(lambda: reader.read(open_ledgers.held_open(address)))
    if once:
        sys.stdout.write(as_text(registry))
        return
    host, port = _parsed(listen)
    try:
        port, end = serve(registry, host, port)
    except OSError as error:
        raise Misconfigured("--listen", f"cannot be used ({error.strerror})") from None
    say(f"metrics at http://{listen.rpartition(':')[0]}:{port}/metrics")
    try:
        with suppress(KeyboardInterrupt):  # so it ends, by Ctrl-C or SIGTERM
            threading.Event().wait()
    finally:
        end()


def _parsed(listen: str) -> tuple[str, int]:
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise Misconfigured("--listen", f"give an address and a port, such as {LISTEN}")
    return host.removeprefix("[").removesuffix("]"), int(port)
