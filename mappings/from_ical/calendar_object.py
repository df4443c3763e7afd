"""Read an iCalendar object (RFC 5545) into the components that the mappings write.

What has a class among the values is read into it; any other property stays the text that it is, so that
writing it gives the same line.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import BinaryIO

from mappings.compare.content_lines import Block, ContentLine, Malformed, read_block, split, unescaped
from mappings.icalendar.component import Component
from mappings.icalendar.values import (
    Binary,
    CalendarAddress,
    Moment,
    Moments,
    Parameters,
    Property,
    Rule,
    Text,
    TextList,
    Uri,
    Word,
)
from model.errors import Rejected

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)
_TEXTS = ("SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CONTACT", "UID", "CLASS", "STATUS", "X-ALT-DESC")
_MOMENTS = (
    "DTSTART", "DTEND", "DUE", "DTSTAMP", "CREATED", "LAST-MODIFIED", "COMPLETED", "RECURRENCE-ID",
    "ACKNOWLEDGED",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """Hold an event or a task.

    Attributes:
        zones: a VTIMEZONE each, as the source describes it.
        components: the event or task first, then its changed occurrences. If the source has occurrences
            alone, all are such.
    """

    zones: tuple[Component, ...]
    components: tuple[Component, ...]


def read_object(stream: BinaryIO, name: str) -> CalendarObject:
    """Read one VCALENDAR.

    Args:
        stream: its bytes.
        name: of the components that it has: "VEVENT" or "VTODO".

    Raises:
        Rejected: "malformed-record", "start-missing", "date-out-of-range" or "unknown-recurrence".
    """
    try:
        whole = read_block(stream, "VCALENDAR")
    except Malformed:
        raise _malformed() from None
    found = [_component(block) for block in whole.within(name)]
    _check(found)
    if name == "VEVENT" and any(each.first("DTSTART") is None for each in found):
        raise Rejected("start-missing", "the event has no start; give it one at the source")
    zones = tuple(_component(block) for block in whole.within("VTIMEZONE"))
    return CalendarObject(zones, tuple(sorted(found, key=_is_occurrence)))


def _check(found: list[Component]) -> None:
    """Refuse anything but one item: one UID, and each occurrence once."""
    uids = {each.said("UID") for each in found}
    if len(uids) != 1 or uids == {""}:
        raise _malformed()
    places = [_written(each.properties.get("RECURRENCE-ID", ())) for each in found]
    if len(set(places)) < len(places):
        raise _malformed()


def _written(values: Iterable[Property]) -> tuple[str, ...]:
    return tuple(f"{value.parameters.get('TZID', '')}:{value.content()!r}" for value in values)


def _is_occurrence(component: Component) -> bool:
    return component.first("RECURRENCE-ID") is not None


def _component(block: Block) -> Component:
    _check_encoding(block.name)
    made = Component(block.name)
    for name, lines in block.lines.items():
        for line in lines:
            made.add(name, _property(line))
    made.inner = [_component(inner) for inner in block.blocks]
    return made


def _property(line: ContentLine) -> Property:
    parameters = {name: _single(values) for name, values in line.parameters.items()}
    _check_encoding(line.name, line.value, *parameters, *parameters.values())
    return READERS.get(line.name, Word)(line.value, parameters)


def _single(values: tuple[str, ...]) -> str:
    """Return the value of a parameter; a list of them has no place in a component."""
    if len(values) != 1:
        raise _malformed()
    return values[0]


def _check_encoding(*written: str) -> None:
    """Refuse what was no UTF-8."""
    try:
        "".join(written).encode()
    except UnicodeEncodeError:
        raise _malformed() from None


def _text(value: str, parameters: Parameters) -> Property:
    return Text(unescaped(value), parameters)


def _texts(value: str, parameters: Parameters) -> Property:
    return TextList(tuple(unescaped(part) for part in split(value, ",")), parameters)


def _moment(value: str, parameters: Parameters) -> Property:
    return Moment(_at(value), parameters)


def _moments(value: str, parameters: Parameters) -> Property:
    if parameters.get("VALUE") == "PERIOD":
        return Word(value, parameters)
    return Moments(tuple(_at(part) for part in value.split(",")), parameters)


def _trigger(value: str, parameters: Parameters) -> Property:
    return _moment(value, parameters) if parameters.get("VALUE") == "DATE-TIME" else Word(value, parameters)


def _attachment(value: str, parameters: Parameters) -> Property:
    if parameters.get("VALUE") != "BINARY":
        return Uri(value, parameters)
    try:
        return Binary(b64decode(value, validate=True), parameters)
    except (binascii.Error, ValueError):
        raise _malformed() from None


def _rule(value: str, parameters: Parameters) -> Property:
    rule = Rule(value, parameters)
    try:
        rule.content()
    except ValueError:
        raise Rejected("unknown-recurrence", "the rule of the series cannot be read") from None
    return rule


READERS: Mapping[str, Callable[[str, Parameters], Property]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_MOMENTS, _moment),
    **dict.fromkeys(("EXDATE", "RDATE"), _moments),
    **dict.fromkeys(("ATTENDEE", "ORGANIZER"), CalendarAddress),
    "CATEGORIES": _texts,
    "RRULE": _rule,
    "TRIGGER": _trigger,
    "ATTACH": _attachment,
    "URL": Uri,
}
"""By the name of the property. The others are no text of a person: they are kept as they stand."""


def _at(written: str) -> date:
    match = _TIME.fullmatch(written.strip())
    if match is None:
        raise _malformed()
    year, month, day, *clock = match.groups()
    try:
        if clock[0] is None:
            return date(int(year), int(month), int(day))
        hour, minute, second = (int(part) for part in clock[:3])
        zone = UTC if clock[3] else None
        return datetime(int(year), int(month), int(day), hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        raise Rejected("date-out-of-range", "a date that no calendar has; correct it at the source") from None


def _malformed() -> Rejected:
    return Rejected("malformed-record", "the object cannot be read as one event or task")
