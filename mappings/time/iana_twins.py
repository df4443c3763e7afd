"""Find a zone of the IANA database that keeps the same clock as a zone that a record describes itself.

Some servers know zones by their IANA names alone, and ignore a VTIMEZONE (EventHabits.own_zones). There a
zone may only be named if it tells the same time at every moment concerned: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources

from mappings.time.vtimezone import offset_changes
from mappings.time.windows_zones import iana_names
from mappings.time.zones import UTC_ZONE, Zone, named_zone

LAST_YEAR = 2100
"""How far the clocks of a series without end are compared."""

MOST_YEARS = 600
"""The longest span that is compared: each week of it is looked at in each zone that is alike so far."""

_AREAS = frozenset(
    {
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    }
)
_WELL_KNOWN = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Helsinki",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Australia/Sydney",
)
"""Asked first: of several zones with one clock, the one that most people know."""

_HOUR = timedelta(hours=1)
_FIRST, _LAST = datetime(2, 1, 1), datetime(9997, 12, 31)
_SECOND = timedelta(seconds=1)


def twin(zone: Zone, begin: datetime, end: datetime) -> Zone | None:
    """Return a zone of the IANA database that tells the same time as another at every moment of a span.

    Args:
        zone: the zone that a record describes.
        begin: of the span, aware.
        end: of the span, aware.

    Returns:
        A zone that is named by its distance from UTC where that does not change; None if there is none, or if
        the span has more than MOST_YEARS.
    """
    if end.year - begin.year > MOST_YEARS:
        return None
    return _twin(zone, _bounded(begin), _bounded(end))


def still(zone: Zone, begin: datetime, end: datetime) -> timedelta | None:
    """Return a zone's distance from UTC in a span; None if it changes.

    Args:
        zone: the zone.
        begin: of the span, aware.
        end: of the span, aware.
    """
    first, changes = offset_changes(zone, _bounded(begin), _bounded(end))
    return None if changes else first


def _bounded(at: datetime) -> datetime:
    naive = at.astimezone(UTC).replace(tzinfo=None)
    return min(max(naive, _FIRST), _LAST)


@lru_cache(maxsize=1024)
def _twin(zone: Zone, begin: datetime, end: datetime) -> Zone | None:
    wanted = offset_changes(zone, begin, end)
    first, changes = wanted
    if not changes and (fixed := _fixed(first)) is not None:
        return fixed
    probes = [begin, *(at + step for at, _ in changes for step in (-_SECOND, timedelta(0)))]
    offsets = [_offset(zone, at) for at in probes]
    for candidate in _candidates():
        alike = all(_offset(candidate, at) == offset for at, offset in zip(probes, offsets, strict=True))
        if alike and offset_changes(candidate, begin, end) == wanted:
            return candidate
    return None


def _offset(zone: Zone, at: datetime) -> timedelta:
    return at.replace(tzinfo=UTC).astimezone(zone.info).utcoffset() or timedelta(0)


def _fixed(offset: timedelta) -> Zone | None:
    """Return the zone of a distance in whole hours; no government changes it."""
    hours, rest = divmod(offset, _HOUR)
    if rest or not -12 <= hours <= 14:
        return None
    return named_zone(f"Etc/GMT{-hours:+d}") if hours else UTC_ZONE


def _candidates() -> Iterator[Zone]:
    for name in _names():
        zone = named_zone(name)
        if zone is not None and not zone.utc:
            yield zone


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    listed = resources.files("tzdata").joinpath("zones").read_text().split()
    areas = (name for name in listed if name.partition("/")[0] in _AREAS)
    return tuple(dict.fromkeys([*_WELL_KNOWN, *sorted(iana_names()), *sorted(areas)]))
