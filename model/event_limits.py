"""State what a server without iCalendar objects keeps of an event: see mappings.fit.exo_limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventLimits:
    """State what a server keeps of every event.

    Attributes:
        zone: the time zone whose clock every timed series keeps.
        title: characters of a title, at most.
        place: characters of a location, at most.
        text: bytes of a description in UTF-8, at most.
        link: characters of a link, at most.
    """

    zone: str
    title: int
    place: int
    text: int
    link: int
