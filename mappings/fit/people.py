"""Fit the people of an event: no more than the target takes, and marked for one that would write to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from urllib.parse import unquote

from mappings.icalendar.component import Component
from mappings.losses.catalogue import lose
from model.protocols import Capabilities, Loss

_MAIL = "mailto:"


def fit_people(event: Component, target: Capabilities, owner: Collection[str]) -> Iterator[Loss]:
    """Change ATTENDEE and ORGANIZER in place.

    Args:
        event: its component.
        target: its capabilities.
        owner: lower-case addresses of the mailbox's owner, who stays among the attendees.
    """
    most, guests = target.event_habits.attendees, event.addresses("ATTENDEE")
    if most is not None and len(guests) >= most:
        # The organizer counts as one of them.
        event.remove("ATTENDEE")
        for guest in sorted(guests, key=lambda each: address_of(each.said) not in owner)[: most - 1]:
            event.add("ATTENDEE", guest)
        yield lose("attendee", "too-many")
    if target.silent_agent and event.addresses("ATTENDEE"):
        # RFC 6638 7.1: the server leaves these alone, and so it does when a client changes the event later.
        for participant in (*event.addresses("ATTENDEE"), *event.addresses("ORGANIZER")):
            participant.parameters["SCHEDULE-AGENT"] = "CLIENT"
        yield lose("scheduling", "agent-client")


def address_of(uri: str) -> str:
    """Return the lower-case mail address of a URI; "" if it is none."""
    uri = uri.lower()
    return unquote(uri.removeprefix(_MAIL)) if uri.startswith(_MAIL) else ""
