"""Small texts beside an IMAP account: private server annotations (RFC 5464)."""

from __future__ import annotations

from connectors.imap.connection import Parts, tokens
from connectors.imap.session import Session
from model.protocols import Guard

PREFIX = b"/private/vendor/vendor.kogge/"
EXTENSIONS = ("METADATA", "METADATA-SERVER")


def has_room(session: Session) -> bool:
    """Whether the server keeps such texts at all."""
    return any(session.has(name) for name in EXTENSIONS)


def read(session: Session, name: bytes) -> bytes | None:
    """None: there is none of this name, or the server keeps none."""
    if not has_room(session):
        return None
    found: list[bytes] = []

    def note(parts: Parts) -> None:
        listed = tokens(parts)
        if not listed or listed[0] != b"METADATA":
            return
        pairs = (one for one in listed[1:] if isinstance(one, list) and len(one) > 1)
        found.extend(value for key, value, *_ in pairs if key == PREFIX + name and isinstance(value, bytes))

    reply = session.run(b'GETMETADATA "" (' + PREFIX + name + b")", note)
    return found[-1] if reply.ok and found else None


def write(session: Session, guard: Guard, name: bytes, value: bytes) -> bool:
    """False: the server has no place for it."""
    if not has_room(session):
        return False
    guard()
    connection = session.connection
    tag = connection.begin(b'SETMETADATA "" (' + PREFIX + name + b" {%d}\r\n" % len(value))
    if connection.proceed(tag) is not None:
        return False
    connection.put(value + b")\r\n")
    connection.flush()
    return connection.finish(tag).ok
