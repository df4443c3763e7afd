"""Define eXo's agenda in the configuration."""

from __future__ import annotations

from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from connectors.endpoints import Header, Template, Url, filled, refuse_readable
from connectors.http.proxy import Networked
from connectors.settings import Account, Secret, Tls

AgendaAuth = Literal["basic", "bearer"]


class AgendaSettings(Networked):
    """Configure the agenda of one eXo Platform.

    Only the owner may write into a personal calendar, so each account needs its own password.

    Attributes:
        url: the address that people open in the browser.
        rest: the path of its REST services below url; "/rest/private" takes HTTP Basic.
        zone: the zone of series; eXo never states an event's own zone, so there is one for all.
        username: {login} and {address} are replaced by the account's.
    """

    kind: Literal["exo-agenda"]
    url: Url
    rest: str = "/rest/private"
    zone: str = "Europe/Berlin"
    auth: AgendaAuth = "basic"
    username: Template = "{login}"
    password: Secret
    tls: Tls = Tls()
    plain_http: bool = Field(default=False, description="allow http:// to a host other than this one")
    user_agent: Header | None = Field(default=None, description="instead of Kogge's")
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    patience_seconds: float = Field(default=120.0, ge=0, description="how long busy answers are waited out")
    batch_items: int = Field(default=50, ge=1, le=1000)
    batch_bytes: int = Field(default=10_000_000, ge=100_000)
    artefacts: tuple[str, ...] = Field(
        default=(), description="beginnings of the titles of what a new account holds"
    )

    @field_validator("rest")
    @classmethod
    def _is_path(cls, value: str) -> str:
        """Check `rest`."""
        if not value.startswith("/") or not value.isascii() or any(character in value for character in " ?#"):
            raise ValueError("not a path: it starts with /")
        return value.rstrip("/")

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("not a time zone of the IANA database") from None
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse_readable("url", self.url, self.plain_http)
        return self

    # Properties that connectors.http.client needs of any endpoint, and that are fixed here.

    @property
    def app_id(self) -> str | None:
        """Return None: eXo knows no applications."""
        return None

    @property
    def app_version(self) -> str:
        """Return ""."""
        return ""

    @property
    def appapi_version(self) -> str:
        """Return ""."""
        return ""

    @property
    def connections(self) -> int:
        """Return 1."""
        return 1

    def user(self, account: Account) -> str:
        """Return the user name for an account, by the template `username`."""
        return filled(self.username, account)
