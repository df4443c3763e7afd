"""What two copies of an event, a task or a card must share to be the same.

A meaning is a set of named fields. Two objects are the same when all of them are equal, and their digests
are equal then; differing() names the fields that are not. What each field compares stands in
CALENDAR_FIELDS and CARD_FIELDS, what is ignored and why in IGNORED.

**Time** is compared by what happens, not by how it is written. Every occurrence becomes a moment: seconds
in UTC where a zone is known, a local time where the object floats, a date for whole days. So a single event
is the same in UTC and in any zone that gives the same moment; a series is the same in two zones only where
these agree on every occurrence. A zone of the IANA database is what the tzdata package has, whatever the
object's VTIMEZONE says; any other is what its VTIMEZONE says. A series with an end is expanded to its end,
one without to two years and ten intervals beyond not_after and its newest date; that it goes on counts. Of
more than 10,000 moments the first 10,000 and the rules are compared (mappings.compare.series).

**A day is 24 hours** in DURATION of a reminder (servers write -P1D for -PT1440M), but a day of the zone in
that of an event.

**Exceptions** (RECURRENCE-ID) are folded into the master: a field of an exception counts where it is not
what the master has; its time counts where the rule has no such occurrence or another one. An exception that
changes nothing is therefore the same as none. One that stands for no occurrence is one more.
RANGE=THISANDFUTURE counts as it is written.

**Texts** are compared letter by letter, but for blanks at the ends of lines. Sets (categories, attendees,
reminders, phones) have no order and no doubles.

Bounds: an object has at most 64 MiB, 20,000 components and four rules of a kind. What is broken or exceeds
them is Rejected; nothing else is ever raised. Nothing here is remembered but zones and rules in small
caches.

An ordinary event takes 0.1 ms, a weekly series 0.4 ms, a daily one of twenty years 8 ms, a card 0.05 ms, a
megabyte of attachments 13 ms (CPython 3.11, one core of a small server).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from mappings.compare import vcard, vevent
from mappings.compare.content_lines import Malformed, read_block
from mappings.compare.ignored import IGNORED
from model.errors import Rejected

__all__ = [
    "CALENDAR_FIELDS",
    "CARD_FIELDS",
    "IGNORED",
    "Meaning",
    "calendar_differing",
    "calendar_digest",
    "calendar_meaning",
    "card_differing",
    "card_digest",
    "card_meaning",
    "card_tolerant",
    "task_tolerant",
]

CALENDAR_FIELDS = vevent.FIELDS
CARD_FIELDS = vcard.FIELDS


@dataclass(frozen=True, slots=True)
class Meaning:
    """Hold what an object means.

    The fields hold what people wrote: never show them.

    Attributes:
        fields: by fixed names (CALENDAR_FIELDS, CARD_FIELDS), each a value of tuples, texts and numbers that
            is equal for two copies of one meaning.
    """

    fields: Mapping[str, object] = field(repr=False)

    def digest(self) -> bytes:
        """Return 32 bytes; equal digests, equal meaning."""
        return hashlib.sha256(repr(sorted(self.fields.items())).encode()).digest()

    def without(self, name: str) -> Meaning:
        """Return the same without one field."""
        return Meaning({field_name: value for field_name, value in self.fields.items() if field_name != name})

    def differing(self, other: Meaning, order: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the fields in which the two differ, in this order."""
        return tuple(name for name in order if self.fields.get(name) != other.fields.get(name))


def calendar_meaning(stream: BinaryIO, not_after: datetime) -> Meaning:
    """Return the meaning of one VCALENDAR with one VEVENT or VTODO and its exceptions.

    It reads the stream to its end.

    Raises:
        Rejected: "malformed-calendar".
    """
    try:
        return Meaning(vevent.calendar_fields(read_block(stream, "VCALENDAR"), not_after))
    except Malformed:
        raise Rejected("malformed-calendar") from None


def card_meaning(stream: BinaryIO, not_after: datetime) -> Meaning:
    """Return the meaning of one VCARD, 3.0 or 4.0. It reads the stream to its end, and ignores not_after.

    Raises:
        Rejected: "malformed-card".
    """
    del not_after
    try:
        return Meaning(vcard.card_fields(read_block(stream, "VCARD")))
    except Malformed:
        raise Rejected("malformed-card") from None


def calendar_digest(stream: BinaryIO, not_after: datetime) -> bytes:
    """Return the 32 bytes of a calendar object's meaning.

    Raises:
        Rejected: "malformed-calendar".
    """
    return calendar_meaning(stream, not_after).digest()


def card_digest(stream: BinaryIO, not_after: datetime) -> bytes:
    """Return the 32 bytes of a card's meaning.

    Raises:
        Rejected: "malformed-card".
    """
    return card_meaning(stream, not_after).digest()


def task_tolerant(stream: BinaryIO, not_after: datetime) -> bytes:
    """Return the digest as calendar_digest does, but without the UID.

    Exchange gives tasks none. Ours is made of the item's key, which changes if the source gives the item
    another id.

    Raises:
        Rejected: "malformed-calendar".
    """
    return calendar_meaning(stream, not_after).without("uid").digest()


def card_tolerant(stream: BinaryIO, not_after: datetime) -> bytes:
    """Return the digest as card_digest does, but without the UID, for the reason told at task_tolerant.

    Raises:
        Rejected: "malformed-card".
    """
    return card_meaning(stream, not_after).without("uid").digest()


def calendar_differing(one: BinaryIO, other: BinaryIO, not_after: datetime) -> tuple[str, ...]:
    """Return the names of the fields in which two objects differ, in the order of CALENDAR_FIELDS.

    Safe to show.

    Raises:
        Rejected: "malformed-calendar".
    """
    meanings = calendar_meaning(one, not_after), calendar_meaning(other, not_after)
    return meanings[0].differing(meanings[1], CALENDAR_FIELDS)


def card_differing(one: BinaryIO, other: BinaryIO, not_after: datetime) -> tuple[str, ...]:
    """Return the names of the fields in which two cards differ, in the order of CARD_FIELDS; safe to show.

    Raises:
        Rejected: "malformed-card".
    """
    meanings = card_meaning(one, not_after), card_meaning(other, not_after)
    return meanings[0].differing(meanings[1], CARD_FIELDS)
