"""Describe the zones that the times of an object name: a VTIMEZONE each, for the years concerned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from mappings.fit.series_rule import series_rule
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Moments, Rule
from mappings.time.vtimezone import vtimezone_lines
from mappings.time.zones import UTC_ZONE, Zone, midnight, naive

_ENDLESS_YEARS = 10
_LAST_YEAR = 2087
"""tzdata knows no change by name beyond it; rules go on by themselves."""

_TIMES = ("DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RDATE")


def described_zones(
    event: Component, components: Iterable[Component], zones: Mapping[str, Zone]
) -> Iterator[bytes]:
    """Yield the lines of each VTIMEZONE, by name.

    Args:
        event: the event, or the series.
        components: it, and its changed occurrences.
        zones: by the name that times have.
    """
    stated = [each for one in components for name in _TIMES for each in one.properties.get(name, ())]
    named = [each for each in stated if isinstance(each, Moment | Moments) and "TZID" in each.parameters]
    if not named:
        return
    years = {at.year for each in named for at in each.several} | _years(event, zones)
    first, last = min(years), max(years)
    for name in sorted({each.parameters["TZID"] for each in named}):
        yield vtimezone_lines(zones[name], first, min(last, max(first + _ENDLESS_YEARS, _LAST_YEAR)))


def _years(event: Component, zones: Mapping[str, Zone]) -> set[int]:
    """Return the years for which a series' zone must be described, its last occurrence's among them."""
    start, rules = event.first("DTSTART"), event.properties.get("RRULE", [])
    if not isinstance(start, Moment) or not rules:
        return set()
    zone, first = zones.get(start.parameters.get("TZID", ""), UTC_ZONE), naive(midnight(start.at))
    rule, *others = (series_rule(each, zone) for each in rules if isinstance(each, Rule))
    last = first.year + _ENDLESS_YEARS
    if not rule.endless and not others:
        last = rule.last(first, datetime(min(max(last, _LAST_YEAR), 9998), 12, 31)).year
    return {first.year, max(first.year, last)}
