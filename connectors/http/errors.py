"""What may befall an HTTP request before there is an answer, and how long a server asks to wait."""

from __future__ import annotations

import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from connectors.local_cause import local_cause, local_word
from model.errors import Blocked, MigrationError, Transient

LONGEST_DELAY = 86_400.0

_CONNECTING = (
    requests.ConnectTimeout,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
)
_SLOW = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)


def network_error(error: Exception, url: str = "") -> MigrationError:
    """The translation of whatever requests, urllib3, ssl or a socket raised. url: what was asked."""
    chain = _causes(error)
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return _kind(chain).found(local_cause(chain, parts.hostname or "", port)).about(local_word(chain))


def _kind(chain: list[BaseException]) -> MigrationError:
    if any(isinstance(one, ssl.SSLCertVerificationError | ssl.CertificateError) for one in chain):
        return Blocked("tls-failed", "the server's certificate is not trusted: set tls.ca_file")
    if any(isinstance(one, ssl.SSLEOFError | ssl.SSLZeroReturnError) for one in chain):
        return Transient("connection-cut", "the connection ended early")
    if any(isinstance(one, ssl.SSLError) for one in chain):
        return Blocked("tls-failed", "no TLS connection could be made")
    if any(isinstance(one, _CONNECTING) for one in chain):
        return Transient("unreachable", "no connection to the server")
    if any(isinstance(one, _SLOW) for one in chain):
        return Transient("timeout", "the server did not answer in time")
    return Transient("connection-cut", "the connection ended early")


def delay(retry_after: str | None) -> float | None:
    """Retry-After in seconds, given as such or as an HTTP date (RFC 9110, 10.2.3); at most a day."""
    value = (retry_after or "").strip()
    if value.isascii() and value.isdigit() and len(value) < 8:
        return min(float(value), LONGEST_DELAY)
    try:
        return min(max(0.0, parsedate_to_datetime(value).timestamp() - time.time()), LONGEST_DELAY)
    except (ValueError, OverflowError):
        return None


def _causes(error: BaseException) -> list[BaseException]:
    """error and everything it wraps, each once."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 20:
        one = todo.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found
