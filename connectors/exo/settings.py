"""What the section of eXo's agenda in the configuration holds."""

from __future__ import annotations

from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from connectors.endpoints import Header, Template, Url, filled, refuse_readable
from connectors.http.proxy import Networked
from connectors.settings import Account, Secret, Tls

AgendaAuth = Literal["basic", "bearer"]


class AgendaSettings(Networked):
    """The agenda of one eXo Platform. In a person's calendar nobody but that person may write: each account
    needs its own password.

    url       the address people open in the browser
    rest      the path of its REST services below url: "/rest/private" takes HTTP Basic
    zone      whose clock series keep; eXo never tells an event's own, so there is one for all
    username  with {login} and {address} replaced by the account's
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
        if not value.startswith("/") or not value.isascii() or any(one in value for one in " ?#"):
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

    # What connectors.http.client asks of any endpoint, and this one has no choice of.

    @property
    def app_id(self) -> str | None:
        return None

    @property
    def app_version(self) -> str:
        return ""

    @property
    def appapi_version(self) -> str:
        return ""

    @property
    def connections(self) -> int:
        return 1

    def user(self, account: Account) -> str:
        """Who is written as, by username's template."""
        return filled(self.username, account)
