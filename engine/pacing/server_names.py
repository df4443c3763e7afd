"""Name the servers that a migration asks. A server is a host and a port.

Whoever runs the mail of a host may be somebody else than whoever runs its calendars, and one of the two may
fail alone. The name of a target's server says which workloads use it.
"""

from __future__ import annotations

from connectors.server_settings import ServerSettings
from engine.config.load import Config
from model.kinds import Kind

UNWELL = "target-unwell"
"""The code of a workload whose server is not well."""

DEFAULT_PORTS = {"https": 443, "http": 80}


def systems_of(config: Config, workload: Kind) -> tuple[str, str]:
    """Return the names of the source's and the target's server of a workload.

    Workloads on one host and port have one server: `target.calendar-contacts`, say.
    """
    server = _server(config.target.of(workload))
    also = {kind for kind in config.workloads if _server(config.target.of(kind)) == server}
    names = [kind.value for kind in Kind if kind is workload or kind in also]
    return f"source.{config.source.kind}", f"target.{'-'.join(names)}"


def endpoint_of(settings: ServerSettings) -> str:
    """Return the host and port that settings of a server name; "" if they name none."""
    host, port, _ = settings.endpoint
    return f"{host}:{port}" if host and port else host


def _server(settings: ServerSettings) -> tuple[str, int | None]:
    host, port, scheme = settings.endpoint
    return host.lower(), port or DEFAULT_PORTS.get(scheme)
