"""Define an Exchange (EWS) source's section of the configuration."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from connectors.endpoints import Header, Url, refuse_readable
from connectors.http.proxy import Networked
from connectors.server_settings import is_personal
from connectors.settings import Secret, Tls

ONLINE = "Exchange Online"
"""What the service says that it is."""
CLOUD_HOSTS = frozenset(
    {
        "outlook.office365.com",
        "outlook.office.com",
        "outlook.office365.us",
        "outlook-dod.office365.us",
        "partner.outlook.cn",
    }
)
SYNC_MOST = 512  # SyncFolderItems returns at most 512 changes a call


class EwsSettings(Networked):
    """Configure how to reach and read one Exchange server over EWS.

    Attributes:
        username: the login to authenticate with; defaults to the account's. A service account with
            impersonation names itself here.
        token_url: the token endpoint, where it is not that of the tenant in Microsoft's public cloud. The
            assertion of a certificate is signed for AD FS if the path begins with /adfs, else for Entra.
        certificate_file: the certificate and its RSA key, without a password.
        patience_seconds: how long "busy" is waited out before the mailbox is left for a later pass.
        batch_bytes: the bound of one GetItem reply.
        spool_above: larger bodies go to a file instead of memory.
    """

    kind: Literal["ews"] = "ews"
    url: Url = Field(description="https://mail.example.org/EWS/Exchange.asmx")
    auth: Literal["basic", "ntlm", "oauth2", "kerberos"] = "basic"
    username: str | None = None
    password: Secret | None = None
    tenant: str | None = None
    token_url: Url | None = None
    scope: str = "https://outlook.office365.com/.default"
    client_id: str | None = None
    client_secret: Secret | None = None
    certificate_file: str | None = Field(default=None, description="PEM: private key and certificate")
    impersonation: bool = True
    plain_http: bool = Field(default=False, description="allow http:// to a host other than this one")
    tls: Tls = Tls()
    user_agent: Header = "Kogge"
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 120
    patience_seconds: Annotated[float, Field(ge=0, le=86400)] = 300
    batch_items: Annotated[int, Field(ge=1, le=1000)] = 100
    batch_bytes: Annotated[int, Field(ge=1)] = 10_000_000
    sync_items: Annotated[int, Field(ge=1, le=SYNC_MOST)] = SYNC_MOST
    spool_above: Annotated[int, Field(ge=0)] = 4_000_000

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("url", "token_url"):
            value = getattr(self, name)
            if value:
                refuse_readable(name, value, self.plain_http)
        if self.auth in {"basic", "ntlm"} and self.password is None:
            raise ValueError(f"password: needed for auth = {self.auth!r}")
        if self.auth == "oauth2":
            self._oauth2_complete()
        return self

    def _oauth2_complete(self) -> None:
        if not self.client_id:
            raise ValueError("client_id: needed for auth = 'oauth2'")
        if not self.tenant and not self.token_url:
            raise ValueError("tenant: needed for auth = 'oauth2' (or token_url)")
        if (self.client_secret is None) == (self.certificate_file is None):
            raise ValueError("client_secret: give either client_secret or certificate_file")

    @property
    def is_shared(self) -> bool:
        """True for a service account; a person's own secret opens one mailbox."""
        is_service = self.username is not None or self.auth in ("oauth2", "kerberos")
        return is_service and not any(map(is_personal, (self.password, self.client_secret)))

    def advice(self, products: Collection[str]) -> tuple[str, ...]:
        """Return "ews-ends" for Exchange Online, which closes EWS."""
        return ("ews-ends",) if self.in_cloud or ONLINE in products else ()

    @property
    def in_cloud(self) -> bool:
        """Return True if the address is Exchange Online's."""
        return urlsplit(self.url).hostname in CLOUD_HOSTS

    def token_endpoint(self) -> str:
        """Return the URL that issues OAuth2 tokens."""
        return self.token_url or f"https://login.microsoftonline.com/{self.tenant}/oauth2/v2.0/token"
