"""Read a task that a source has as an iCalendar object."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.fields.context import Reading
from mappings.fit.task import TaskRead
from mappings.from_ical.item import read_item, skip_item
from mappings.losses.catalogue import lose
from model.protocols import Native

SKIPPED: Mapping[bytes, str] = {
    b"VJOURNAL": "journal-entry",
    b"VEVENT": "not-a-task",
    b"VFREEBUSY": "not-a-task",
}
_PEOPLE = ("ORGANIZER", "ATTENDEE")


def skip_task(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this object has no task; None if it has one."""
    return skip_item(native, b"VTODO", SKIPPED)


def read_task(native: Native, context: Reading) -> TaskRead:
    """Read a task with its changed occurrences.

    Who assigned it to whom is left out: a server that schedules would write to them.

    Raises:
        Rejected: as mappings.from_ical.item.read_item.
    """
    read = read_item(native, context, "VTODO")
    losses = list(read.losses)
    for component in read.components:
        if any(name in component.properties for name in _PEOPLE):
            losses.append(lose("people", "not-kept"))
        for name in _PEOPLE:
            component.remove(name)
    todo, *changed = read.components
    return TaskRead(
        key=read.key,
        todo=todo,
        losses=tuple(dict.fromkeys(losses)),
        changed=tuple(changed),
        zones=read.zones,
        begins_alike=True,
    )
