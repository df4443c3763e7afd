"""Choose how servers are reached over HTTP: directly, or through the operator's proxy.

The environment (HTTPS_PROXY, NO_PROXY) counts only where the configuration says so.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator

from connectors.server_settings import ServerSettings
from connectors.settings import Secret, Strict
from model.errors import Misconfigured

ENVIRONMENT = "environment"
"""As `proxy`: the proxy that HTTPS_PROXY names, and none for the hosts of NO_PROXY."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Say through which proxy a server is reached.

    Attributes:
        url: http://HOST:PORT, without a login.
        headers: what logs in to it; {} for a proxy without a login.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Network(Strict):
    """Configure the table [network].

    Attributes:
        proxy: "http://proxy:3128", an HTTP proxy that takes CONNECT, for every https:// server; ENVIRONMENT:
            as HTTPS_PROXY and NO_PROXY say when a server is asked; None: no proxy.
        no_proxy: hosts that are reached without it; ".example.org" also means every host below it.
        proxy_user: the login, for a proxy that asks for one by HTTP Basic.
        proxy_password: its password.
    """

    proxy: str | None = Field(default=None, description="http://proxy.example.org:3128")
    no_proxy: tuple[str, ...] = ()
    proxy_user: str | None = None
    proxy_password: Secret | None = None

    @field_validator("proxy")
    @classmethod
    def _plain(cls, proxy: str | None) -> str | None:
        if proxy is None or proxy == ENVIRONMENT:
            return proxy
        parts = _parts(proxy)
        if parts is None:
            raise ValueError(f"give http://HOST:PORT, or {ENVIRONMENT}")
        if parts.username is not None:
            raise ValueError("give http://HOST:PORT, and the login in proxy_user and proxy_password")
        return f"http://{parts.netloc}"

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.proxy_user is None) != (self.proxy_password is None):
            raise ValueError("proxy_user: belongs to proxy_password, and it to proxy_user")
        if self.proxy_user is not None and (self.proxy is None or ":" in self.proxy_user):
            raise ValueError("proxy_user: a login without a colon, for the proxy")
        if self.proxy_user is not None and self.proxy == ENVIRONMENT:
            raise ValueError(
                "proxy_user: HTTPS_PROXY holds the login; leave proxy_user and proxy_password out"
            )
        return self

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy for a server's URL; None for a direct connection, which plain http always uses.

        Raises:
            Misconfigured: the secret cannot be read, or HTTPS_PROXY is missing or no http://HOST:PORT.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if self.proxy is None or parts.scheme != "https":
            return None
        if any(_covers(entry.lower(), host) for entry in self.no_proxy):
            return None
        if self.proxy == ENVIRONMENT:
            return self._of_environment(host, parts.port or 443)
        if self.proxy_user is None or self.proxy_password is None:
            return Proxy(self.proxy)
        return Proxy(self.proxy, _login(self.proxy_user, self.proxy_password.read().get_secret_value()))

    def _of_environment(self, host: str, port: int) -> Proxy | None:
        """Return the proxy that the environment names for a host."""
        from urllib.request import getproxies_environment, proxy_bypass

        named = getproxies_environment()
        if "https" not in named:
            raise Misconfigured(self.where("proxy"), f"is {ENVIRONMENT!r}, and there is no HTTPS_PROXY")
        if proxy_bypass(f"{host}:{port}", named):
            return None
        parts = _parts(named["https"] if "://" in named["https"] else f"http://{named['https']}")
        if parts is None:
            raise Misconfigured("HTTPS_PROXY", "is no http://HOST:PORT")
        url = f"http://{parts.netloc.rpartition('@')[2]}"
        if parts.username is None:
            return Proxy(url)
        return Proxy(url, _login(unquote(parts.username), unquote(parts.password or "")))


def named_by_environment() -> bool:
    """Return True if the environment names a proxy for https, whatever the configuration says."""
    from urllib.request import getproxies_environment

    return "https" in getproxies_environment()


def _parts(proxy: str) -> SplitResult | None:
    """Return the parts of http://HOST:PORT; None for anything else."""
    parts = urlsplit(proxy)
    try:
        usable = parts.scheme == "http" and parts.hostname and parts.port
    except ValueError:
        return None
    return parts if usable and not (parts.path.strip("/") or parts.query or parts.fragment) else None


def _login(user: str, password: str) -> dict[str, str]:
    """Return the header that logs in to a proxy.

    Source:
        RFC 9110, section 11.7.2; RFC 7617, section 2.1.
    """
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"proxy-authorization": f"Basic {pair}"}


def _covers(entry: str, host: str) -> bool:
    """Return True if an entry of no_proxy covers a host."""
    bare = entry.lstrip(".")
    return host == bare or (entry.startswith(".") and host.endswith(f".{bare}"))


class Networked(ServerSettings):
    """Extend the settings of a server that is reached over HTTP by the table [network]."""

    _network: Network = PrivateAttr(default_factory=Network)

    @property
    def network(self) -> Network:
        """Return the proxy settings."""
        return self._network
