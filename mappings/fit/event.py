"""Fit an event or a series to a target, and write it as one iCalendar object (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mappings.fields.context import Context
from mappings.fit.attachments import fit_attachments, largest, room
from mappings.fit.described_zones import described_zones
from mappings.fit.exo_limits import within
from mappings.fit.item import write_item
from mappings.fit.known_zones import fit_zones
from mappings.fit.people import address_of, fit_people
from mappings.fit.shared_series import Occurrence, shared_series
from mappings.fit.text_limits import shortened, without_commas
from mappings.icalendar.component import Component
from mappings.icalendar.values import Text, Word
from mappings.losses.catalogue import lose
from mappings.time.zones import Zone
from model.kinds import Kind
from model.protocols import Capabilities, Item, Loss, Mapped

_BUSY = "X-MICROSOFT-CDO-BUSYSTATUS"


@dataclass(frozen=True, slots=True)
class EventRead:
    """Hold an event as its source has it.

    Attributes:
        key: of the item.
        event: the event, or the series.
        changed: the changed occurrences of the series.
        zones: by the name that times have.
        called: False if somebody else than the mailbox's owner called it.
        losses: what the reading lost.
    """

    key: bytes
    event: Component
    changed: tuple[Occurrence, ...]
    zones: dict[str, Zone]
    called: bool
    losses: tuple[Loss, ...]

    @property
    def components(self) -> tuple[Component, ...]:
        """Return the event and the changed occurrences."""
        return (self.event, *(each.event for each in self.changed))


def fit_event(read: EventRead, context: Context) -> Mapped:
    """Return the item that the target can hold, with all losses. The components are changed in place.

    Raises:
        Rejected: "unknown-time-zone", "unknown-recurrence", "date-out-of-range", "too-large" or
            "recurrence-not-kept".
    """
    target, losses = context.target, list(read.losses)
    if not target.event_habits.own_zones:
        losses += fit_zones(read.event, (each.event for each in read.changed), read.zones)
    most, space = largest(target, len(read.components)), room(target)
    for event in read.components:
        losses += without_commas(event, target)
        losses += shortened(event, target.event_habits)
        losses += _busy_word(event, target)
        losses += fit_people(event, target, context.owner)
        losses += fit_attachments(event, most, space)
    if target.event_habits.organizer_attends:
        losses += shared_series(read.event, read.changed, called=read.called)
    mapped = Mapped(_item(read, context), tuple(dict.fromkeys(losses)))
    return mapped if target.events is None else within(mapped, target.events, context.began)


def _busy_word(event: Component, target: Capabilities) -> Iterator[Loss]:
    """Take out Outlook's own word for how busy somebody is if the target does not keep it."""
    stated = event.first(_BUSY)
    word = stated.said if isinstance(stated, Text | Word) else ""
    if not target.busy_words:
        event.remove(_BUSY)
        if word not in ("", "FREE", "BUSY", event.said("STATUS")):
            yield lose("show-as", "free-or-busy")
    elif word in ("OOF", "WORKINGELSEWHERE"):
        yield lose("show-as", "outlook-only")


def _item(read: EventRead, context: Context) -> Item:
    zones = described_zones(read.event, read.components, read.zones)
    components = [*zones, *(event.written() for event in read.components)]
    item = write_item(Kind.CALENDAR, read.key, read.event.said("UID"), components, context)
    return replace(item, invited=frozenset() if read.called else context.owner, organizer=_organizer(read))


def _organizer(read: EventRead) -> str:
    """Return the address of who called the meeting; "" if this is none, or if nobody knows."""
    called = (event.said("ORGANIZER") for event in read.components)
    return address_of(next((uri for uri in called if uri), ""))
