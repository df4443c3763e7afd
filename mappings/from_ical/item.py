"""Read a record that is an iCalendar object: what an event and a task have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mappings.calendar.uid import LONGEST
from mappings.compare.content_lines import MOST_BYTES
from mappings.fields.context import Reading
from mappings.from_ical.alarms import shown_alarms
from mappings.from_ical.calendar_object import check_places, malformed, read_object
from mappings.from_ical.marks import tidy_marks
from mappings.from_ical.times import ItemTimes, begin_of
from mappings.from_ical.zone_names import SourceZones
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Text
from mappings.losses.catalogue import lose
from mappings.time.zones import Zone
from model.protocols import Loss, Native, key_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGINS = re.compile(rb"(?:^|[\r\n])BEGIN:(VEVENT|VTODO|VJOURNAL|VFREEBUSY)[ \t]*(?=[\r\n]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ItemRead:
    """Hold what was read of an object.

    Attributes:
        key: of the item.
        components: the event or the task first, if the object has it, then its changed occurrences.
        moved: for each of them, True if it takes place elsewhere than its series says.
        zones: by the name that times have.
        losses: what the reading lost.
    """

    key: bytes
    components: tuple[Component, ...]
    moved: tuple[bool, ...]
    zones: dict[str, Zone]
    losses: tuple[Loss, ...]


def skip_item(native: Native, wanted: bytes, codes: Mapping[bytes, str]) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if an object has nothing of what is wanted.

    Args:
        native: the record.
        wanted: the name of the components that move.
        codes: by the names of others.

    Returns:
        None for an object that moves, and for one in which nothing is found: it cannot be read, either.
    """
    if native.body is None:
        return None
    with native.body() as stream:
        data = stream.read(MOST_BYTES + 1)
    found = {match[1].upper() for match in _BEGINS.finditer(data.removeprefix(b"\xef\xbb\xbf"))}
    return None if wanted in found else next((code for name, code in codes.items() if name in found), None)


def title_of(native: Native) -> str:
    """Return what the owner calls an event or a task.

    Raises:
        Rejected: it cannot be read.
    """
    name = "VTODO" if skip_item(native, b"VEVENT", {b"VTODO": "other"}) else "VEVENT"
    if native.body is None:
        raise malformed()
    with native.body() as stream:
        return " ".join(read_object(stream, name).components[0].said("SUMMARY").split())


def read_item(native: Native, context: Reading, name: str) -> ItemRead:
    """Read the components of a record.

    Args:
        native: the record.
        context: what is told beside it.
        name: of its components: "VEVENT" or "VTODO".

    Raises:
        Rejected: "malformed-record", "unknown-format", "start-missing", "date-out-of-range",
            "unknown-recurrence" or "unknown-time-zone".
    """
    if native.body is None:
        raise malformed()
    with native.body() as stream:
        found = read_object(stream, name)
    zones = SourceZones(found.zones)
    times = ItemTimes(zones)
    times.restate(found.components)
    check_places(found.components)
    losses = [*found.losses, *times.losses, *_named(found.components, native, context)]
    for component in found.components:
        losses += tidy_marks(component)
        begins = _stamped(component, times)
        if component.inner:
            ends = begins + times.lasts(component)
            losses += shown_alarms(component, begins, ends, context.began.astimezone(UTC))
    return ItemRead(
        key_of(native.ref.id),
        found.components,
        tuple(_is_moved(component, found.components[0], times) for component in found.components),
        zones.found,
        tuple(dict.fromkeys(losses)),
    )


def _named(components: tuple[Component, ...], native: Native, context: Reading) -> list[Loss]:
    """Give an object without a UID, or with one that servers refuse, its own."""
    written = " ".join(components[0].said("UID").split())
    too_long = len(written.encode()) > LONGEST
    uid = context.uid_of(key_of(native.ref.id)) if too_long or not written else written
    for component in components:
        component.set("UID", Text(uid))
    return [lose("uid", "too-long")] if too_long else []


def _stamped(component: Component, times: ItemTimes) -> datetime:
    """Add DTSTAMP, which is required, and return the start. No clock is read."""
    begin = begin_of(component)
    begins = EPOCH if begin is None else times.instant(begin)[1]
    if component.first("DTSTAMP") is None:
        known = (component.first(name) for name in ("LAST-MODIFIED", "CREATED"))
        stamp = next((each.at for each in known if isinstance(each, Moment)), begins)
        component.add("DTSTAMP", Moment(stamp))
    return begins


def _is_moved(component: Component, master: Component, times: ItemTimes) -> bool:
    origin, begin = component.first("RECURRENCE-ID"), begin_of(component)
    if not isinstance(origin, Moment) or begin is None:
        return False
    alone = master.first("RECURRENCE-ID") is not None
    lasts = times.lasts(component) != times.lasts(master) and not alone
    return lasts or times.instant(origin) != times.instant(begin)
