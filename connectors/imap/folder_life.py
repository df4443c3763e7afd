"""Tell whether a folder goes on from where it was listed before.

A folder that was put back from a backup has the UIDVALIDITY that it had, and gives UIDs once more that it
gave before, to other messages. UIDNEXT that went back shows that, and so does another message under a known
UID.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from connectors.imap.fetch import Attributes, uid_of
from connectors.imap.session import Selected, Session
from connectors.imap.wire.connection import Parts, fetched

ASKED = b"INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
_MARK = re.compile(r"(\d{1,10})-([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Mark:
    """Name one message of a folder, so that another one under its UID is noticed.

    Attributes:
        uid: its UID.
        digest: a short hash of its Message-ID, or of its date if it has none.
    """

    uid: int
    digest: str

    def __str__(self) -> str:
        return f"{self.uid}-{self.digest}"


def parsed_mark(text: str) -> Mark | None:
    """Return the mark that str() wrote; None for an empty text.

    Raises:
        ValueError: for any other text.
    """
    if not text:
        return None
    found = _MARK.fullmatch(text)
    if found is None:
        raise ValueError
    return Mark(int(found[1]), found[2])


def question(known: Mark | None) -> bytes:
    """Return the command with which `marks` asks."""
    also = b"" if known is None else b"%d," % known.uid
    return b"UID FETCH %s* (UID %s)" % (also, ASKED)


def marks(session: Session, selected: Selected, known: Mark | None) -> tuple[Mark | None, Mark | None]:
    """Ask for the newest message of the open folder, and for the one that is known.

    Args:
        session: the session, in which the folder is open.
        selected: the folder.
        known: a message that was there before; None if none is known.

    Returns:
        The mark of the newest message, and of what has the known one's UID now. None: there is none.
    """
    if not selected.exists:
        return None, None
    found: dict[int, Mark] = {}

    def note(parts: Parts) -> None:
        entry = fetched(parts)
        if entry is not None and b"INTERNALDATE" in entry and uid_of(entry):
            found[uid_of(entry)] = _mark(entry)

    session.done(question(known), note)
    newest = found[max(found)] if found else None
    return newest, None if known is None else found.get(known.uid)


def _mark(entry: Attributes) -> Mark:
    header = next((value for name, value in entry.items() if name.startswith(b"BODY[HEADER")), None)
    name = header.partition(b":")[2].strip() if isinstance(header, bytes) else b""
    date = entry[b"INTERNALDATE"]
    basis = name or (date if isinstance(date, bytes) else b"")
    return Mark(uid_of(entry), hashlib.blake2b(basis, digest_size=6).hexdigest())
