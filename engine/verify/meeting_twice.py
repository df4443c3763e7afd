"""Recognise a meeting that its owner has twice, where one event is everybody's.

It happens when an attendee's copy was written before the organizer's. Such a server then shows both under
either name, as one object without an event: nobody can tell which is which, so neither is changed nor
removed.
"""

from __future__ import annotations

from engine.context.leg_context import LegContext
from model.protocols import Body

_MOST = 1_000_000


def is_twice(leg: LegContext, body: Body) -> bool:
    """Return True if an object holds no event at all.

    Args:
        leg: the open leg.
        body: an object of the calendar.
    """
    if not leg.context.target.shares_events:
        return False
    with body() as stream:
        return b"BEGIN:VEVENT" not in stream.read(_MOST).upper()
