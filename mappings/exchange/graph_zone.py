"""Read the time zone of an event over Graph, as EWS would describe it.

Graph names a Windows zone, or says "tzone://Microsoft/Custom" of a zone without a name. Then Outlook's own
description counts, a structure of MAPI: PidLidAppointmentTimeZoneDefinition... (MS-OXOCAL 2.2.1.41), or the
older PidLidTimeZoneStruct (2.2.1.39). It becomes Periods and Transitions.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mappings.exchange.graph_json import add
from mappings.fields.ews_xml import Element
from mappings.time.zones import named_zone

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LAST_WEEK = 5
_RULE, _RULE_BYTES = struct.Struct("<BBHHH14xlll8H8H"), 66
_STRUCT = struct.Struct("<lllH8HH8H")
_EARLIEST, _LATEST = 1900, 2199


@dataclass(frozen=True, slots=True)
class Switch:
    """Say when clocks change (SYSTEMTIME).

    Without a year, `weekday` counts, and `day` is which of them in the month, 5 for the last.
    """

    year: int
    month: int
    weekday: int
    day: int
    hour: int
    minute: int

    @property
    def whole(self) -> bool:
        """Return True if the fields make a day."""
        in_month = 1 <= self.day <= (31 if self.year else _LAST_WEEK)
        return 1 <= self.month <= 12 and in_month and self.weekday < 7 and self.hour < 24 and self.minute < 60


@dataclass(frozen=True, slots=True)
class ZoneRule:
    """Describe a zone from a year on.

    It holds minutes from local time to UTC, and when the clocks change (None: never).
    """

    year: int
    standard: int
    daylight: int
    to_standard: Switch | None
    to_daylight: Switch | None


def zone(element: Element, tag: str, name: str, *descriptions: str) -> None:
    """Add <t:StartTimeZone> or the like.

    Without a name and a description nothing is added. An unknown name stays, and the mapping rejects it.

    Args:
        element: the item.
        tag: the name of the new element.
        name: the Windows zone; "" if there is none.
        descriptions: base64, the best first.
    """
    if named_zone(name) is not None:
        add(element, tag, Id=name)
        return
    for written in descriptions:
        key, rules = described(written)
        if named_zone(key) is not None:
            add(element, tag, Id=key)
            return
        if rules:
            _definition(add(element, tag, Id=name or key), rules)
            return
    if name:
        add(element, tag, Id=name)


def described(text: str) -> tuple[str, list[ZoneRule]]:
    """Return the name in a description and its rules; ("", []) for a damaged one."""
    try:
        data = base64.b64decode(text, validate=True)
        return _old(data) if len(data) == _STRUCT.size else _definition_of(data)
    except (binascii.Error, struct.error, UnicodeDecodeError, ValueError):
        return "", []


def _definition_of(data: bytes) -> tuple[str, list[ZoneRule]]:
    """Read a definition: header, the name's UTF-16 characters, how many rules, rules of 66 bytes."""
    _, _, head, _, length = struct.unpack_from("<BBHHH", data)
    name = data[8 : 8 + 2 * length].decode("utf-16-le")
    (count,) = struct.unpack_from("<H", data, 2 + head)
    at = 4 + head
    rules = [_rule(data, at + n * _RULE_BYTES) for n in range(count)]
    return name, sorted(rules, key=lambda rule: rule.year)


def _rule(data: bytes, at: int) -> ZoneRule:
    _, _, _, _, year, bias, standard, daylight, *switches = _RULE.unpack_from(data, at)
    return _made(year, bias, standard, daylight, switches[:8], switches[8:])


def _old(data: bytes) -> tuple[str, list[ZoneRule]]:
    bias, standard, daylight, _, *rest = _STRUCT.unpack(data)
    return "", [_made(0, bias, standard, daylight, rest[:8], rest[9:])]


def _made(year: int, bias: int, standard: int, daylight: int, ends: list[int], begins: list[int]) -> ZoneRule:
    to_standard, to_daylight = _switch(ends), _switch(begins)
    if to_standard is None or to_daylight is None:
        to_standard = to_daylight = None
    return ZoneRule(year, bias + standard, bias + daylight, to_standard, to_daylight)


def _switch(fields: list[int]) -> Switch | None:
    """Return a switch; None if clocks do not change. Raise ValueError if it is no day."""
    year, month, weekday, day, hour, minute, _, _ = fields
    if not month:
        return None
    switch = Switch(year, month, weekday, day, hour, minute)
    if not switch.whole:
        raise ValueError("no day")
    return switch


def _definition(whole: Element, rules: list[ZoneRule]) -> None:
    periods, groups, turns = (add(whole, name) for name in ("Periods", "TransitionsGroups", "Transitions"))
    kept = _distinct(rules)
    for at, rule in enumerate(kept):
        for name, bias in _halves(rule):
            add(periods, "Period", Bias=_duration(bias), Name=name, Id=f"{name}-{at}")
        _group(add(groups, "TransitionsGroup", Id=str(at)), rule, at)
        turn = add(turns, "AbsoluteDateTransition" if at else "Transition")
        add(turn, "To", str(at), Kind="Group")
        if at:
            year = min(max(rule.year, _EARLIEST), _LATEST)
            add(turn, "DateTime", f"{year:04d}-01-01T00:00:00")


def _distinct(rules: list[ZoneRule]) -> list[ZoneRule]:
    """Drop rules that only repeat the one before: clocks that change on a fixed day have a rule each year."""
    kept: list[ZoneRule] = []
    for rule in rules:
        if not kept or _lasting(kept[-1]) != _lasting(rule):
            kept.append(rule)
    return kept


def _lasting(rule: ZoneRule) -> tuple[object, ...]:
    switches = (rule.to_standard, rule.to_daylight)
    return (rule.standard, rule.daylight, *(_mark(switch) for switch in switches))


def _mark(switch: Switch | None) -> tuple[int, ...] | None:
    """Return what is the same in every year."""
    if switch is None:
        return None
    weekday = -1 if switch.year else switch.weekday
    return (bool(switch.year), switch.month, weekday, switch.day, switch.hour, switch.minute)


def _halves(rule: ZoneRule) -> Iterator[tuple[str, int]]:
    yield "Standard", rule.standard
    if rule.to_daylight is not None:
        yield "Daylight", rule.daylight


def _group(group: Element, rule: ZoneRule, at: int) -> None:
    halves = [("Standard", rule.to_standard), ("Daylight", rule.to_daylight)]
    switches = [(name, switch) for name, switch in halves if switch is not None]
    for name, switch in sorted(switches, key=lambda pair: pair[1].month):
        _turn(group, switch, f"{name}-{at}")
    if not switches:
        add(add(group, "Transition"), "To", f"Standard-{at}", Kind="Period")


def _turn(group: Element, switch: Switch, period: str) -> None:
    turn = add(group, "RecurringDateTransition" if switch.year else "RecurringDayTransition")
    add(turn, "To", period, Kind="Period")
    add(turn, "TimeOffset", f"PT{switch.hour * 60 + switch.minute}M")
    add(turn, "Month", str(switch.month))
    if switch.year:
        add(turn, "Day", str(switch.day))
    else:
        add(turn, "DayOfWeek", DAYS[switch.weekday])
        add(turn, "Occurrence", str(-1 if switch.day == _LAST_WEEK else switch.day))


def _duration(minutes: int) -> str:
    return f"{'-' if minutes < 0 else ''}PT{abs(minutes)}M"
