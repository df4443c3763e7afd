"""Choose how servers are reached over HTTP: directly, or through the operator's proxy.

Nothing is taken from the environment (HTTPS_PROXY and the like): only the configuration counts.
"""

from __future__ import annotations

import base64
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator

from connectors.settings import Secret, Strict


class Network(Strict):
    """Configure the table [network].

    Attributes:
        proxy: "http://proxy:3128", an HTTP proxy that takes CONNECT, for every https:// server; None: no
            proxy.
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
        if proxy is None:
            return None
        parts = urlsplit(proxy)
        try:
            usable = parts.scheme == "http" and parts.hostname and parts.port
        except ValueError:
            usable = None
        if not usable or parts.path.strip("/") or parts.query:
            raise ValueError("give http://HOST:PORT")
        if parts.username is not None:
            raise ValueError("give http://HOST:PORT, and the login in proxy_user and proxy_password")
        return f"http://{parts.netloc}"

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.proxy_user is None) != (self.proxy_password is None):
            raise ValueError("proxy_user: belongs to proxy_password, and it to proxy_user")
        if self.proxy_user is not None and (self.proxy is None or ":" in self.proxy_user):
            raise ValueError("proxy_user: a login without a colon, for the proxy")
        return self

    def proxy_headers(self) -> dict[str, str]:
        """Return the headers that log in to the proxy; {} for a proxy without a login.

        Raises:
            Misconfigured: the secret cannot be read.

        Source:
            RFC 9110, section 11.7.2; RFC 7617, section 2.1.
        """
        if self.proxy_user is None or self.proxy_password is None:
            return {}
        pair = f"{self.proxy_user}:{self.proxy_password.read().get_secret_value()}"
        return {"proxy-authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for a server's URL; None for a direct connection, which plain http always uses."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if self.proxy is None or parts.scheme != "https":
            return None
        return None if any(_covers(entry.lower(), host) for entry in self.no_proxy) else self.proxy


def _covers(entry: str, host: str) -> bool:
    """Return True if an entry of no_proxy covers a host."""
    bare = entry.lstrip(".")
    return host == bare or (entry.startswith(".") and host.endswith(f".{bare}"))


class Networked(Strict):
    """Extend the settings of a server that is reached over HTTP by the table [network]."""

    _network: Network = PrivateAttr(default_factory=Network)

    @property
    def network(self) -> Network:
        """Return the proxy settings."""
        return self._network
