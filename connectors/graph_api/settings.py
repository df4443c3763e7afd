"""Define a Microsoft 365 (Graph) source's section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from connectors.endpoints import Url, refuse_readable
from connectors.http.proxy import Networked
from connectors.settings import Secret, Tls

Base = Annotated[Url, AfterValidator(lambda url: url.rstrip("/"))]


class GraphSettings(Networked):
    """Configure how to reach one Microsoft 365 tenant, app-only.

    Attributes:
        certificate_file: the certificate, and the RSA key unless key_file has it.
        company: a part of the User-Agent, by which Microsoft recognizes well-behaved traffic.
        patience_seconds: how long "busy" is waited out before the mailbox is left for a later pass.
        batch_bytes: the bound of what one fetch holds.
        spool_above: larger bodies go to a file instead of memory.
        page_items: the page size to ask for; the server may give fewer.
    """

    kind: Literal["graph"] = "graph"
    tenant: str = Field(description="the tenant's id or one of its domains")
    client_id: str
    client_secret: Secret | None = None
    certificate_file: str | None = Field(default=None, description="PEM")
    key_file: str | None = Field(default=None, description="PEM, when the key is not in certificate_file")
    key_password: Secret | None = None
    graph_url: Base = "https://graph.microsoft.com/v1.0"
    authority: Base = "https://login.microsoftonline.com"
    scope: str = Field(
        default="https://graph.microsoft.com/.default", description="everything granted to the application"
    )
    plain_http: bool = Field(default=False, description="allow http:// to a host other than this one")
    tls: Tls = Tls()
    company: str = "Kogge"
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 120
    patience_seconds: Annotated[float, Field(ge=0, le=86400)] = 900
    batch_items: Annotated[int, Field(ge=1, le=1000)] = 100
    batch_bytes: Annotated[int, Field(ge=1)] = 10_000_000
    page_items: Annotated[int, Field(ge=1, le=1000)] = 500
    spool_above: Annotated[int, Field(ge=0)] = 4_000_000
    count_versions: bool = Field(
        default=False, description="of each file count the older versions: one more request for each"
    )
    concurrent_requests: Annotated[int, Field(ge=1, le=4)] = 4
    requests_per_10_minutes: Annotated[int, Field(ge=100, le=10_000)] = 10_000

    @field_validator("company")
    @classmethod
    def _is_header(cls, value: str) -> str:
        if not value or "|" in value or not value.isascii() or not value.isprintable():
            raise ValueError('only printable ASCII without "|"')
        return value

    @field_validator("tenant", "client_id")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not value.isascii() or not value.replace("-", "").replace(".", "").replace("_", "").isalnum():
            raise ValueError("only letters, digits, '.', '-' and '_'")
        if value.lower() in {"common", "organizations", "consumers"}:
            raise ValueError("name one tenant")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("graph_url", "authority"):
            refuse_readable(name, getattr(self, name), self.plain_http)
        if (self.client_secret is None) == (self.certificate_file is None):
            raise ValueError("client_secret: give either client_secret or certificate_file")
        if self.certificate_file is None and (self.key_file or self.key_password):
            raise ValueError("key_file: belongs to certificate_file")
        return self
