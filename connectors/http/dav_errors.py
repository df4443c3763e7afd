"""Translate the statuses of a DAV server into one error class per reaction. Its text never leaves here."""

from __future__ import annotations

from connectors.http.errors import delay
from model.errors import Blocked, MigrationError, Rejected, Transient

BUSY = frozenset({408, 423, 425, 429, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NEVER = frozenset({501, 505})
GONE = frozenset({404, 410})
ASK_FOR = (
    "nothing answers as a DAV account: correct url, or ask the host for DAV access "
    "(Open-Xchange: token exchange, app passwords, or what a secret command needs)"
)


def no_access() -> Blocked:
    """Return the error for a server without a DAV account for this user."""
    return Blocked("no-dav-access", ASK_FOR)


def closed() -> Transient:
    """Return the error after close()."""
    return Transient("connection-closed", "closed from our side")


def status_error(status: int, retry_after: str | None = None) -> MigrationError:
    """Return the error for a status that has no special meaning for the caller.

    Args:
        status: the HTTP status.
        retry_after: the header Retry-After; None without one.

    Returns:
        Transient: busy, server-error. Blocked: login-refused, no-permission, over-quota,
        redirected-elsewhere, container-missing, server-refuses.

    Source:
        RFC 9110, section 15; RFC 4918, section 11 (423, 507); RFC 6585, section 4 (429).
    """
    return _status_error(status, retry_after).about(f"HTTP {status}")


def _status_error(status: int, retry_after: str | None) -> MigrationError:
    if status in BUSY:
        return Transient("busy", f"the server answered HTTP {status}", after=delay(retry_after))
    if status == 401:
        return Blocked("login-refused", "the server refuses the login; it was not tried again")
    if status == 403:
        return Blocked("no-permission", "the server forbids this to the account")
    if status == 507:
        return Blocked("over-quota", "the account has no more room")
    if status in REDIRECTS:
        return Blocked("redirected-elsewhere", "the server sends us to another address: set url to it")
    if status >= 500 and status not in NEVER:
        return Transient("server-error", f"the server answered HTTP {status}", after=delay(retry_after))
    if status in GONE:
        return Blocked("container-missing", "a collection is no longer there")
    return Blocked("server-refuses", f"the server answered HTTP {status}")


def item_error(status: int) -> Rejected:
    """Return the error for one object that the server does not take: too-large or refused-by-target."""
    if status == 413:
        return Rejected("too-large", "larger than the server takes").about("HTTP 413")
    return Rejected("refused-by-target", f"the server answered HTTP {status}").about(f"HTTP {status}")
