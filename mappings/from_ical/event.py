"""Read an event or a series that a source has as an iCalendar object."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.fields.context import Reading
from mappings.fit.event import EventRead
from mappings.fit.people import address_of
from mappings.fit.shared_series import Occurrence
from mappings.from_ical.item import read_item, skip_item
from mappings.icalendar.component import Component
from model.protocols import Native

SKIPPED: Mapping[bytes, str] = {
    b"VTODO": "task-in-calendar",
    b"VJOURNAL": "journal-in-calendar",
    b"VFREEBUSY": "not-an-appointment",
}


def skip_event(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this object has no event; None if it has one."""
    return skip_item(native, b"VEVENT", SKIPPED)


def read_event(native: Native, context: Reading) -> EventRead:
    """Read an event or a series.

    Raises:
        Rejected: as mappings.from_ical.item.read_item.
    """
    read = read_item(native, context, "VEVENT")
    event, *changed = read.components
    return EventRead(
        key=read.key,
        event=event,
        changed=tuple(map(Occurrence, changed, read.moved[1:])),
        zones=read.zones,
        called=_called(read.components, context),
        losses=read.losses,
    )


def _called(components: tuple[Component, ...], context: Reading) -> bool:
    """Return True if the owner called a meeting, or if nobody did: the copy's own organizer says so."""
    organizers = [each.said for event in components for each in event.addresses("ORGANIZER")]
    return not organizers or address_of(organizers[0]) in context.owner
