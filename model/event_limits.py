"""What a server keeps of an event that holds no iCalendar objects: see mappings.calendar.exo_limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventLimits:
    """zone: whose clock every timed series keeps. title, place, link: at most so many characters. text:
    bytes in UTF-8."""

    zone: str
    title: int
    place: int
    text: int
    link: int
