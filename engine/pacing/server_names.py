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
    server = server_of(config.target.of(workload))
    also = {kind for kind in config.workloads if server_of(config.target.of(kind)) == server}
    names = [kind.value for kind in Kind if kind is workload or kind in also]
    return _source_name(config, workload), f"target.{'-'.join(names)}"


def _source_name(config: Config, workload: Kind) -> str:
    """Return the name of a workload's source: its connector, and its workloads where that has two servers."""
    settings = config.source_of(workload)
    alike = [kind for kind in config.workloads if config.source_of(kind).kind == settings.kind]
    own = [kind for kind in alike if server_of(config.source_of(kind)) == server_of(settings)]
    name = f"source.{settings.kind}"
    return name if own == alike else f"{name}-{'-'.join(own)}"


def sides_of(config: Config, workload: Kind) -> dict[str, ServerSettings]:
    """Return the settings of the source and the target of a workload, by the name of the server."""
    source, target = systems_of(config, workload)
    return {source: config.source_of(workload), target: config.target.of(workload)}


def read_elsewhere(config: Config, workload: Kind) -> frozenset[Kind]:
    """Return the workloads that are read from another server than this one."""
    server = server_of(config.source_of(workload))
    return frozenset(kind for kind in config.workloads if server_of(config.source_of(kind)) != server)


def endpoint_of(settings: ServerSettings) -> str:
    """Return the host and port that settings of a server name; "" if they name none."""
    host, port, _ = settings.endpoint
    return f"{host}:{port}" if host and port else host


def server_of(settings: ServerSettings) -> tuple[str, int | None]:
    """Return the host and port of a server."""
    host, port, scheme = settings.endpoint
    return host.lower(), port or DEFAULT_PORTS.get(scheme)
