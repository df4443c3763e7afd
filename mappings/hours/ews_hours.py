"""Read working hours from the configuration `WorkHours` of a calendar folder, as EWS gives it.

The record is <t:UserConfiguration> with the configuration's XML in base64.

Source:
    MS-OXOCFG, 2.2.5.3 (the XML of working hours);
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/userconfiguration
"""

from __future__ import annotations

import base64
import binascii
import re

from mappings.fields.ews_xml import Element, child, inner_xml, items
from mappings.hours.working_hours import DAY, WorkingHours
from mappings.hours.yearly_zone import ClockChange, zone_of
from mappings.time.rrule import DAYS
from mappings.time.zones import Zone
from model.errors import Rejected
from model.protocols import Native

SPACE = "{WorkingHours.xsd}"
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?", re.ASCII)
_DATE = re.compile(r"(\d{4})/(\d\d)/(\d\d)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)
_PLURALS = {"weekdays": "weekday", "weekenddays": "weekendday", "alldays": "day"}


def ews_hours(native: Native) -> WorkingHours:
    """Return the working hours that a record states.

    Raises:
        Rejected: "malformed-record".
    """
    hours = _hours(items(native)[0])
    zone = _below(hours, "TimeZone")
    words = _text(hours, "WorkDays").lower().split()
    days = [day for word in words for day in DAYS.get(_PLURALS.get(word, word), ())]
    spans = [(_minute(_text(slot, "Start")), _minute(_text(slot, "End"))) for slot in _all(hours, "TimeSlot")]
    stated = tuple((begin, end) for begin, end in spans if begin is not None and end is not None)
    return WorkingHours(
        frozenset(days),
        stated if len(stated) == len(spans) else (),
        None if zone is None else _zone(zone),
    )


def _hours(configuration: Element) -> Element:
    holder = child(configuration, "t:XmlData")
    try:
        data = base64.b64decode("" if holder is None else holder.text or "")
    except binascii.Error:
        raise Rejected("malformed-record", "the configuration is no base64") from None
    root = inner_xml(data)
    hours = None if root is None else _below(root, "WorkHoursVersion1")
    if hours is None:
        raise Rejected("malformed-record", "the configuration holds no working hours")
    return hours


def _zone(element: Element) -> Zone | None:
    return zone_of(
        _text(element, "Name"),
        _number(_text(element, "Bias")),
        _change(_below(element, "Standard")),
        _change(_below(element, "DaylightSavings")),
    )


def _change(element: Element | None) -> ClockChange:
    """Return a change of the clock; the date "0000/10/05" means the last such weekday of October."""
    when = None if element is None else _below(element, "ChangeDate")
    bias = 0 if element is None else _number(_text(element, "Bias"))
    if when is None or bias is None:
        return ClockChange(bias or 0)
    date, weekday = _DATE.fullmatch(_text(when, "Date")), _number(_text(when, "DayOfWeek"))
    minute = _minute(_text(when, "Time"))
    if date is None or weekday is None or minute is None:
        return ClockChange(bias, month=-1)  # it changes, and nobody knows when
    year, month, week = map(int, date.groups())
    return ClockChange(bias, month, (weekday - 1) % 7, week, minute, year)


def _minute(clock: str) -> int | None:
    """Return the minute of the day: the end of a day may be 24:00."""
    match = _CLOCK.fullmatch(clock)
    if match is None:
        return None
    hours, minutes = int(match[1]), int(match[2])
    return hours * 60 + minutes if minutes < 60 and hours * 60 + minutes <= DAY else None


def _number(digits: str) -> int | None:
    return int(digits) if _NUMBER.fullmatch(digits) else None


def _below(element: Element, name: str) -> Element | None:
    return next(iter(_all(element, name)), None)


def _all(element: Element, name: str) -> list[Element]:
    return element.findall(SPACE + name)


def _text(element: Element, name: str) -> str:
    found = _below(element, name)
    return "" if found is None else (found.text or "").strip()
