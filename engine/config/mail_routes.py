"""Describe [mail_routes]: where a proxy sends each person's mail clients, before and after the cutover."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from connectors.endpoints import is_loopback
from connectors.settings import Port, Security, Strict

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


def _host(value: str) -> str:
    if HOST.fullmatch(value):
        return value
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValueError("give a host's name or its IP address, without a port") from None


class MailServer(Strict):
    """Describe a server to which the proxy sends people.

    Attributes:
        host: its name, for which its certificate is made out, or its address.
        port: its port.
        security: "tls" from the first byte, "starttls", or "none" on the proxy's own machine. The proxy
            checks the certificate.
    """

    host: Annotated[str, AfterValidator(_host)]
    port: Port
    security: Security = "tls"

    @model_validator(mode="after")
    def _readable(self) -> MailServer:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError('security = "none" is for a server on the proxy\'s own machine only')
        return self


class MailServers(Strict):
    """Hold the two servers of a protocol.

    Attributes:
        old: where people are until their cutover.
        new: where they are from then on.
    """

    old: MailServer
    new: MailServer

    @model_validator(mode="after")
    def _two(self) -> MailServers:
        if (self.old.host.lower(), self.old.port) == (self.new.host.lower(), self.new.port):
            raise ValueError("old and new are one server")
        return self


class MailRoutesSettings(Strict):
    """Hold the settings of [mail_routes].

    Attributes:
        directory: gets a file for each protocol, which only its owner can read.
        imap: the servers that clients read mail from.
        submission: the servers that clients send mail by.
    """

    directory: Path = Field(default=Path("mail-routes"))
    imap: MailServers | None = None
    submission: MailServers | None = None

    @model_validator(mode="after")
    def _something(self) -> MailRoutesSettings:
        if not list(self.protocols()):
            raise ValueError("give imap, submission or both")
        return self

    def protocols(self) -> Iterator[tuple[str, MailServers]]:
        """Yield each protocol that is routed, by Dovecot's name, with its servers."""
        for name, servers in (("imap", self.imap), ("submission", self.submission)):
            if servers is not None:
                yield name, servers
