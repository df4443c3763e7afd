"""Define the section of the configuration for the server that mails are handed to."""

from __future__ import annotations

from pydantic import Field, model_validator

from connectors.endpoints import is_loopback
from connectors.settings import Port, Secret, Security, Strict, Tls


class SmtpSettings(Strict):
    """Configure the server that takes mails and sends them on.

    Attributes:
        host: its name.
        port: its port; 587 for submission, 465 with security = "tls", 25 for a relay.
        security: "starttls", "tls" from the first byte, or "none" on this very machine.
        tls: how the server's certificate is verified.
        username: the login; None for a relay that asks for none.
        password: of the login.
        timeout_seconds: the longest wait for the socket.
        per_minute: how many mails it is given in a minute at most.
    """

    host: str
    port: Port = 587
    security: Security = "starttls"
    tls: Tls = Tls()
    username: str | None = Field(default=None, min_length=1)
    password: Secret | None = None
    timeout_seconds: float = Field(default=60.0, gt=0)
    per_minute: int = Field(default=120, ge=1, le=100_000)

    @model_validator(mode="after")
    def _usable(self) -> SmtpSettings:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError('security = "none" is for a server on this very machine only')
        if (self.username is None) != (self.password is None):
            raise ValueError("give both username and password, or neither")
        return self
