"""Which Prefect API is used: the configured one, or a local server."""

from __future__ import annotations

import os
from dataclasses import dataclass

from connectors.endpoints import refuse_readable
from engine.config.load import Config
from flows.deploy import prefect_server
from model.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Api:
    """A Prefect API. local: Kogge started it, and leaves it running."""

    url: str
    local: bool

    @property
    def ui(self) -> str:
        return self.url.removesuffix("/").removesuffix("/api")


def ensure_api(config: Config) -> Api:
    """The configured Prefect API (kogge.toml, or PREFECT_API_URL), else the local server, started now
    if need be. Never Prefect's ephemeral server, which costs ten seconds a run and forgets.

    Raises Misconfigured when the configured one does not answer; for the local one as
    prefect_server.up."""
    url = configured_api(config)
    if url is None:
        return Api(prefect_server.up(config.state_directory, config.prefect.port).api, local=True)
    if not prefect_server.answers(url):
        raise Misconfigured("prefect.api_url", "no Prefect API answers there")
    return Api(url, local=False)


def running_api(config: Config) -> Api | None:
    """Return the Prefect API that answers now, the configured or the local one; None if none does.

    Raises:
        Misconfigured: as configured_api.
    """
    url = configured_api(config)
    if url is not None:
        return Api(url, local=False) if prefect_server.answers(url) else None
    server = prefect_server.status(config.state_directory)
    return None if server is None else Api(server.api, local=True)


def configured_api(config: Config) -> str | None:
    """The Prefect API that kogge.toml or PREFECT_API_URL names. Raises Misconfigured for one on another
    machine that is asked without TLS, unless prefect.plain_http allows it."""
    url = config.prefect.api_url or os.environ.get("PREFECT_API_URL") or None
    if url is not None:
        try:
            refuse_readable("PREFECT_API_URL", url, config.prefect.plain_http)
        except ValueError as error:
            raise Misconfigured("prefect", f"{error}; in a private network set prefect.plain_http") from None
    return url
