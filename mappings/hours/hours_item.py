"""Map working hours to the iCalendar object that a calendar server keeps, and compare two such objects."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from mappings.compare.content_lines import Block, Malformed, read_block
from mappings.fields.context import Context
from mappings.hours.working_hours import WorkingHours, available
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Item, Mapped, Native, key_of
from model.working_hours import BEGINS, uid_of

NOT_KEPT, LATER, UNSAID = "hours-not-at-target", "hours-later", "hours-unsaid"
CODES: Final = (NOT_KEPT, LATER, UNSAID)
"""Why working hours are not written now. Each pass asks again: calendars and servers come later."""
MOST_LINES: Final = 20_000
_UNCOMPARED = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE"})

Meaning = tuple[tuple[str, ...], ...]


def skip_hours(_native: Native) -> None:
    """Return None: why working hours do not move depends on more than their record."""
    return


def title_of(_native: Native) -> str:
    """Return what the item is: its owner gave it no title."""
    return "working hours"


def mapped_by(read: Callable[[Native], WorkingHours]) -> Callable[[Native, Context], Mapped]:
    """Return the mapping of records that `read` reads.

    Nothing is rejected: rules of the same mailbox would wait for it.
    """

    def map_hours(native: Native, context: Context) -> Mapped:
        key = key_of(native.ref.id)
        try:
            body = available(read(native), uid_of(key))
        except Rejected:
            body = None
        if body is None:
            return _mapped(key, b"", UNSAID)
        if not context.target.availability:
            return _mapped(key, b"", NOT_KEPT)
        if not any(kind is Kind.CALENDAR for kind, _ in context.places.values()):
            return _mapped(key, b"", LATER)
        return _mapped(key, body, "")

    return map_hours


def _mapped(key: bytes, body: bytes, left: str) -> Mapped:
    digest = hours_digest(io.BytesIO(body)) if body else hashlib.sha256(b"").digest()
    return Mapped(Item(Kind.SETTINGS, key, digest, len(body), lambda: io.BytesIO(body)), left=left)


def is_hours(body: bytes) -> bool:
    """Return True if a body is that of working hours, not of a rule."""
    return body.lstrip()[: len(BEGINS)].upper() == BEGINS


def hours_digest(stream: BinaryIO) -> bytes:
    """Return the digest of what an object says of when somebody is available.

    Who wrote it and when, the names of its spans and how the zones are described count for nothing.

    Raises:
        Rejected: "malformed-record" if it is no such object.
    """
    return hashlib.sha256(repr(_meaning(stream)).encode()).digest()


def hours_differing(one: BinaryIO, other: BinaryIO) -> tuple[str, ...]:
    """Return ("hours",) if two objects say other hours; () if they say the same."""
    return () if _meaning(one) == _meaning(other) else ("hours",)


def _meaning(stream: BinaryIO) -> Meaning:
    try:
        whole = read_block(stream, "VCALENDAR", MOST_LINES)
    except Malformed:
        raise Rejected("malformed-record", "it is no iCalendar object") from None
    found = [block for block in whole.blocks if block.name == "VAVAILABILITY"]
    if not found:
        raise Rejected("malformed-record", "it says nothing of when somebody is available")
    return tuple(sorted(line for block in found for line in _lines(block)))


def _lines(block: Block) -> Iterator[tuple[str, ...]]:
    """Yield what an object says, and one line for each span."""
    yield ("VAVAILABILITY", *_said(block, _UNCOMPARED))
    for span in block.blocks:
        yield (span.name, *_said(span, _UNCOMPARED | {"UID"}))


def _said(block: Block, uncompared: frozenset[str]) -> list[str]:
    found = []
    for name, lines in block.lines.items():
        if name in uncompared:
            continue
        for line in lines:
            value = ";".join(sorted(line.value.strip().split(";"))) if name == "RRULE" else line.value.strip()
            parameters = sorted(f"{one}={','.join(values)}" for one, values in line.parameters.items())
            found.append(f"{';'.join([name, *parameters])}:{value}")
    return sorted(found)
