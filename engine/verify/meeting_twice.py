"""Recognise a meeting that its owner has twice, where one event is everybody's.

It happens when an attendee's copy was written before the organizer's. Such a server then shows both under
either name, as one object without an event: nobody can tell which is which, so neither is changed nor
removed.
"""

from __future__ import annotations

from engine.context.leg_context import LegContext
from model.optional_protocols import ShowsOthers
from model.protocols import Body

_MOST = 1_000_000


def is_twice(leg: LegContext, href: str, body: Body) -> bool:
    """Return True if an object holds no event at all, or if the owner has another one of the same UID.

    An organizer's event comes into the default calendar, wherever the owner's copy is.

    Args:
        leg: the open leg.
        href: the calendar.
        body: an object of it that Kogge wrote.
    """
    if not leg.context.target.shares_events:
        return False
    with body() as stream:
        text = stream.read(_MOST).upper()
    if b"BEGIN:VEVENT" not in text:
        return True
    return (
        b"\nORGANIZER" in text
        and isinstance(leg.target, ShowsOthers)
        and leg.target.shows_another(href, body)
    )
