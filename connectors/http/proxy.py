"""Choose how servers are reached over HTTP: directly, or through the operator's proxy.

Nothing is taken from the environment (HTTPS_PROXY and the like): only the configuration counts.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator

from connectors.settings import Strict


class Network(Strict):
    """Configure the table [network].

    Attributes:
        proxy: "http://proxy:3128", an HTTP proxy that takes CONNECT, for every https:// server; None: no
            proxy.
        no_proxy: hosts that are reached without it; ".example.org" also means every host below it.
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
