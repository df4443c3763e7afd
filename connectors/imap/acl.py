"""Read and change who has rights to the folders of an account.

Source:
    RFC 4314 (ACL); letters in section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from connectors.imap.folders import INBOX, encoded
from connectors.imap.session import Session, raise_for
from connectors.imap.wire.connection import Parts, named_in, quoted, tokens

SHOWING = frozenset("lra")
"""Letters with which somebody sees a folder, reads it, or gives rights."""
OBSOLETE = frozenset("cd")
"""Letters of RFC 2086 that a server adds for old clients: each stands for others (RFC 4314, 2.1.1)."""
AT_ONCE = 40
"""Folders whose rights are asked for before the first answer is read: they fit into any socket's buffers."""

Acl = Mapping[str, frozenset[str]]
"""Letters by identifier, as the server spells it. An identifier that begins with "-" takes letters away."""


def acls(session: Session, names: Sequence[bytes]) -> Iterator[tuple[bytes, Acl | None]]:
    """Yield the rights to each of these folders, in their order. Idempotent.

    Args:
        session: the session of the account.
        names: the encoded names of the folders.

    Yields:
        None for a folder whose rights the server does not tell.
    """
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        session.ask_ahead([_getacl(name) for name in some])
        for name in some:
            yield name, _acl(session, name)


def _getacl(name: bytes) -> bytes:
    return b"GETACL " + quoted(name)


def _acl(session: Session, name: bytes) -> Acl | None:
    wanted = INBOX if name.upper() == INBOX else name
    rights: dict[str, frozenset[str]] = {}

    def note(parts: Parts) -> None:
        if parts[0][2:6].upper() == b"ACL " and named_in(parts) == wanted:
            texts = [one if isinstance(one, bytes) else b"" for one in tokens(parts)[2:]]
            for who, what in zip(texts[::2], texts[1::2], strict=False):
                rights[who.decode("utf-8", "replace")] = frozenset(what.decode("latin-1"))

    return rights if session.run(_getacl(name), note).ok and rights else None


def open_to_others(session: Session, names: Sequence[bytes]) -> dict[bytes, bool | None]:
    """Return by folder whether somebody beside its owner may see or read it; {} from a server without ACL.

    Who that is leaves this file for nobody. Administrators who are named in the settings do not count, and
    neither do rights that are taken away from somebody ("-bert").

    Args:
        session: the session of the account.
        names: the encoded names of the folders.

    Returns:
        None for a folder whose rights the server does not tell.
    """
    if not session.has("ACL"):
        return {}
    return {name: None if acl is None else _is_open(session, acl) for name, acl in acls(session, names)}


def _is_open(session: Session, acl: Acl) -> bool:
    given = {who: what for who, what in acl.items() if not who.startswith("-")}
    own = {who for who in given if _is_owner(session, who)} or _only_administrator(given)
    return any(what & SHOWING for who, what in given.items() if who not in own | _trusted(session, given))


def _trusted(session: Session, acl: Acl) -> set[str]:
    administrators = {one.lower() for one in session.settings.administrators}
    return {who for who in acl if who.lower() in administrators}


def owner_name(session: Session) -> str:
    """Return what the server calls the owner of the account in its ACLs; the login if it does not tell."""
    ((_, acl),) = acls(session, [INBOX])
    own = {who for who in acl or {} if _is_account(session, who)} or _only_administrator(acl or {})
    return own.pop() if len(own) == 1 else session.account.login


def others(session: Session, acl: Acl, owner: str) -> list[str]:
    """Return the identifiers that are neither the owner's nor an administrator's.

    Args:
        session: the session of the account.
        acl: of one folder.
        owner: what `owner_name` returned.
    """
    left_out = {owner.lower(), (session.settings.username or "").lower()}
    trusted = _trusted(session, acl)
    return [who for who in acl if who.lower() not in left_out and who not in trusted]


def _is_owner(session: Session, who: str) -> bool:
    """Return True if an identifier is the open account's, or the one of the user that opens it."""
    return _is_account(session, who) or who.lower() == (session.settings.username or "").lower()


def _is_account(session: Session, who: str) -> bool:
    """Return True if an identifier is the open account's. A server may leave out a domain, or add its own."""
    who, login = who.lower(), session.account.login.lower()
    is_short = "@" in login + who and not ("@" in login and "@" in who)
    same = is_short and who.partition("@")[0] == login.partition("@")[0]
    return same or who in {login, session.account.address.lower()}


def _only_administrator(given: Acl) -> set[str]:
    """Return whoever alone may give rights: the owner, where the server has another name for the login.

    Every server lists the owner among those who have rights.
    """
    may = {who for who, what in given.items() if "a" in what}
    return may if len(may) == 1 else set()


def words_of(letters: Iterable[str]) -> str:
    """Return letters as `model.folder_rights.RightsForm.ACL` says them: sorted, without the obsolete ones."""
    return "".join(sorted({*letters} - OBSOLETE))


def set_acl(session: Session, folder: str, who: str, words: str) -> None:
    """Give somebody exactly these rights to a folder; "" takes them all away. Idempotent.

    It may have been done if it raises.

    Args:
        session: the session of the account.
        folder: the name of the mailbox.
        who: the identifier.
        words: letters.

    Raises:
        Blocked, Rejected, Transient: see `connectors.imap.session.error_of`.
    """
    place = quoted(encoded(folder)) + b" " + quoted(who.encode())
    command = b"SETACL " + place + b" " + quoted(words.encode()) if words else b"DELETEACL " + place
    reply = session.run(command)
    if not reply.ok:
        raise_for(reply)
