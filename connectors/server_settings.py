"""Define what the settings of every server answer, so that nobody has to know which connector's they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

from connectors.settings import Secret, Strict

ADDRESSES = ("url", "graph_url")
"""The fields in which a server of HTTP has its address."""


class Endpoint(NamedTuple):
    """Name a server.

    Attributes:
        host: its host; "" if the settings name none.
        port: its port; None if the settings name none.
        scheme: of its URL; "" if it has none.
    """

    host: str
    port: int | None
    scheme: str


class ServerSettings(Strict):
    """Define what a source or a target is configured with.

    Attributes:
        kind: which connector it is for.
    """

    kind: str

    @property
    def endpoint(self) -> Endpoint:
        """The server, as far as the settings name it."""
        if host := getattr(self, "host", ""):
            return Endpoint(host, getattr(self, "port", None), "")
        parts = urlsplit(next((url for name in ADDRESSES if (url := getattr(self, name, None))), ""))
        return Endpoint(parts.hostname or "", parts.port, parts.scheme)

    @property
    def is_shared(self) -> bool:
        """True if one credential opens many mailboxes: a service account, a master user, one password."""
        return not is_personal(getattr(self, "password", None))

    def advice(self, products: Collection[str]) -> tuple[str, ...]:
        """Return codes of advice about the server as a whole.

        Args:
            products: what the server said it is.
        """
        del products
        return ()


def is_personal(secret: Secret | None) -> bool:
    """Return True if each account has a secret of its own."""
    texts = (secret.env, secret.file, secret.command, secret.block) if secret is not None else ()
    return any("{login}" in text or "{address}" in text for text in texts if text)
