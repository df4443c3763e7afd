"""Compare what the copies of one meeting have in common: see mappings.compare.semantic_digest.

A server that has one event for all who are invited refuses an attendee's copy, because the organizer's is
there already. The two never mean the same in full, because Exchange gives every attendee a copy:

kept equal       what the organizer's updates overwrite in every copy: UID, organizer, times with every
                 exception, subject, place, and that it was cancelled. These are SHARED, and have to agree.
a person's own   reminder, busy status, categories, privacy, importance, attachments and the text: what was
                 written into one's own copy stays there, and gateways add footers to what is sent. A
                 difference is a loss.
not kept equal   who is invited: updates may go to those only who were added, rooms are invited blind, and a
                 distribution list is another thing for whom it contains. People that the copy has and the
                 other has not are a loss.
not known        the others' answers: the organizer alone has them. No difference counts.

The owner's own answer is in both, and a difference is a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from datetime import datetime
from typing import BinaryIO

from mappings.compare.content_lines import Block, Malformed, read_block
from mappings.compare.time import Moment
from mappings.compare.vevent import Fields, address, calendar_fields
from mappings.compare.zones import Clock
from mappings.losses.catalogue import lose
from model.protocols import Loss

SHARED = (
    "component",
    "uid",
    "start",
    "duration",
    "occurrences",
    "exceptions",
    "range",
    "title",
    "place",
    "organizer",
)
OWN = (
    "text",
    "formatted-text",
    "links",
    "busy",
    "privacy",
    "priority",
    "categories",
    "colour",
    "reminders",
    "attachments",
    "other",
)
OPEN = "NEEDS-ACTION"

Answers = Mapping[Moment | None, str]
"""The owner's answers, by what a component stands for."""


def shared(own: BinaryIO, another: BinaryIO, not_after: datetime, owner: Set[str]) -> tuple[Loss, ...] | None:
    """Return what is lost if an object at the target stands for the owner's copy of somebody else's meeting.

    Args:
        own: the owner's copy.
        another: the object at the target.
        not_after: when the leg began.
        owner: lower-case addresses.

    Returns:
        None if it cannot stand for it, or cannot be read.
    """
    try:
        ours, theirs = read_block(own, "VCALENDAR"), read_block(another, "VCALENDAR")
        mine, other = calendar_fields(ours, not_after), calendar_fields(theirs, not_after)
        same = all(mine.get(name) == other.get(name) for name in SHARED)
        called = mine["organizer"]
        if not same or not called or called in owner or _cancelled(ours) != _cancelled(theirs):
            return None
        return tuple(_losses(mine, other, ours, theirs, owner))
    except Malformed:
        return None


def is_invitation(stream: BinaryIO, owner: Set[str]) -> bool:
    """Return True for a meeting that somebody else called, and to which the owner is invited.

    Args:
        stream: an iCalendar object.
        owner: lower-case addresses.
    """
    try:
        components = [block for _, block in _components(read_block(stream, "VCALENDAR"))]
    except Malformed:
        return False
    organizers = {address(line) for block in components for line in block.all("ORGANIZER")}
    invited = {address(line) for block in components for line in block.all("ATTENDEE")}
    return bool(organizers) and organizers.isdisjoint(owner) and not invited.isdisjoint(owner)


def attendees(stream: BinaryIO) -> frozenset[str]:
    """Return the lower-case addresses of all who are invited to any part of an iCalendar object.

    What cannot be read invites nobody.
    """
    try:
        components = [block for _, block in _components(read_block(stream, "VCALENDAR"))]
    except Malformed:
        return frozenset()
    return frozenset(address(line) for block in components for line in block.all("ATTENDEE"))


def _losses(mine: Fields, other: Fields, ours: Block, theirs: Block, owner: Set[str]) -> Iterator[Loss]:
    if any(mine.get(name) != other.get(name) for name in OWN):
        yield lose("shared-meeting", "own-part-not-kept")
    if _invited(ours) - _invited(theirs) - owner:
        yield lose("attendee", "not-in-shared-meeting")
    own_answers, other_answers = _answers(ours, owner), _answers(theirs, owner)
    if any(
        own_answers.get(at, own_answers[None]) != other_answers.get(at, other_answers[None])
        for at in {*own_answers, *other_answers}
    ):
        yield lose("own-answer", "differs-in-shared-meeting")


def _components(calendar: Block) -> Iterator[tuple[Moment | None, Block]]:
    """Yield each component with what it stands for (None: the master)."""
    clock = Clock(calendar.within("VTIMEZONE"))
    for block in calendar.blocks:
        if block.name in ("VEVENT", "VTODO"):
            line = block.first("RECURRENCE-ID")
            yield clock.moment(line.value, line.parameter("TZID")) if line else None, block


def _cancelled(calendar: Block) -> frozenset[Moment | None]:
    return frozenset(
        stands_for
        for stands_for, block in _components(calendar)
        if block.value("STATUS").upper() == "CANCELLED"
    )


def _invited(calendar: Block) -> frozenset[str]:
    """Return all people; rooms and other resources are invited blind, and the organizer stands apart."""
    blocks = [block for _, block in _components(calendar)]
    lines = [line for block in blocks for line in block.all("ATTENDEE")]
    people = {address(line) for line in lines if line.parameter("ROLE").upper() != "NON-PARTICIPANT"}
    return frozenset(people - {address(line) for block in blocks for line in block.all("ORGANIZER")})


def _answers(calendar: Block, owner: Set[str]) -> Answers:
    answers: dict[Moment | None, str] = {None: OPEN}
    for stands_for, block in _components(calendar):
        lines = (line for line in block.all("ATTENDEE") if address(line) in owner)
        answers[stands_for] = next((line.parameter("PARTSTAT").upper() or OPEN for line in lines), OPEN)
    return answers
