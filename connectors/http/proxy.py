"""How servers are reached over HTTP: directly, or through a proxy that the operator names.

Nothing is taken from the environment (HTTPS_PROXY and the like): what is configured is what is used.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator

from connectors.settings import Strict


class Network(Strict):
    """The table [network].

    proxy     "http://proxy:3128": an HTTP proxy that takes CONNECT, for every https:// server
    no_proxy  hosts that are reached without it; ".example.org" is every host below it, too
    """

    proxy: str | None = Field(default=None, description="http://proxy.example.org:3128")
    no_proxy: tuple[str, ...] = ()

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
            raise ValueError("a proxy that asks for a password is not supported; give http://HOST:PORT")
        return f"http://{parts.netloc}"

    def proxy_for(self, url: str) -> str | None:
        """The proxy for a server's URL; None for one that is reached directly, which plain http always is."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if self.proxy is None or parts.scheme != "https":
            return None
        return None if any(_covers(one.lower(), host) for one in self.no_proxy) else self.proxy


def _covers(named: str, host: str) -> bool:
    bare = named.lstrip(".")
    return host == bare or (named.startswith(".") and host.endswith(f".{bare}"))


class Networked(Strict):
    """Settings of a server that is reached over HTTP."""

    _network: Network = PrivateAttr(default_factory=Network)

    @property
    def network(self) -> Network:
        return self._network
