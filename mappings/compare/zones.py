"""Read the time zones of one calendar object, for comparing: see mappings.compare.semantic_digest."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import chain, islice, takewhile
from zoneinfo import ZoneInfo

from mappings.compare.content_lines import Block, ContentLine, Malformed
from mappings.compare.rrule import TooLong, rule_of, walls
from mappings.compare.time import DATE, DAY, FLOATING, UTC, Moment, parse, seconds

Local = Callable[[int], int]
"""From a local time, in seconds since 1970 as if it were UTC, to seconds since 1970.

Of an hour that comes twice it takes the first reading; of an hour that does not come, the reading with the
offset before the gap (RFC 5545 section 3.3.5).
"""

LAST_DAY = date(2200, 1, 1).toordinal()
"""How far the rules of a VTIMEZONE are followed."""

_MOST_ONSETS = 2000
_MOST_LETTERS = 100_000
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,3}")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d):?(\d\d)?", re.ASCII)


class Clock:
    """Know what the local times of one object are.

    A name of the IANA database is that zone, whatever the object's own VTIMEZONE says (as clients have it).
    Otherwise the VTIMEZONE counts; without one, a name that ends in one of the IANA database is that one.
    """

    def __init__(self, zones: Iterable[Block]) -> None:
        self._zones = {zone.value("TZID"): zone for zone in zones}
        self._known: dict[str, Local | None] = {}

    def local(self, zone: str) -> Local | None:
        """Return a zone's clock; None for an unknown zone.

        Raises:
            Malformed: its VTIMEZONE makes no sense.
        """
        if zone not in self._known:
            self._known[zone] = self._find(zone)
        return self._known[zone]

    def _find(self, zone: str) -> Local | None:
        if clock := database(zone):
            return clock
        if zone in self._zones:
            return onsets(spelling(self._zones[zone]))
        parts = zone.strip("/").split("/")
        endings = ("/".join(parts[-count:]) for count in (3, 2, 1) if count < len(parts))
        return next((clock for ending in endings if (clock := database(ending))), None)

    def moment(self, value: str, zone: str) -> Moment:
        """Return the moment of a value in a zone.

        Raises:
            Malformed: it is no date or time.
        """
        at, zulu = parse(value)
        return self.place(at, UTC if zulu else zone)

    def place(self, at: date, zone: str) -> Moment:
        """Return the moment of a date, or of a local time in a zone ("" floats, "utc" is UTC)."""
        if not isinstance(at, datetime):
            return DATE, at.toordinal()
        if zone == UTC:
            return UTC, seconds(at)
        if not zone:
            return FLOATING, seconds(at)
        local = self.local(zone)
        return (f"local {zone}", seconds(at)) if local is None else (UTC, local(seconds(at)))

    def moments(self, line: ContentLine) -> list[Moment]:
        """Return every value of a property such as EXDATE.

        Raises:
            Malformed: one of them is no date or time.
        """
        zone = line.parameter("TZID")
        return [self.moment(part, zone) for part in line.value.split(",") if part.strip()]


def database(zone: str) -> Local | None:
    """Return a zone of the IANA database; None for any other name.

    It is the database in the tzdata package, so that digests are the same on every machine.
    """
    return _loaded(zone) if _NAME.fullmatch(zone) else None


@lru_cache(maxsize=1024)
def _loaded(zone: str) -> Local | None:
    try:
        with files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
            epoch = datetime(1970, 1, 1, tzinfo=ZoneInfo.from_file(file, key=zone))
    except (ValueError, OSError):
        return None

    def local(wall: int) -> int:
        offset = (epoch + timedelta(seconds=wall)).utcoffset() or timedelta()
        return wall - offset.days * DAY - offset.seconds

    return local


Observance = tuple[str, str, str, tuple[str, ...], tuple[str, ...]]
"""DTSTART, TZOFFSETFROM, TZOFFSETTO, RRULEs and RDATEs, as they stand."""


def spelling(zone: Block) -> tuple[Observance, ...]:
    """Return the observances of a VTIMEZONE, in their order.

    Raises:
        Malformed: there is too much of them.
    """
    lines = (line for part in zone.blocks for lines_ in part.lines.values() for line in lines_)
    if sum(len(line.value) for line in lines) > _MOST_LETTERS:
        raise Malformed
    return tuple(
        (
            part.value("DTSTART"),
            part.value("TZOFFSETFROM"),
            part.value("TZOFFSETTO"),
            tuple(line.value for line in part.all("RRULE")),
            tuple(line.value for line in part.all("RDATE")),
        )
        for part in zone.blocks
    )


@lru_cache(maxsize=256)
def onsets(zone: tuple[Observance, ...]) -> Local:
    """Return the zone that a VTIMEZONE describes, up to the year 2200.

    Raises:
        Malformed: it describes none.
    """
    changes = sorted({change for part in zone for change in changes_of(part)})
    if not changes:
        raise Malformed
    starts = [start for start, _, _ in changes]

    def local(wall: int) -> int:
        index = bisect_right(starts, wall) - 1
        if index < 0:
            return wall - changes[0][1]
        start, before, after = changes[index]
        return wall - (before if wall < start + after - before else after)

    return local


def changes_of(part: Observance) -> Iterator[tuple[int, int, int]]:
    """Yield (wall clock before the change, offset before, offset after), in seconds, of an observance.

    Raises:
        Malformed: it makes no sense.
    """
    start, before, after, rules, dates = part
    first, offsets = _at(start), (_offset(before), _offset(after))
    yield (seconds(first), *offsets)
    for value in (each for line in dates for each in line.split(",") if each):
        yield (seconds(_at(value)), *offsets)
    for text in rules:
        for wall in _yearly(text, first, offsets[0]):
            yield (wall, *offsets)


def _yearly(text: str, first: datetime, offset: int) -> Iterator[int]:
    rule = rule_of(text)
    until = 10**12
    if rule.until:
        at, zulu = rule.until
        until = seconds(at) + (offset if zulu else 0) if isinstance(at, datetime) else seconds(_midnight(at))
    try:
        wall_times = chain.from_iterable(walls(rule, first, LAST_DAY))
        yield from takewhile(until.__ge__, islice(wall_times, min(rule.count or _MOST_ONSETS, _MOST_ONSETS)))
    except TooLong:
        raise Malformed from None


def _at(value: str) -> datetime:
    at, _ = parse(value.partition("/")[0])
    return at if isinstance(at, datetime) else _midnight(at)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _offset(value: str) -> int:
    match = _OFFSET.fullmatch(value)
    if not match:
        raise Malformed
    sign, hours, minutes, rest = match.groups()
    offset = int(hours) * 3600 + int(minutes) * 60 + int(rest or 0)
    return -offset if sign == "-" else offset
