"""Translate faults of an HTTP request without an answer, and read how long a server asks to wait."""

from __future__ import annotations

import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3

from connectors.local_cause import local_cause, local_word
from model.errors import Blocked, MigrationError, Transient

LONGEST_DELAY = 86_400.0

PROXY_REFUSES = "Tunnel connection failed: 407"
"""How http.client, and urllib3 with it, reports a proxy that wants another login (RFC 9110, 15.5.8)."""

_CONNECTING = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
)
_SLOW = (urllib3.exceptions.ReadTimeoutError, TimeoutError)


def network_error(error: Exception, url: str = "") -> MigrationError:
    """Return the error for an exception of urllib3, ssl or a socket, also inside one of requests.

    Args:
        error: the exception.
        url: what was requested; "" when unknown. It serves to find a local cause.

    Returns:
        Blocked("tls-failed"), Blocked("proxy-refused"), or Transient: connection-cut, unreachable, timeout.
    """
    chain = _causes(error)
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return (
        _kind(chain).with_local_cause(local_cause(chain, parts.hostname or "", port)).about(local_word(chain))
    )


def _kind(chain: list[BaseException]) -> MigrationError:
    """Choose the error by the exceptions of the chain."""
    if any(isinstance(cause, OSError) and str(cause).startswith(PROXY_REFUSES) for cause in chain):
        return Blocked("proxy-refused", "the proxy asks for another login: see [network]")
    if any(isinstance(cause, ssl.SSLCertVerificationError | ssl.CertificateError) for cause in chain):
        return Blocked("tls-failed", "the server's certificate is not trusted: set tls.ca_file")
    if any(isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError) for cause in chain):
        return Transient("connection-cut", "the connection ended early")
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return Blocked("tls-failed", "no TLS connection could be made")
    if any(isinstance(cause, _CONNECTING) for cause in chain):
        return Transient("unreachable", "no connection to the server")
    if any(isinstance(cause, _SLOW) for cause in chain):
        return Transient("timeout", "the server did not answer in time")
    return Transient("connection-cut", "the connection ended early")


def delay(retry_after: str | None) -> float | None:
    """Return Retry-After in seconds, at most a day; None when it is missing or malformed.

    Args:
        retry_after: the header: seconds or an HTTP date.

    Source:
        RFC 9110, section 10.2.3.
    """
    value = (retry_after or "").strip()
    if value.isascii() and value.isdigit() and len(value) < 8:
        return min(float(value), LONGEST_DELAY)
    try:
        return min(max(0.0, parsedate_to_datetime(value).timestamp() - time.time()), LONGEST_DELAY)
    except (ValueError, OverflowError):
        return None


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and every exception that it wraps, each once."""
    causes: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(causes) < 20:
        current = todo.pop()
        if isinstance(current, BaseException) and current not in causes:
            causes.append(current)
            todo += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    return causes
