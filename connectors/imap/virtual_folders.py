"""Find namespaces whose folders only show mail of other folders, where no folder says so by its use.

Dovecot keeps such folders (its plugin `virtual`) in a namespace of their own. Inside of one, each message
tells the folder that it is really in.

Source:
    Dovecot: FETCH X-MAILBOX, https://doc.dovecot.org/main/core/plugins/virtual.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connectors.imap.folders import ImapFolder, Namespace
from connectors.imap.session import Session
from connectors.imap.wire.connection import Parts, fetched
from model.errors import Blocked, Rejected

ORIGIN = b"X-MAILBOX"


def virtual_prefixes(session: Session, listed: Sequence[ImapFolder], where: Namespace) -> tuple[str, ...]:
    """Return the prefixes of the account's own namespaces in which all folders are virtual.

    One folder of each further namespace is asked, because a namespace has one kind of storage. A namespace
    of which all folders are empty cannot be told.

    Args:
        session: the session of the account.
        listed: the account's folders, with the server's counts.
        where: the account's namespaces.
    """
    if not session.quirks.tells_origin:
        return ()
    return tuple(prefix for prefix in where.more if _is_virtual(session, _within(listed, prefix)))


def _within(listed: Iterable[ImapFolder], prefix: str) -> Iterable[ImapFolder]:
    inside = (folder for folder in listed if folder.name.startswith(prefix) and folder.selectable)
    return (folder for folder in inside if folder.status.get("MESSAGES", "0") != "0")


def _is_virtual(session: Session, folders: Iterable[ImapFolder]) -> bool:
    """Return True if the first folder that tells says that its mail is in another one."""
    for folder in folders:
        origin = _origin(session, folder.raw)
        if origin is not None:
            return origin not in (folder.raw, folder.name.encode())
    return False


def _origin(session: Session, raw: bytes) -> bytes | None:
    """Return the folder in which a folder's first message is; None if the server does not tell."""
    origins: list[bytes] = []

    def note(parts: Parts) -> None:
        value = (fetched(parts) or {}).get(ORIGIN)
        if isinstance(value, bytes):
            origins.append(value)

    try:
        session.select(raw, readonly=True, fresh=True)
    except (Blocked, Rejected):
        return None
    session.run(b"FETCH 1 (" + ORIGIN + b")", note)
    return origins[-1] if origins else None
