"""Define a CalDAV or CardDAV server's section of the configuration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.caldav.products import PROFILES, ProfileName
from connectors.endpoints import Header, Template, Url, filled, refuse_readable
from connectors.http.proxy import Networked
from connectors.settings import Account, Secret, Tls

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

    def user(self, account: Account) -> str:
        """Return the user name for an account, by the template `username`."""
        return filled(self.username, account)
