"""Define what settings of servers have in common: addresses, headers, and templates with account names."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from connectors.settings import Account

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def is_loopback(host: str) -> bool:
    """Return True for localhost and loopback addresses; a name is not resolved."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_readable(field: str, url: str, plain_http: bool) -> None:
    """Check that credentials do not go unencrypted to another machine.

    Args:
        field: the name of the field, for the error.
        url: the address.
        plain_http: True if the operator allows http.

    Raises:
        ValueError: the address uses http without permission.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and not plain_http and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{field}: use https; http would send the credentials readable")


def filled(template: str, account: Account) -> str:
    """Return a template with {login} and {address} replaced by the account's."""
    return template.replace("{login}", account.login).replace("{address}", account.address)


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises on a port that is not one
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not a URL: it starts with https:// and names a host")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong in a URL")
    if parts.query or parts.fragment:
        raise ValueError("neither query nor fragment belongs in it")
    return value


def _header(value: str) -> str:
    if not (value and value.isascii() and value.isprintable()):
        raise ValueError("only printable ASCII")
    return value


def _template(value: str) -> str:
    if set(PLACEHOLDER.findall(value)) - {"login", "address"}:
        raise ValueError("only {login} and {address} are replaced")
    return value


Url = Annotated[str, AfterValidator(_url)]
Header = Annotated[str, AfterValidator(_header)]
Template = Annotated[str, AfterValidator(_template)]
"""Text in which {login} and {address} are replaced by the account's; any other name in braces is an error."""
