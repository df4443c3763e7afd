"""Define what the sections of all servers share that open a mailbox by a login: IMAP and ManageSieve."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from connectors.endpoints import is_loopback
from connectors.server_settings import ServerSettings, is_personal
from connectors.settings import Port, Secret, Security, Tls

Auth = Literal["password", "master-user", "plain-authzid", "xoauth2"]


class LoginSettings(ServerSettings):
    """Configure a server that opens one mailbox for each login.

    Attributes:
        username: the master user, for auth = "master-user" and "plain-authzid".
        password: of the user, or of the master user; for "xoauth2" the access token.
        timeout_seconds: the longest wait for the socket.
    """

    host: str
    port: Port
    security: Security = "tls"
    tls: Tls = Tls()
    auth: Auth = "password"
    username: str | None = None
    password: Secret
    master_separator: str = Field(default="*", min_length=1, max_length=1)
    timeout_seconds: float = Field(default=60.0, gt=0)

    @property
    def is_shared(self) -> bool:
        """True for a master user; a user's own login opens one mailbox, whoever has its password."""
        return self.auth != "password" and not is_personal(self.password)

    @model_validator(mode="after")
    def _reachable(self) -> LoginSettings:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError('security = "none" is for a server on this very machine only')
        if self.auth in ("master-user", "plain-authzid") and not self.username:
            raise ValueError(f'auth = "{self.auth}" needs username: the master user')
        return self
