"""Describe [ledger]: where the ledger is kept, and to whom it is sent."""

from __future__ import annotations

import os
from ipaddress import ip_address

from pydantic import Field, field_validator

from connectors.settings import Secret, Strict, Tls
from ledger.db.limits import CONNECT_SECONDS, IDLE_SECONDS, STATEMENT_SECONDS

TRUST = ("sslmode", "sslrootcert", "require_auth", "gssencmode", "hostaddr")
"""Parts of a PostgreSQL address that decide to whom the ledger is sent."""


class Reader(Strict):
    """Hold the settings of [ledger.reader]: a role of the database that may read alone.

    Attributes:
        user: its name.
        password: its own.
    """

    user: str = Field(min_length=1)
    password: Secret | None = None


class LedgerSettings(Strict):
    """Hold the settings of [ledger].

    Attributes:
        url: sqlite:///FILE, or postgresql+psycopg://user@host/name. A server on another machine is reached
            over TLS, and its certificate is verified.
        password: the password of the database user.
        reader: the database user of `kogge metrics`, if that is another one.
        tls: how the server's certificate is verified.
        plain: True to connect without TLS, in a network that no one else can reach.
        connect_seconds: how long a connection to the database server may take.
        statement_seconds: how long one statement may take. Reports, exports and seals have an hour, and an
            upgrade has no limit.
        idle_seconds: after how long the server ends a transaction in which this side does nothing, so that a
            process that stands still holds nothing that others need.
    """

    url: str = "sqlite:///kogge-state/ledger.db"
    password: Secret | None = None
    reader: Reader | None = None
    tls: Tls = Tls()
    plain: bool = False
    connect_seconds: int = Field(default=CONNECT_SECONDS, ge=2, le=600)
    statement_seconds: int = Field(default=STATEMENT_SECONDS, ge=1, le=86_400)
    idle_seconds: int = Field(default=IDLE_SECONDS, ge=1, le=86_400)

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("give sqlite:///FILE or postgresql+psycopg://user@host/name")
        user = rest.partition("/")[0].rpartition("@")[0]
        if ":" in user:
            raise ValueError('keep the password out of the url: password = { env = "NAME" }')
        options = {part.partition("=")[0] for part in rest.partition("?")[2].split("&")}
        if options.intersection(TRUST):
            raise ValueError("TLS is no part of the url: say tls.ca_file, or plain = true, in [ledger]")
        return url

    @property
    def is_remote(self) -> bool:
        """True if a connection to the database server leaves this machine."""
        from sqlalchemy import make_url

        url = make_url(self.url)
        stated = url.query.get("host") or url.host or os.environ.get("PGHOST", "")
        hosts = [stated] if isinstance(stated, str) else list(stated)
        return not all(_is_here(host) for some in hosts for host in some.split(","))

    def address(self, *, reads: bool = False) -> str:
        """Return the URL of a database server with the password. Never log it.

        It contains what the server must prove before it gets the password.

        Args:
            reads: True for the role of the reader, if there is one.
        """
        from sqlalchemy import make_url

        reader = self.reader if reads else None
        password = reader.password if reader else self.password
        demands = {
            "require_auth": "scram-sha-256" if password else "!password,!md5",
            "connect_timeout": str(self.connect_seconds),
            "statement_seconds": str(self.statement_seconds),
            "idle_seconds": str(self.idle_seconds),
        }
        if self.is_remote and not self.plain:
            # Without gssencmode = disable, any Kerberos ticket would replace the certificate check.
            trust = self.tls.ca_file or "system"
            demands |= {"sslmode": "verify-full", "sslrootcert": trust, "gssencmode": "disable"}
        url = make_url(self.url).update_query_dict(demands)
        if reader is not None:
            url = url.set(username=reader.user)
        if password is not None:
            url = url.set(password=password.read().get_secret_value())
        return url.render_as_string(hide_password=False)


def _is_here(host: str) -> bool:
    """Return True if a host of a PostgreSQL address is this machine: a folder with a socket, or loopback."""
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    if name == "" or name.startswith(("/", "@")) or name.lower() == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
