"""Read what an IMAP server says about itself, about the owner of the account, and about other readers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from connectors.imap.folders import INBOX, lifelong_id
from connectors.imap.session import Session
from connectors.imap.wire.connection import Parts, named_in, number, quoted, tokens
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
SHOWING = frozenset(b"lra")
"""Rights with which somebody sees a folder, reads it, or gives rights. Source: RFC 4314, section 2.1."""
AT_ONCE = 40
"""Folders whose rights are asked for before the first answer is read: they fit into any socket's buffers."""


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


def open_to_others(session: Session, names: Sequence[bytes]) -> dict[bytes, bool | None]:
    """Return by folder whether somebody beside its owner may see or read it; {} from a server without ACL.

    Who that is leaves this file for nobody. Administrators who are named in the settings do not count, and
    neither do rights that are taken away from somebody ("-bert").

    Args:
        session: the session of the account.
        names: the encoded names of the folders.

    Returns:
        None for a folder whose rights the server does not tell.

    Source:
        RFC 4314, sections 3.3 (GETACL) and 3.6 (ACL).
    """
    found: dict[bytes, bool | None] = {}
    if not session.has("ACL"):
        return found
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        session.ask_ahead([_getacl(name) for name in some])
        found |= {name: _is_open(session, name) for name in some}
    return found


def _getacl(name: bytes) -> bytes:
    return b"GETACL " + quoted(name)


def _is_open(session: Session, name: bytes) -> bool | None:
    wanted = INBOX if name.upper() == INBOX else name
    rights: dict[str, frozenset[int]] = {}

    def note(parts: Parts) -> None:
        if parts[0][2:6].upper() == b"ACL " and named_in(parts) == wanted:
            texts = [one if isinstance(one, bytes) else b"" for one in tokens(parts)[2:]]
            for who, what in zip(texts[::2], texts[1::2], strict=False):
                rights[who.decode("utf-8", "replace").lower()] = frozenset(what)

    if not session.run(_getacl(name), note).ok or not rights:
        return None
    given = {who: what for who, what in rights.items() if not who.startswith("-")}
    own = {who for who in given if _is_owner(session, who)} or _only_administrator(given)
    trusted = {one.lower() for one in session.settings.administrators}
    return any(what & SHOWING for who, what in given.items() if who not in own | trusted)


def _is_owner(session: Session, who: str) -> bool:
    """Return True if an identifier is the open account's, or the one of the user that opens it.

    A server may leave out a domain, or add its own.
    """
    login = session.account.login.lower()
    known = {login, session.account.address.lower(), (session.settings.username or "").lower()}
    is_short = "@" in login + who and not ("@" in login and "@" in who)
    return who in known or (is_short and who.partition("@")[0] == login.partition("@")[0])


def _only_administrator(given: dict[str, frozenset[int]]) -> set[str]:
    """Return whoever alone may give rights: the owner, where the server has another name for the login.

    Every server lists the owner among those who have rights.
    """
    may = {who for who, what in given.items() if ord("a") in what}
    return may if len(may) == 1 else set()
