"""Tell whether a folder goes on from where it was listed before.

A folder that was put back from a backup has the UIDVALIDITY that it had, and gives UIDs once more that it
gave before, to other messages. UIDNEXT that went back shows that, and so does another message under a known
UID. Several are known, because people move and delete the newest messages first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.imap.fetch import Attributes, uid_of
from connectors.imap.session import Selected, Session
from connectors.imap.wire.connection import Parts, fetched

NEWEST = 8
"""How many messages of a folder are remembered: the newest ones."""
HEARD_MOST = 1000
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


def written(remembered: Sequence[Mark]) -> str:
    """Return marks as a text, which `parsed_marks` reads; "" if there are none."""
    return ",".join(map(str, remembered))


def parsed_marks(text: str) -> tuple[Mark, ...]:
    """Return the marks that `written` wrote.

    Raises:
        ValueError: for any other text.
    """
    found = [_MARK.fullmatch(one) for one in text.split(",")] if text else []
    marks = tuple(Mark(int(one[1]), one[2]) for one in found if one is not None)
    if len(marks) != len(found):
        raise ValueError
    return marks


def questions(known: Sequence[Mark], exists: int) -> list[bytes]:
    """Return the commands with which `marks` asks.

    Args:
        known: the messages that were there before.
        exists: how many messages the folder has; at least 1.

    Source:
        RFC 9051, section 9 (seq-range: "*" may be the smaller end).
    """
    about = b"(UID %s)" % ASKED
    newest = b"FETCH %d:* %s" % (max(1, exists - NEWEST + 1), about)
    uids = ",".join(str(mark.uid) for mark in known)
    return [newest] if not known else [b"UID FETCH %s %s" % (uids.encode(), about), newest]


def marks(session: Session, selected: Selected, known: Sequence[Mark]) -> tuple[tuple[Mark, ...], list[Mark]]:
    """Ask for the newest messages of the open folder, and for those that are known.

    Args:
        session: the session, in which the folder is open.
        selected: the folder.
        known: messages that were there before.

    Returns:
        The marks of the newest messages, and of what has the UIDs of the known ones now.
    """
    if not selected.exists:
        return (), []
    found: dict[int, Mark] = {}

    def note(parts: Parts) -> None:
        entry = fetched(parts)
        if entry is not None and b"INTERNALDATE" in entry and uid_of(entry) and len(found) < HEARD_MOST:
            found[uid_of(entry)] = _mark(entry)

    for command in questions(known, selected.exists):
        session.done(command, note)
    newest = tuple(found[uid] for uid in sorted(found)[-NEWEST:])
    return newest, [found[mark.uid] for mark in known if mark.uid in found]


def _mark(entry: Attributes) -> Mark:
    header = next((value for name, value in entry.items() if name.startswith(b"BODY[HEADER")), None)
    name = header.partition(b":")[2].strip() if isinstance(header, bytes) else b""
    date = entry[b"INTERNALDATE"]
    basis = name or (date if isinstance(date, bytes) else b"")
    return Mark(uid_of(entry), hashlib.blake2b(basis, digest_size=6).hexdigest())
