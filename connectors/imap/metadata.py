"""Keep small texts beside an IMAP account, as private server annotations.

Source:
    RFC 5464 (METADATA).
"""

from __future__ import annotations

from connectors.imap.session import Session
from connectors.imap.wire.connection import Parts, tokens
from model.protocols import Guard

PREFIX = b"/private/vendor/vendor.kogge/"
EXTENSIONS = ("METADATA", "METADATA-SERVER")


def has_room(session: Session) -> bool:
    """Return True if the server keeps such texts at all."""
    return any(session.has(name) for name in EXTENSIONS)


def question(name: bytes) -> bytes:
    """Return the command with which `read` asks for a text."""
    return b'GETMETADATA "" (' + PREFIX + name + b")"


def read(session: Session, name: bytes) -> bytes | None:
    """Return a text; None when it does not exist or the server keeps no texts.

    Args:
        session: the session of the account.
        name: the name below PREFIX.
    """
    if not has_room(session):
        return None
    values: list[bytes] = []

    def note(parts: Parts) -> None:
        listed = tokens(parts)
        if not listed or listed[0] != b"METADATA":
            return
        pairs = (entry for entry in listed[1:] if isinstance(entry, list) and len(entry) > 1)
        values.extend(value for key, value, *_ in pairs if key == PREFIX + name and isinstance(value, bytes))

    reply = session.run(question(name), note)
    return values[-1] if reply.ok and values else None


def write(session: Session, guard: Guard, name: bytes, value: bytes) -> bool:
    """Store a text in place of the one before. Idempotent. It may have been stored even if this raises.

    Args:
        session: the session of the account.
        guard: the write fence; called before the command.
        name: the name below PREFIX.
        value: the text.

    Returns:
        False when the server has no place for it.
    """
    if not has_room(session):
        return False
    guard()
    connection = session.connection
    at_once = session.takes_literal(len(value))
    announced = b" {%d%s}\r\n" % (len(value), b"+" if at_once else b"")
    tag = connection.begin(b'SETMETADATA "" (' + PREFIX + name + announced)
    if not at_once and connection.proceed(tag) is not None:
        return False
    connection.put(value + b")\r\n")
    connection.flush()
    return connection.finish(tag).ok
