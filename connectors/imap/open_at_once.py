"""Open many folders with one wait: all of them are opened one after the other before an answer is awaited.

Each answer tells of the folder whose command it ends: the server closes a folder before it opens the next
one. Where an answer does not tell, the folder is left out, and is to be opened alone.

Source:
    RFC 9051, sections 5.5 (pipelining), 6.3.2 (EXISTS is required) and 7.1 (CLOSED).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from connectors.imap.session import Selected, Session
from connectors.imap.wire.connection import Parts, response_code
from connectors.imap.wire.pipelining import PIPELINING, Use

AT_ONCE = 40
"""Folders that are opened before the first answer is read: their commands fit into any socket's buffers."""


def open_at_once(
    session: Session, names: Sequence[bytes], writable: Collection[bytes] = ()
) -> dict[bytes, Selected]:
    """Return the state of folders, as each was when it was opened; none of them stays open.

    Args:
        session: the session of the account.
        names: their encoded names.
        writable: those that are opened with SELECT, the others with EXAMINE.

    Returns:
        The states by name, without the folders that the server refused or of which it told no count; nothing
            from a server that takes one command at a time.

    Raises:
        Transient: the connection broke.
    """
    found: dict[bytes, Selected] = {}
    if not PIPELINING.allows(session.server):
        return found
    for first in range(0, len(names), AT_ONCE):
        openings = [_Opening(name, name not in writable) for name in names[first : first + AT_ONCE]]
        found |= _opened(session, openings)
    return found


class _Opening:
    """Hold what the server says while it opens one folder."""

    def __init__(self, name: bytes, readonly: bool) -> None:
        self.selected = Selected(name, readonly)
        self.counted = False

    def note(self, parts: Parts) -> None:
        """Take an untagged response; what comes before CLOSED is about the folder that was open."""
        if response_code(parts)[0] == "CLOSED":
            self.selected, self.counted = Selected(self.selected.name, self.selected.readonly), False
        self.selected.note(parts)
        self.counted = self.counted or parts[0].endswith(b" EXISTS")


def _opened(session: Session, openings: Sequence[_Opening]) -> dict[bytes, Selected]:
    connection = session.connection
    session.selected = None
    since = PIPELINING.clock()
    tags = [
        connection.queue(session.opening(opening.selected.name, readonly=opening.selected.readonly))
        for opening in openings
    ]
    connection.flush()
    with PIPELINING.trying(session.server, Use.FOLDERS, since):
        replies = [connection.finish(tag, opening.note) for tag, opening in zip(tags, openings, strict=True)]
    found = {}
    for opening, reply in zip(openings, replies, strict=True):
        if reply.ok and opening.counted:
            session.note_opened(opening.selected)
            found[opening.selected.name] = opening.selected
    return found
