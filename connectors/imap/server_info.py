"""Read what an IMAP server says about itself, and about the owner of the account."""

from __future__ import annotations

import hashlib

from connectors.imap.folders import INBOX, lifelong_id
from connectors.imap.session import Session
from connectors.imap.wire.connection import number
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
    """Return short printable values for a preflight.

    Raises:
        Blocked, Transient, Misconfigured: the connection cannot be made.
    """
    capabilities = session.capabilities
    values = {"server": session.server_name or "unknown"}
    values["extensions"] = " ".join(name for name in SHOWN if name in capabilities)
    limit = append_limit(session)
    if limit is not None:
        values["append-limit"] = str(limit)
    # RFC 6785: scripts that run when a client appends or flags; a redirect in one would mail people
    sieve = next((name for name in sorted(capabilities) if name.startswith("IMAPSIEVE=")), None)
    values["imapsieve"] = "yes" if sieve else "no"
    values["removes"] = "yes" if "UIDPLUS" in capabilities else "no"
    return values


def append_limit(session: Session) -> int | None:
    """Return the largest message in bytes; None when the server names no limit for all mailboxes.

    Source:
        RFC 7889 (APPENDLIMIT).
    """
    names = (name.partition("=") for name in session.capabilities)
    return next((number(value.encode()) for name, _, value in names if name == "APPENDLIMIT" and value), None)


def identity(session: Session) -> Identity:
    """Return who owns the account: INBOX's lifelong id, else its UIDVALIDITY with the login.

    Both change when the account is deleted and created again. The login is hashed, because an id may be
    shown. A server without an id of its own cannot tell that two logins ("anna", "anna@new.example") open one
    account: `engine.identity.identity_gate` asks for more there, and INBOX's UIDVALIDITY is the fingerprint.
    """
    if own := lifelong_id(session, INBOX):
        return Identity("imap", own)
    login = hashlib.blake2b(session.account.login.lower().encode(), digest_size=8).hexdigest()
    valid = session.status(INBOX, "UIDVALIDITY")["UIDVALIDITY"]
    return Identity("imap", f"{valid}-{login}", fingerprint=f"imap:{valid}")
