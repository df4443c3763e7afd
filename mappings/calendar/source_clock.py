"""Find the clock time of a series whose start was computed by another law than that of its year.

Exchange gives the start of a series in UTC. It computes that moment with the rules of the zone that it has,
often the present ones for all years. Where a government has changed them since, the zone's history gives
another time on the clock, and near midnight another day. The series would then take place at that other time
in every year.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta

from mappings.calendar.times import EventSpan, moved
from mappings.fields.ews_xml import Element, text
from mappings.time.rrule import rule
from mappings.time.zones import Zone, naive
from model.errors import Rejected

CYCLE = timedelta(days=28 * 365 + 7)
"""28 years, in which the days of the week and the leap years come back, from 1901 to 2099."""
PRESENT = 2038
"""A year whose clocks follow the present law. Zone tables hold single changes up to 2037, and a rule then."""
FIRST_YEAR = 1901

_OFFSET = re.compile(r"\s*\d{4}-\d\d-\d\d([+-])(\d\d):(\d\d)\s*", re.ASCII)


def by_the_source_s_clock(when: EventSpan, recurrence: Element, named: Iterable[datetime]) -> EventSpan:
    """Return the times of a series by the clock that its source computed them with.

    Its start is one of the series' own days then. If it is one by the law of its year as well, another time
    counts only if the record says so: by the offset beside the first day, or by where it has occurrences.

    Args:
        when: the times by the law of the year.
        recurrence: the element.
        named: moments at which the series has occurrences by its rule.
    """
    if not isinstance(when.start, datetime) or when.zone.utc or when.zone.own:
        return when
    present = _by_present_law(when.zone, when.begins)
    if present is None or present == when.start or not _fits(recurrence, present):
        return when
    if _fits(recurrence, when.start) and not _is_said(when, present, recurrence, named):
        return when
    return moved(when, present)


def _by_present_law(zone: Zone, instant: datetime) -> datetime | None:
    """Return the wall time of an instant by the rules that the zone has today."""
    if not FIRST_YEAR <= instant.year < PRESENT:
        return None
    cycles = -(-(PRESENT - instant.year) // 28)
    return naive(zone.local(instant + cycles * CYCLE)) - cycles * CYCLE


def _fits(recurrence: Element, wall: datetime) -> bool:
    """Return True if the series begins at this wall time, by its rule and by the day that it states."""
    try:
        ruled = rule(recurrence, wall)
    except Rejected:
        return False
    return ruled.fits and ruled.first == wall


def _is_said(when: EventSpan, present: datetime, recurrence: Element, named: Iterable[datetime]) -> bool:
    """Return True if the record says that the clock was that of the present law."""
    offset = _stated_offset(recurrence)
    instant = when.begins.replace(tzinfo=None)
    if offset is not None:
        return instant + offset == present
    return set(_sure_times(when.zone, named)) == {present.time()}


def _stated_offset(recurrence: Element) -> timedelta | None:
    """Return the distance from UTC that stands beside the first day; None without one.

    Zero counts as none: a server writes it, too, where it was asked for times in UTC.
    """
    match = _OFFSET.fullmatch(text(recurrence, "t:*/t:StartDate"))
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return (-offset if match[1] == "-" else offset) or None


def _sure_times(zone: Zone, named: Iterable[datetime]) -> Iterator[time]:
    """Yield the clock times of moments at which the law of the year and the present one are the same."""
    for instant in named:
        present = _by_present_law(zone, instant)
        if present is not None and present == naive(zone.local(instant)):
            yield present.time()
