"""Fit a meeting to a server that has one event for everybody who is invited (EventHabits.organizer_attends).

Such a server looks at every component by itself. Who is not among its attendees does not have it, the
organizer neither. And nobody answers for a colleague: answers that a changed occurrence has of its own are
refused, and if it is moved, everybody is asked anew. The mapping does not know who is a colleague, so it
treats all guests alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from icalendar import Event, vCalAddress

from mappings.calendar.times import EventSpan
from mappings.losses.catalogue import lose
from mappings.time.rrule import Start
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

    event: Event
    moved: bool


def is_moved(series: EventSpan, start: Start, own: EventSpan) -> bool:
    """Return True if a changed occurrence takes place at other times than its series says.

    Args:
        series: the times of the first occurrence.
        start: where the rule has the occurrence, in the zone of the series.
        own: the times of the changed occurrence.
    """
    if not isinstance(start, datetime) or not isinstance(own.start, datetime):
        return own.start != start or (own.ends - own.begins).days != (series.ends - series.begins).days
    if series.zone.instant(start) != own.begins:
        return True
    return own.ends - own.begins != series.ends - series.begins


def shared_series(master: Event, changed: Iterable[Occurrence], *, called: bool) -> list[Loss]:
    """Change the components of an event or a series in place, and return what that loses.

    Args:
        master: the event, or the series.
        changed: the changed occurrences of the series.
        called: True if the owner of the mailbox called the meeting.
    """
    occurrences = list(changed)
    events = [master, *(each.event for each in occurrences)]
    losses = list(_one_class(events))
    called_by = (event.get("ORGANIZER") for event in events)
    organizer = next((each for each in called_by if isinstance(each, vCalAddress)), None)
    if organizer is None:
        return losses
    for each in occurrences:
        losses += _guests_of(master, each.event)
    for event in events:
        event.pop("ORGANIZER", None)
        event.add("ORGANIZER", deepcopy(organizer))
        if called:
            _attend(event, organizer)
    if called:
        losses += [loss for each in occurrences for loss in _answers_of(master, each, str(organizer).lower())]
    return losses


def _one_class(events: list[Event]) -> Iterator[Loss]:
    """Give all components one CLASS: the series' in a meeting, whose guests see it; else the most private."""
    classes = {str(event.get("CLASS", "PUBLIC")) for event in events}
    if len(classes) == 1:
        return
    meeting = any("ATTENDEE" in event for event in events)
    kept = str(events[0].get("CLASS", "PUBLIC")) if meeting else max(classes, key=_CLASSES.index)
    for event in events:
        event.pop("CLASS", None)
        event.add("CLASS", kept)
    yield lose("sensitivity", "privacy-of-occurrence")


def _guests_of(master: Event, event: Event) -> Iterator[Loss]:
    """Invite the guests of the series to an occurrence that names none, so that they go on seeing it."""
    if "ATTENDEE" in event or not _guests(master):
        return
    for guest in _guests(master):
        event.add("ATTENDEE", deepcopy(guest))
    yield lose("attendee", "guests-of-series")


def _guests(event: Event) -> list[vCalAddress]:
    guests = event.get("ATTENDEE", [])
    return guests if isinstance(guests, list) else [guests]


def _attend(event: Event, organizer: vCalAddress) -> None:
    """Put the organizer among the attendees, as somebody who comes unless the source says otherwise."""
    own = next((guest for guest in _guests(event) if guest.lower() == organizer.lower()), None)
    if own is None:
        own = deepcopy(organizer)
        own.params["ROLE"] = "REQ-PARTICIPANT"
        own.params["PARTSTAT"] = _OPEN
        event.add("ATTENDEE", own)
    if own.params.get("PARTSTAT", _OPEN) == _OPEN:
        own.params["PARTSTAT"] = "ACCEPTED"
        own.params.pop("RSVP", None)


def _answers_of(master: Event, occurrence: Occurrence, organizer: str) -> Iterator[Loss]:
    """Give an occurrence the answers that such a server lets it have."""
    series = {guest.lower(): guest.params.get("PARTSTAT", _OPEN) for guest in _guests(master)}
    for guest in _guests(occurrence.event):
        had = guest.params.get("PARTSTAT", _OPEN)
        answer = _OPEN if occurrence.moved else series.get(guest.lower(), had)
        if guest.lower() != organizer and answer != had:
            guest.params["PARTSTAT"] = answer
            yield lose("attendee", "answer-of-occurrence")
