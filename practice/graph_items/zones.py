"""Write times as Graph does: a wall clock and the name of its zone; and zones as MAPI stores them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from practice.calendar.timezones import ZONES, Rules, Switch, Zone
from practice.graph.errors import bad_request
from practice.graph.wire import Json

NEVER = "0001-01-01T00:00:00Z"
_YEARS = range(2015, 2036)
_LAST = 5
_RULE_HEAD = b"\x02\x01\x3e\x00"
_EFFECTIVE = 2


def zone_of(name: str | None) -> Zone:
    """Return the zone that a Prefer header names; UTC if it names none.

    Raises:
        GraphError: 400 for an unknown one.
    """
    zone = ZONES.get(name or "UTC")
    if zone is None:
        message = "A valid TimeZone value must be specified. The following TimeZone value is not supported: "
        raise bad_request(f"{message}'{name}'.", "TimeZoneNotSupportedException")
    return zone


def clock(moment: datetime, zone: Zone) -> Json:
    """Return a dateTimeTimeZone of a moment."""
    return written(local(moment, zone), zone.id)


def written(wall: datetime, zone: str) -> Json:
    """Return a dateTimeTimeZone of a wall clock time. Seven digits, all of them nought."""
    return {"dateTime": f"{wall:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + ".0000000", "timeZone": zone}


def local(moment: datetime, zone: Zone) -> datetime:
    """Return what the clocks of the zone show, naive."""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    rules = zone.rules(plain.year)
    for offset in (rules.standard, rules.daylight):
        if offset is not None and zone.utc(plain + timedelta(minutes=offset)) == moment:
            return plain + timedelta(minutes=offset)
    return plain + timedelta(minutes=rules.standard)


def precise(moment: datetime) -> str:
    """Return a DateTimeOffset of events and tasks: seven digits of a second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + ".0000000Z"


def definition(zone: Zone) -> bytes:
    """PidLidAppointmentTimeZoneDefinitionStartDisplay and its like (MS-OXOCAL 2.2.1.41)."""
    name = (zone.id if zone.known else zone.name).encode("utf-16-le")
    rules = [rule for at, _ in enumerate(zone.eras) for rule in _rules(zone, at)]
    head = struct.pack("<HH", 2, len(name) // 2) + name + struct.pack("<H", len(rules))
    return b"\x02\x01" + struct.pack("<H", len(head)) + head + b"".join(rules)


def _rules(zone: Zone, at: int) -> Iterator[bytes]:
    """Yield one rule for all years, or one a year for changes on a fixed day, which MAPI does not know."""
    since, rules = zone.eras[at]
    flags = _EFFECTIVE if at == len(zone.eras) - 1 else 0
    if all(switch is None or switch.day is None for switch in (rules.begins, rules.ends)):
        yield _rule(rules, since, None, flags)
        return
    until = zone.eras[at + 1][0] if at + 1 < len(zone.eras) else _YEARS.stop
    for year in range(max(since, _YEARS.start), until):
        yield _rule(rules, year, year, flags if year == until - 1 else 0)


def _rule(rules: Rules, since: int, year: int | None, flags: int) -> bytes:
    daylight = 0 if rules.daylight is None else rules.standard - rules.daylight
    head = struct.pack("<HH14x", flags, since)
    biases = struct.pack("<lll", -rules.standard, 0, daylight)
    ends, begins = _date(rules.ends, year), _date(rules.begins, year)
    return _RULE_HEAD + head + biases + ends + begins


def _date(switch: Switch | None, year: int | None) -> bytes:
    """Return a SYSTEMTIME: without a year, the day is which weekday of the month, 5 the last."""
    if switch is None:
        return bytes(16)
    hour, minute = divmod(switch.minutes, 60)
    if switch.day is not None and year is not None:
        return struct.pack("<8H", year, switch.month, 0, switch.day, hour, minute, 0, 0)
    nth = switch.nth if switch.nth > 0 else _LAST
    return struct.pack("<8H", 0, switch.month, (switch.weekday + 1) % 7, nth, hour, minute, 0, 0)
