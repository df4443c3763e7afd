"""Which Prefect API is used: the configured one, or a local server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from connectors.endpoints import refuse_readable
from engine.config.load import Config
from flows.deploy import prefect_server
from flows.deploy.server_login import CLIENT_AUTH_STRING, HOST
from model.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Api:
    """A Prefect API. local: Kogge started it, and leaves it running. login: USER:PASSWORD of a server that
    Kogge started; "" for another, whose login stands in PREFECT_API_AUTH_STRING."""

    url: str
    local: bool
    login: str = field(default="", repr=False, compare=False)

    @property
    def ui(self) -> str:
        return self.url.removesuffix("/").removesuffix("/api")


def ensure_api(config: Config) -> Api:
    """The configured Prefect API (kogge.toml, or PREFECT_API_URL), else the local server, started now
    if need be. Never Prefect's ephemeral server, which costs ten seconds a run and forgets.

    Raises Misconfigured when the configured one does not answer, or asks for another login; for the local one
    as prefect_server.up."""
    url = configured_api(config)
    if url is None:
        server = prefect_server.up(config.state_directory, config.prefect.port)
        return Api(server.api, local=True, login=server.login)
    if not prefect_server.answers(url):
        raise Misconfigured("prefect.api_url", "no Prefect API answers there")
    found = _named(config, url)
    if not found.login and prefect_server.refuses(url):
        raise Misconfigured("prefect.api_url", f"asks for another login than {CLIENT_AUTH_STRING} has")
    return found


def running_api(config: Config) -> Api | None:
    """Return the Prefect API that answers now, the configured or the local one; None if none does.

    Raises:
        Misconfigured: as configured_api.
    """
    api = known_api(config)
    if api is None or api.local:
        return api
    return api if prefect_server.answers(api.url) else None


def known_api(config: Config) -> Api | None:
    """Return the configured Prefect API, whether it answers or not, or the local one if it runs; None for
    neither.

    Raises:
        Misconfigured: as configured_api.
    """
    url = configured_api(config)
    if url is not None:
        return _named(config, url)
    server = prefect_server.status(config.state_directory)
    return None if server is None else Api(server.api, local=True, login=server.login)


def _named(config: Config, url: str) -> Api:
    """The API at a configured address. Where that is the local server after all, its login is known."""
    server = prefect_server.status(config.state_directory) if f"//{HOST}:" in url else None
    own = server is not None and url.rstrip("/") == server.api
    return Api(url, local=False, login=server.login if server is not None and own else "")


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
