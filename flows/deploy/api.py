"""Which Prefect API is used: the configured one, or a local server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from connectors.endpoints import refuse_readable
from engine.config.load import Config
from flows.deploy import prefect_server
from flows.deploy.server_login import CLIENT_AUTH_STRING, HOST
from model.errors import Misconfigured

API_URL = "PREFECT_API_URL"
AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Api:
    """Describe a Prefect API.

    Attributes:
        local: True if Kogge started it; it stays on.
        login: USER:PASSWORD of a server that Kogge started; "" for another one, whose login is in
            PREFECT_API_AUTH_STRING.
    """

    url: str
    local: bool
    login: str = field(default="", repr=False, compare=False)

    @property
    def ui(self) -> str:
        """Return the address of its pages."""
        return self.url.removesuffix("/").removesuffix("/api")


def ensure_api(config: Config, patience: float = 0.0) -> Api:
    """Return the configured Prefect API, or the local server, which is started if need be.

    It is never Prefect's ephemeral server, which costs ten seconds a run and forgets.

    Args:
        config: names it.
        patience: for how many seconds the configured one is asked again, if it does not answer.

    Raises:
        Misconfigured: the configured one does not answer, or asks for another login; for the local server see
            prefect_server.up.
    """
    url = configured_api(config)
    if url is None:
        server = prefect_server.up(config.state_directory, config.prefect.port)
        return Api(server.api, local=True, login=server.login)
    until = time.monotonic() + patience
    while not prefect_server.answers(url):
        if time.monotonic() >= until:
            raise Misconfigured("prefect.api_url", "no Prefect API answers there")
        time.sleep(AGAIN_SECONDS)
    found = _named(config, url)
    if not found.login and prefect_server.refuses(url):
        raise Misconfigured("prefect.api_url", f"asks for another login than {CLIENT_AUTH_STRING} has")
    return found


@contextmanager
def environment_of(api: Api, more: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Let this process's environment name an API, and its login, during the block.

    Args:
        api: the API.
        more: further variables.
    """
    given = {API_URL: api.url, **({CLIENT_AUTH_STRING: api.login} if api.login else {}), **more}
    before = {name: os.environ.get(name) for name in given}
    os.environ |= given
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ |= {} if value is None else {name: value}


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
    """Return the configured Prefect API, answering or not, or the local one if it runs.

    Returns:
        None if there is neither.

    Raises:
        Misconfigured: as configured_api.
    """
    url = configured_api(config)
    if url is not None:
        return _named(config, url)
    server = prefect_server.status(config.state_directory)
    return None if server is None else Api(server.api, local=True, login=server.login)


def _named(config: Config, url: str) -> Api:
    """Return the API at a configured address; the login is known if it is the local server after all."""
    server = prefect_server.status(config.state_directory) if f"//{HOST}:" in url else None
    own = server is not None and url.rstrip("/") == server.api
    return Api(url, local=False, login=server.login if server is not None and own else "")


def configured_api(config: Config) -> str | None:
    """Return the address that kogge.toml or PREFECT_API_URL names; None without one.

    Raises:
        Misconfigured: it is on another machine without TLS, and prefect.plain_http does not allow that.
    """
    url = config.prefect.api_url or os.environ.get("PREFECT_API_URL") or None
    if url is not None:
        try:
            refuse_readable("PREFECT_API_URL", url, config.prefect.plain_http)
        except ValueError as error:
            raise Misconfigured("prefect", f"{error}; in a private network set prefect.plain_http") from None
    return url
