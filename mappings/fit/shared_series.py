"""Fit a meeting to a server that has one event for everybody who is invited (EventHabits.organizer_attends).

Such a server looks at every component by itself. Who is not among its attendees does not have it, the
organizer neither. And nobody answers for a colleague: answers that a changed occurrence has of its own are
refused, and if it is moved, everybody is asked anew. The mapping does not know who is a colleague, so it
treats all guests alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mappings.icalendar.component import Component
from mappings.icalendar.values import CalendarAddress, Text
from mappings.losses.catalogue import lose
from model.protocols import Loss

_OPEN = "NEEDS-ACTION"
_CLASSES = ("PUBLIC", "CONFIDENTIAL", "PRIVATE")
"""The most open first."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Hold a changed occurrence.

    Attributes:
        event: its component.
        moved: True if it begins elsewhere than its series says, or lasts otherwise.
    """

    event: Component
    moved: bool


def shared_series(master: Component, changed: Iterable[Occurrence], *, called: bool) -> list[Loss]:
    """Change the components of an event or a series in place, and return what that loses.

    Args:
        master: the event, or the series.
        changed: the changed occurrences of the series.
        called: True if the owner of the mailbox called the meeting.
    """
    occurrences = list(changed)
    events = [master, *(each.event for each in occurrences)]
    losses = list(_one_class(events))
    organizer = next((each for event in events for each in event.addresses("ORGANIZER")), None)
    if organizer is None:
        return losses
    for each in occurrences:
        losses += _guests_of(master, each.event)
    for event in events:
        event.set("ORGANIZER", organizer.copy())
        if called:
            _attend(event, organizer)
    if called:
        losses += [loss for each in occurrences for loss in _answers_of(master, each, organizer.said.lower())]
    return losses


def _one_class(events: list[Component]) -> Iterator[Loss]:
    """Give all components one CLASS: the series' in a meeting, whose guests see it; else the most private."""
    classes = {event.said("CLASS") or _CLASSES[0] for event in events}
    if len(classes) == 1:
        return
    meeting = any(event.addresses("ATTENDEE") for event in events)
    kept = (events[0].said("CLASS") or _CLASSES[0]) if meeting else max(classes, key=_CLASSES.index)
    for event in events:
        event.set("CLASS", Text(kept))
    yield lose("sensitivity", "privacy-of-occurrence")


def _guests_of(master: Component, event: Component) -> Iterator[Loss]:
    """Invite the guests of the series to an occurrence that names none, so that they go on seeing it."""
    if event.addresses("ATTENDEE") or not master.addresses("ATTENDEE"):
        return
    for guest in master.addresses("ATTENDEE"):
        event.add("ATTENDEE", guest.copy())
    yield lose("attendee", "guests-of-series")


def _attend(event: Component, organizer: CalendarAddress) -> None:
    """Put the organizer among the attendees, as somebody who comes unless the source says otherwise."""
    own = next(
        (guest for guest in event.addresses("ATTENDEE") if guest.said.lower() == organizer.said.lower()), None
    )
    if own is None:
        own = organizer.copy()
        own.parameters["ROLE"] = "REQ-PARTICIPANT"
        own.parameters["PARTSTAT"] = _OPEN
        event.add("ATTENDEE", own)
    if own.parameters.get("PARTSTAT", _OPEN) == _OPEN:
        own.parameters["PARTSTAT"] = "ACCEPTED"
        own.parameters.pop("RSVP", None)


def _answers_of(master: Component, occurrence: Occurrence, organizer: str) -> Iterator[Loss]:
    """Give an occurrence the answers that such a server lets it have."""
    series = {
        guest.said.lower(): guest.parameters.get("PARTSTAT", _OPEN) for guest in master.addresses("ATTENDEE")
    }
    for guest in occurrence.event.addresses("ATTENDEE"):
        had = guest.parameters.get("PARTSTAT", _OPEN)
        answer = _OPEN if occurrence.moved else series.get(guest.said.lower(), had)
        if guest.said.lower() != organizer and answer != had:
            guest.parameters["PARTSTAT"] = answer
            yield lose("attendee", "answer-of-occurrence")
