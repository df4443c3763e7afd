"""State what a server of iCalendar objects takes otherwise than RFC 5545 says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventHabits:
    """State what a mapping has to heed, so that what it makes is what comes back.

    Attributes:
        own_zones: True if a VTIMEZONE counts; False if only IANA zones and UTC mean what they say.
        organizer_attends: True if one event is everybody's who is among the attendees of a component, the
            organizer too, and if no changed occurrence has answers or a CLASS of its own.
        title: the most 16-bit units of Unicode in a SUMMARY; None for any number.
        place: the same for a LOCATION.
        text: the most bytes of a DESCRIPTION in UTF-8; None for any number.
        links: the longest URL, in the same units; None for any length.
        categories: the same for all CATEGORIES with the commas between them; None for any number.
        attendees: the most attendees of an event, its organizer among them; None for any number.
    """

    own_zones: bool = True
    organizer_attends: bool = False
    title: int | None = None
    place: int | None = None
    text: int | None = None
    links: int | None = None
    categories: int | None = None
    attendees: int | None = None


PLAIN_EVENTS = EventHabits()
"""A server that keeps what it is given."""
