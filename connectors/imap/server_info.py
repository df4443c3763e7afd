"""What an IMAP server says about itself and about whose account is open."""

from __future__ import annotations

import hashlib

from connectors.imap.connection import number
from connectors.imap.folders import INBOX, lifelong_id
from connectors.imap.session import Session
from model.protocols import Identity

SHOWN = (
    "MULTIAPPEND",
    "UIDPLUS",
    "LITERAL+",
    "CONDSTORE",
    "QRESYNC",
    "OBJECTID",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "METADATA",
    "QUOTA",
    "ACL",
)


def facts(session: Session) -> dict[str, str]:
    """Short printable values for a preflight. Raises what connecting raises."""
    capabilities = session.capabilities
    found = {"server": session.server_name or "unknown"}
    found["extensions"] = " ".join(name for name in SHOWN if name in capabilities)
    limit = append_limit(session)
    if limit is not None:
        found["append-limit"] = str(limit)
    # RFC 6785: scripts that run when a client appends or flags; a redirect in one would mail people
    sieve = next((name for name in sorted(capabilities) if name.startswith("IMAPSIEVE=")), None)
    found["imapsieve"] = "yes" if sieve else "no"
    found["removes"] = "yes" if "UIDPLUS" in capabilities else "no"
    return found


def append_limit(session: Session) -> int | None:
    """The largest message in bytes (RFC 7889); None when the server names none for all mailboxes."""
    names = (name.partition("=") for name in session.capabilities)
    return next((number(value.encode()) for name, _, value in names if name == "APPENDLIMIT" and value), None)


def identity(session: Session) -> Identity:
    """INBOX's lifelong id where the server has one, else its UIDVALIDITY with the login. Either changes
    when the account is deleted and made anew. The login is hashed: an id may be shown.

    Without an id of its own, a server cannot tell that two logins ("anna", "anna@new.example") open one
    account: engine.identity.identity_gate asks for more there, and INBOX's UIDVALIDITY is its fingerprint."""
    if own := lifelong_id(session, INBOX):
        return Identity("imap", own)
    login = hashlib.blake2b(session.account.login.lower().encode(), digest_size=8).hexdigest()
    valid = session.status(INBOX, "UIDVALIDITY")["UIDVALIDITY"]
    return Identity("imap", f"{valid}-{login}", fingerprint=f"imap:{valid}")
