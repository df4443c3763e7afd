"""Removing a mailbox in which nothing is: DELETE alone would take along what was delivered just before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from connectors.imap.connection import quoted
from connectors.imap.folders import INBOX, NO_SELECT, ImapFolder, folders
from connectors.imap.session import Session
from model.protocols import Guard


def aside_of(raw: bytes, separator: bytes) -> bytes:
    """The name that a mailbox has while it is looked into for the last time: nobody delivers there. A longer
    one than its own may be too long for the server."""
    above, parted, last = raw.rpartition(separator) if separator else (b"", b"", raw)
    return above + parted + b"kogge-leaving-" + hashlib.blake2b(last, digest_size=8).hexdigest().encode()


def clear(session: Session, guard: Guard, raw: bytes) -> bool:
    """Idempotent. False: something is in it or below it, or the server refuses; then it has its name."""
    guard()
    known = {folder.raw: folder for folder in folders(session, counts=False)}
    separator = next((folder.separator for folder in known.values()), "").encode()
    aside = aside_of(raw, separator)
    if raw == INBOX or _has_more(known, raw, separator):
        return False
    if aside not in known:
        if raw not in known:
            return True
        if known[raw].attributes & NO_SELECT or _holds(session, raw) or not _renamed(session, raw, aside):
            return False
    guard()
    if _holds(session, aside) or not _deleted(session, aside):
        if raw not in known or aside not in known:
            _renamed(session, aside, raw)
        return False
    session.run(b"UNSUBSCRIBE " + quoted(raw))
    return aside not in known or raw not in known


def _has_more(known: Mapping[bytes, ImapFolder], raw: bytes, separator: bytes) -> bool:
    """Something is below it."""
    return bool(separator) and any(name.startswith(raw + separator) for name in known)


def _holds(session: Session, raw: bytes) -> bool:
    return session.select(raw, readonly=True, fresh=True).exists > 0


def _renamed(session: Session, old: bytes, new: bytes) -> bool:
    session.select(INBOX, readonly=True)  # some servers end a session whose open mailbox is renamed
    return session.run(b"RENAME " + quoted(old) + b" " + quoted(new)).ok


def _deleted(session: Session, raw: bytes) -> bool:
    session.select(INBOX, readonly=True)
    return session.run(b"DELETE " + quoted(raw)).ok
