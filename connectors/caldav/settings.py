"""Define a CalDAV or CardDAV server's section of the configuration."""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.caldav.products import PROFILES, ProfileName
from connectors.endpoints import Header, Template, Url, filled, refuse_readable
from connectors.http.hrefs import Origin
from connectors.http.proxy import Networked
from connectors.http.rate_limit import RateLimit
from connectors.settings import Account, Secret, Tls

DEFAULT_WINDOW = 60.0
"""Seconds in which a configured rate limit counts, for a product of which no window is known."""
DavAuth = Literal["basic", "bearer", "appapi"]


class DavSettings(Networked):
    """Configure one CalDAV or CardDAV server.

    Attributes:
        url: https://cloud.example.org finds the service by /.well-known; with a path, the service itself.
        auth: "basic": login and password, or an app password; "bearer": an access token (token exchange);
            "appapi": a Nextcloud app writes as any user without knowing their passwords.
        username: {login} and {address} are replaced by the account's.
        password: the password, the access token (read again when it expired), or the app's secret.
        api: the address of Open-Xchange's HTTP API, such as https://ox.example.org/appsuite/api. It is logged
            in to with the same user name and password, and used for what DAV does not show or keep.
    """

    kind: Literal["caldav", "carddav"]
    url: Url
    profile: ProfileName = "generic"
    api: Url | None = Field(default=None, description="Open-Xchange's HTTP API, beside DAV")
    auth: DavAuth = "basic"
    username: Template = "{login}"
    password: Secret
    app_id: Header | None = Field(default=None, description="EX-APP-ID, for auth = appapi")
    app_version: Header = "1.0.0"
    appapi_version: Header = Field(default="1.0.0", description="AA-VERSION")
    tls: Tls = Tls()
    plain_http: bool = Field(default=False, description="allow http:// to a host other than this one")
    user_agent: Header | None = Field(default=None, description="instead of the profile's")
    silent_agent: bool = Field(
        default=False, description="the server honours SCHEDULE-AGENT=CLIENT (RFC 6638); alters the data"
    )
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    patience_seconds: float = Field(default=120.0, ge=0, description="how long busy answers are waited out")
    connections: int = Field(default=4, ge=1, le=4, description="at most; the profile may say fewer")
    rate_limit: int | None = Field(
        default=None,
        ge=0,
        description="requests in one window that the server takes from one address, from all workers "
        "together; 0 for no limit; the profile's unless given",
    )
    rate_limit_seconds: float | None = Field(
        default=None, gt=0, le=86_400, description="the length of that window; the profile's unless given"
    )
    own_address: bool = Field(
        default=False, description="each machine reaches the server from an address of its own"
    )
    batch_items: int = Field(default=100, ge=1, le=1000)
    batch_bytes: int = Field(default=10_000_000, ge=100_000)
    spool_above: int = Field(default=4_000_000, ge=65_536, description="larger bodies go through a file")
    artefacts: tuple[str, ...] = Field(
        default=(),
        description="beginnings of the titles of what a new account holds; the profile's unless given",
    )

    @model_validator(mode="before")
    @classmethod
    def _by_profile(cls, values: object) -> object:
        """Set the profile's artefacts unless they are configured."""
        if not isinstance(values, dict) or "artefacts" in values:
            return values
        profile = PROFILES.get(str(values.get("profile")))
        return {**values, "artefacts": profile.artefacts} if profile is not None else values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse_readable("url", self.url, self.plain_http)
        if self.auth == "appapi" and not self.app_id:
            raise ValueError('auth = "appapi" needs app_id')
        if self.api is not None:
            self._refuse_unusable(self.api)
        return self

    def advice(self, products: Collection[str]) -> tuple[str, ...]:
        """Return "reminders-ring" for a server that reminds people by itself, of what is only staged, too."""
        del products
        return ("reminders-ring",) if PROFILES[self.profile].reminds else ()

    def _refuse_unusable(self, api: str) -> None:
        """Check that the product has the API, and that Kogge can log in to it there.

        Raises:
            ValueError: it has none, or Kogge cannot.
        """
        refuse_readable("api", api, self.plain_http)
        if not PROFILES[self.profile].http_api:
            names = " or ".join(f'"{name}"' for name, profile in PROFILES.items() if profile.http_api)
            raise ValueError(f"api: only profile = {names} has it")
        if self.auth != "basic":
            raise ValueError('api: its session begins with a password, so it needs auth = "basic"')

    @property
    def limit(self) -> RateLimit | None:
        """Return the server's rate limit; None for none."""
        known = PROFILES[self.profile].rate_limit
        requests = self.rate_limit if self.rate_limit is not None else known.requests if known else 0
        seconds = self.rate_limit_seconds or (known.seconds if known else DEFAULT_WINDOW)
        return RateLimit(requests, seconds) if requests else None

    @property
    def shares(self) -> bool:
        """Return True if people may share their collections with others; asks nothing."""
        return PROFILES[self.profile].shares

    @property
    def counted_as(self) -> str:
        """Return a name for the requests that the server counts together for its rate limit.

        It stands for the server, the User-Agent and, if each machine has its own, the address.
        """
        agent = self.user_agent or PROFILES[self.profile].user_agent
        address = socket.gethostname() if self.own_address else ""
        return "\n".join((str(Origin.of(self.url)), agent, address))

    def user(self, account: Account) -> str:
        """Return the user name for an account, by the template `username`."""
        return filled(self.username, account)
