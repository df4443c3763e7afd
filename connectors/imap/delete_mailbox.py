"""Remove an empty mailbox without losing mail that is delivered at the same moment.

DELETE alone would also remove messages that were delivered just before it. Therefore the mailbox is renamed,
checked once more and only then deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from connectors.imap.folders import INBOX, NO_SELECT, ImapFolder, folders
from connectors.imap.session import Session
from connectors.imap.wire.connection import quoted
from model.protocols import Guard


def aside_of(raw: bytes, separator: bytes) -> bytes:
    """Return the temporary name under which a mailbox is checked for the last time.

    Nobody delivers to this name. Its last part has a fixed length, because a name that is longer than the
    mailbox's own may be too long for the server.

    Args:
        raw: the encoded name of the mailbox.
        separator: the hierarchy separator; b"" in a flat namespace.
    """
    above, parted, last = raw.rpartition(separator) if separator else (b"", b"", raw)
    return above + parted + b"kogge-leaving-" + hashlib.blake2b(last, digest_size=8).hexdigest().encode()


def clear(session: Session, guard: Guard, raw: bytes) -> bool:
    """Remove a mailbox when it is empty. Idempotent.

    Args:
        session: the session of the account.
        guard: the write fence; called before each change.
        raw: the encoded name of the mailbox.

    Returns:
        False when something is in it or below it, or the server refuses; the mailbox then has its own name
        again.

    Raises:
        LeaseLost: the guard refuses. The mailbox may then still have its temporary name; the next call goes
            on.
    """
    guard()
    listed = {folder.raw: folder for folder in folders(session, counts=False)}
    separator = next((folder.separator for folder in listed.values()), "").encode()
    aside = aside_of(raw, separator)
    if raw == INBOX or _has_children(listed, raw, separator):
        return False
    if aside not in listed:
        if raw not in listed:
            return True
        if (
            listed[raw].attributes & NO_SELECT
            or _has_messages(session, raw)
            or not _rename(session, raw, aside)
        ):
            return False
    guard()
    if _has_messages(session, aside) or not _delete(session, aside):
        if raw not in listed or aside not in listed:
            _rename(session, aside, raw)
        return False
    session.run(b"UNSUBSCRIBE " + quoted(raw))
    return aside not in listed or raw not in listed


def _has_children(names: Mapping[bytes, ImapFolder], raw: bytes, separator: bytes) -> bool:
    """Return True if another mailbox is below this one."""
    return bool(separator) and any(name.startswith(raw + separator) for name in names)


def _has_messages(session: Session, raw: bytes) -> bool:
    return session.select(raw, readonly=True, fresh=True).exists > 0


def _rename(session: Session, old: bytes, new: bytes) -> bool:
    session.select(INBOX, readonly=True)  # some servers end a session whose open mailbox is renamed
    return session.run(b"RENAME " + quoted(old) + b" " + quoted(new)).ok


def _delete(session: Session, raw: bytes) -> bool:
    session.select(INBOX, readonly=True)
    return session.run(b"DELETE " + quoted(raw)).ok
