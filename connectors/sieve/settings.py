"""Define a ManageSieve server's section of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connectors.imap.login_settings import LoginSettings
from connectors.settings import Port, Security

DialectName = Literal["plain", "roundcube", "open-xchange", "nextcloud-mail"]


class SieveSettings(LoginSettings):
    """Configure one ManageSieve server."""

    kind: Literal["managesieve"] = "managesieve"
    port: Port = 4190
    security: Security = "starttls"
    dialect: DialectName = Field(
        default="plain", description="whose rules people see and change: the web client that they use"
    )
