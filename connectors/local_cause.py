"""Explain why no connection was made, in the words of this machine: OpenSSL's and the operating system's.

Nothing that a server sent is included: no certificate's texts, no greeting, no answer.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterable

EXPIRED, NOT_YET = 10, 9
UNKNOWN = frozenset({2, 18, 19, 20, 21})
UNUSABLE = frozenset({24, 32, 79, 85, 86, 89, 90, 91, 92, 93, 94, 95})
NAMES = frozenset({62, 64})
"""Numbers of X509_V_ERR_* (OpenSSL, x509_vfy.h): for unknown authorities, for authorities that may not sign,
for names."""

NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"})


def local_cause(errors: Iterable[BaseException], host: str, port: int | None) -> str:
    """Return what went wrong where, and what to do.

    An example: "mail.example.org:143: the port does not speak TLS ...".

    Args:
        errors: the exception and what it wraps; the first with an explanation counts.
        host: the server.
        port: its port; None when unknown.
    """
    where = f"{host}:{port}" if port else host
    explanation = next((text for error in errors if (text := _explanation(error))), "")
    return f"{where}: {explanation}" if explanation else where


def local_word(errors: Iterable[BaseException]) -> str:
    """Return the cause as one fixed word without host and port, which may be shown; "" when unknown."""
    return next((word for error in errors if (word := _word(error))), "")


def _word(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error.verify_code)
    if isinstance(error, ssl.SSLError):
        return "no-tls-on-port" if error.reason in NO_TLS else ""
    if isinstance(error, socket.gaierror):
        return "name-not-known"
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "")
    return ""


def _of_certificate(code: int) -> str:
    if code in UNKNOWN:
        return "unknown-authority"
    if code in NAMES:
        return "certificate-of-another-name"
    if code in (EXPIRED, NOT_YET):
        return "certificate-expired"
    return "unusable-authority" if code in UNUSABLE else "certificate-refused"


def _explanation(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error.verify_code)
    if isinstance(error, ssl.SSLError):
        return _handshake(error.reason or "")
    if isinstance(error, socket.gaierror):
        return "the name is not known here (name resolution)"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return ""


def _certificate(code: int) -> str:
    if code in UNKNOWN:
        return "no authority known here signed the certificate; set tls.ca_file to the one that did"
    if code in NAMES:
        return "the certificate is for other names; give the host as the certificate has it"
    if code in (EXPIRED, NOT_YET):
        return "the certificate has expired, or is not valid yet; renew it, and look at this machine's clock"
    if code in UNUSABLE:
        return f"the authority in tls.ca_file is made so that it may sign nothing (OpenSSL: {code}); renew it"
    return f"the certificate is refused (OpenSSL: {code})"


def _handshake(reason: str) -> str:
    if reason in NO_TLS:
        return 'the port does not speak TLS; give another port, or for IMAP security = "starttls"'
    return f"OpenSSL: {reason.lower().replace('_', ' ')}" if reason.isascii() and reason else ""
