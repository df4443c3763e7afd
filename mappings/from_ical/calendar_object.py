"""Read an iCalendar object (RFC 5545) into the components that the mappings fit and write.

What has a class among the values is read into it; any other property stays the text that it is, so that
writing it gives the same line. What nobody compares, or what makes a server act, is left out with a loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from mappings.compare.content_lines import Block, Malformed, read_block
from mappings.compare.vevent import MOST_COMPONENTS
from mappings.from_ical.properties import PropertyReader, checked
from mappings.icalendar.component import Component
from mappings.icalendar.values import Property
from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.protocols import Loss

MOST_LINES = 400_000
"""Of one object. A series with a hundred thousand dates taken out has fewer."""

MOST_LISTED = 8 << 20
"""Characters of all values that are lists: dates of a series, and names of categories."""

_LISTED = ("EXDATE", "RDATE", "CATEGORIES")
ITEMS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """Hold an event or a task.

    Attributes:
        zones: a VTIMEZONE each, as the source describes it.
        components: the event or task first, then its changed occurrences. If the source has occurrences
            alone, all are such.
        losses: what the reading lost.
    """

    zones: tuple[Block, ...]
    components: tuple[Component, ...]
    losses: tuple[Loss, ...]


def read_object(stream: BinaryIO, name: str) -> CalendarObject:
    """Read one VCALENDAR. What it says of itself (METHOD, names of a calendar) is no part of an item.

    Args:
        stream: its bytes.
        name: of the components that it has: "VEVENT" or "VTODO".

    Raises:
        Rejected: "malformed-record", "unknown-format", "start-missing", "date-out-of-range" or
            "unknown-recurrence".
    """
    try:
        whole = read_block(stream, "VCALENDAR", MOST_LINES)
    except Malformed:
        raise malformed() from None
    _check_format(whole)
    blocks = list(whole.within(name))
    listed = (line for block in blocks for each in _LISTED for line in block.all(each))
    if len(blocks) > MOST_COMPONENTS or sum(len(line.value) for line in listed) > MOST_LISTED:
        raise malformed()
    if any(each.name in ITEMS and each.name != name for each in whole.blocks):
        raise malformed()
    losses: list[Loss] = []
    if any(each.name not in (name, "VTIMEZONE") for each in whole.blocks):
        losses.append(lose("other", "not-kept"))
    found = [_component(block, losses) for block in blocks]
    _check(found)
    if name == "VEVENT" and any(each.first("DTSTART") is None for each in found):
        raise Rejected("start-missing", "the event has no start; give it one at the source")
    ordered = tuple(sorted(found, key=_is_occurrence))
    return CalendarObject(tuple(whole.within("VTIMEZONE")), ordered, tuple(dict.fromkeys(losses)))


def malformed() -> Rejected:
    """Return the error for what is not one event or task."""
    return Rejected("malformed-record", "the object cannot be read as one event or task")


def check_places(components: Iterable[Component]) -> None:
    """Refuse two components that stand for the same occurrence, or two that stand for the series.

    Raises:
        Rejected: "malformed-record".
    """
    places = [_written(each.properties.get("RECURRENCE-ID", ())) for each in components]
    if len(set(places)) < len(places):
        raise malformed()


def _check_format(whole: Block) -> None:
    """Refuse vCalendar 1.0, whose lines are encoded otherwise, and other calendars than ours."""
    version, scale = whole.value("VERSION"), whole.value("CALSCALE").upper()
    if version not in ("", "2.0") or scale not in ("", "GREGORIAN"):
        raise Rejected("unknown-format", "no mapping for this version of iCalendar, or for its calendar")


def _check(found: list[Component]) -> None:
    """Refuse anything but one item: one UID, and each occurrence once."""
    if not found or len({each.said("UID") for each in found}) != 1:
        raise malformed()
    check_places(found)


def _written(values: Iterable[Property]) -> tuple[str, ...]:
    return tuple(f"{value.parameters.get('TZID', '')}:{value.content()!r}" for value in values)


def _is_occurrence(component: Component) -> bool:
    return component.first("RECURRENCE-ID") is not None


def _component(block: Block, losses: list[Loss]) -> Component:
    checked(block.name)
    made = PropertyReader(block, losses).component()
    for inner in block.blocks:
        if inner.name == "VALARM" and block.name != "VALARM":
            made.inner.append(_component(inner, losses))
        else:
            losses.append(lose("other", "not-kept"))
    return made
