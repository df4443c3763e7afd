"""Say in our own words why PostgreSQL was not reached, and what to do. A server's words are not repeated."""

from __future__ import annotations

from collections.abc import Collection

UNVERIFIED = "certificate verify failed"
"""What libpq says of every certificate that OpenSSL does not trust, whatever the reason."""

_ADVICE = "; see tls.ca_file in [ledger], or set plain = true in a network that nobody else can reach"
_EXPIRED = (
    "its server's certificate has expired or is not valid yet: renew it, or set the clock of one of both"
)
_UNKNOWN = (
    "its server's certificate is of no authority that is trusted here, or an intermediate one is missing:"
    " name the authority's file"
)
_WRONG_USE = "its server's certificate, or its authority's, may not be used for a server"
_CERTIFICATES = {9: _EXPIRED, 10: _EXPIRED, 24: _WRONG_USE, 26: _WRONG_USE, 32: _WRONG_USE, 79: _WRONG_USE}
"""By OpenSSL's X509_V_ERR numbers (x509_vfy.h)."""
_REFUSALS = (
    ("does not match host name", f"its server's certificate names another host than the url{_ADVICE}"),
    (
        "authentication method requirement",
        "its server asks for the password in another way than scram-sha-256, and did not get it",
    ),
    ("does not support SSL", f"its server offers no TLS{_ADVICE}"),
    ("root certificate", f"the file of its server's authority cannot be read{_ADVICE}"),
    ("SSL error", f"its server offers no TLS that can be used, or its certificate is not trusted{_ADVICE}"),
    ("certificate", f"its server's certificate is not trusted{_ADVICE}"),
    ("password authentication failed", "its server refused the user or the password of the url"),
    ("no password supplied", "its server asks for a password: give it in [ledger] password"),
    ("no pg_hba.conf entry", "its server's pg_hba.conf admits no such connection: add a line hostssl for it"),
    ("is not permitted to log in", "its server does not let the user of the url log in"),
)
_PASSING = ("SSL SYSCALL", "unexpected eof")
"""What is said of a connection that ended while TLS began: a server that stops or starts does so, too."""
_FULL = ("too many clients", "remaining connection slots", "too many connections")
_SILENCE = {
    "ConnectionTimeout": "the ledger's database gave no connection within connect_seconds of [ledger]",
    "QueryCanceled": "the ledger's database took longer for a statement than statement_seconds of [ledger]",
    "LockNotAvailable": "another program keeps locked what a statement needs",
    "IdleInTransactionSessionTimeout": "this process stood still for longer than idle_seconds of [ledger]",
}
"""By the names of psycopg's errors."""
_MISSING = (
    "FATAL",
    "does not exist",
    "its server does not have the database or the user of the url: create it",
)


def name_of(verify_code: int) -> str:
    """Return what to do about a certificate that is not trusted.

    Args:
        verify_code: OpenSSL's number; 0 if it is not known.
    """
    return f"{_CERTIFICATES.get(verify_code, _UNKNOWN)}{_ADVICE}"


def refused(text: str) -> str | None:
    """Return what to do about a server that was not trusted, or refuses the login; None for another error."""
    if any(words in text for words in _PASSING):
        return None
    for words, advice in _REFUSALS:
        if words in text:
            return advice
    severity, words, advice = _MISSING
    return advice if severity in text and words in text else None


def silence(kinds: Collection[str], text: str) -> str:
    """Return what is known of a database that gave no answer.

    Args:
        kinds: the names of the error's classes.
        text: what libpq or the server said.
    """
    if any(words in text for words in _FULL):
        return "the ledger's database has no connection left: raise its max_connections, or use fewer workers"
    known = (sentence for name, sentence in _SILENCE.items() if name in kinds)
    return next(known, "the ledger's database did not answer")
