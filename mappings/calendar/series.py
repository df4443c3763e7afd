"""Read a series: its rule, its deleted occurrences, and which occurrence each modified one was.

An EXDATE or RECURRENCE-ID names an occurrence by where the rule put it, in the zone of the series. Exchange
gives that moment in UTC. If the clock skipped the hour, or if a moved series left other times behind, the
wall time must be found again. A series has at most one occurrence a day, so the day decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from mappings.calendar.source_clock import by_the_source_s_clock
from mappings.calendar.times import DAY, HALF_DAY, EventSpan, moved
from mappings.fields.ews_xml import Element, child, children, moment, text
from mappings.losses.catalogue import lose
from mappings.time.rrule import RecurrenceRule, Start, rule
from mappings.time.zones import Zone, midnight, naive, out_of_range
from model.errors import Rejected
from model.protocols import Loss

_DRIFT = timedelta(hours=3)
"""How far old occurrences stray when a government changed its clocks after they were written down."""

_YEARS = (1601, 4501)
_MORNING = 5
_MANY, _LAST_YEAR = 1000, 2100


@dataclass(frozen=True, slots=True)
class EventSeries:
    """Describe a series.

    Attributes:
        span: of the first occurrence.
        rule: of the series.
        deleted: starts, as the rule has them.
        modified: the elements of modified occurrences by the start that the rule has for them, ascending.
        losses: of the series.
    """

    span: EventSpan
    rule: RecurrenceRule
    deleted: tuple[Start, ...]
    modified: tuple[tuple[Start, Element], ...]
    losses: tuple[Loss, ...]


def series(master: Element, exceptions: list[Element], when: EventSpan) -> EventSeries:
    """Return a series.

    Raises:
        Rejected: "unknown-recurrence", "exception-without-origin", "empty-series" or "date-out-of-range".
    """
    recurrence = child(master, "t:Recurrence")
    if recurrence is None:
        raise Rejected("unknown-recurrence", "the series came without its recurrence; run again")
    origins = [(_origin(master, element), element) for element in exceptions]
    when = by_the_source_s_clock(when, recurrence, [*_deleted(master), *(at for at, _ in origins)])
    ruled = rule(recurrence, when.start, when.zone.info)
    losses: list[Loss] = []
    if not ruled.fits:
        losses.append(lose("start", "not-in-series"))
        when = moved(when, ruled.first)
    gone = [element for element in _deleted(master) if element not in {origin for origin, _ in origins}]
    days = _days(ruled, when, [*gone, *(origin for origin, _ in origins)])
    modified = _modified(origins, days, when, losses)
    named = [_named(element, days, when) for element in gone]
    if None in named:
        losses.append(lose("deleted-occurrence", "not-in-series"))
    deleted = {element for element in named if element is not None} - set(modified)
    _check(ruled, when.start, deleted, modified)
    if _stretched(ruled, when, deleted | set(modified)):
        losses.append(lose("end", "clock-change"))
    return EventSeries(when, ruled, tuple(sorted(deleted)), tuple(modified.items()), tuple(losses))


def _origin(master: Element, exception: Element) -> datetime:
    """Return where the rule put a modified occurrence, in UTC: by its own word, else by the master's."""
    for path in ("t:OriginalStart", "t:RecurrenceId"):
        own = moment(text(exception, path))
        if own is not None:
            return own.replace(microsecond=0)
    id_ = _id(exception)
    listed = (occurrence for occurrence in occurrences(master) if id_ and _id(occurrence) == id_)
    origin = next((moment(text(occurrence, "t:OriginalStart")) for occurrence in listed), None)
    if origin is None:
        raise Rejected("exception-without-origin", "a modified occurrence does not say which one it is")
    return origin.replace(microsecond=0)


def occurrences(master: Element) -> list[Element]:
    """Return what the master says of its modified occurrences: ids and times alone."""
    return children(master, "t:ModifiedOccurrences/t:Occurrence")


def _id(element: Element) -> str:
    id_element = child(element, "t:ItemId")
    return "" if id_element is None else id_element.get("Id") or ""


def missing(master: Element, exceptions: list[Element]) -> list[Element]:
    """Return the modified occurrences that the master names and the record does not hold."""
    ids = {_id(occurrence) for occurrence in exceptions}
    origins = {_origin(master, occurrence) for occurrence in exceptions}
    origins_of = (
        (occurrence, moment(text(occurrence, "t:OriginalStart"))) for occurrence in occurrences(master)
    )
    return [
        occurrence
        for occurrence, at in origins_of
        if at and at.replace(microsecond=0) not in origins and _id(occurrence) not in ids
    ]


def _deleted(master: Element) -> list[datetime]:
    starts = [
        moment(text(element, "t:Start"))
        for element in children(master, "t:DeletedOccurrences/t:DeletedOccurrence")
    ]
    return [element.replace(microsecond=0) for element in starts if element is not None]


def _days(ruled: RecurrenceRule, when: EventSpan, origins: list[datetime]) -> frozenset[Start]:
    """Return the starts of the series, as far as anything is named."""
    reached = [origin for origin in origins if _YEARS[0] <= origin.year <= _YEARS[1]]
    if not reached:
        return frozenset()
    latest = max(reached) + 2 * DAY
    starts: set[Start] = set()
    for start in ruled.starts(when.start):
        if midnight(start) > naive(latest):
            break
        starts.add(start)
    return frozenset(starts)


def _named(origin: datetime, days: frozenset[Start], when: EventSpan) -> Start | None:
    """Return the start that the rule has for an occurrence; None if it has none.

    It is that moment, else one a few hours from it, else one on that day.
    """
    near = [start for start in _near(origin, when) if start in days]
    closest = min(near, key=lambda start: _distance(start, origin, when.zone), default=None)
    if closest is not None and _distance(closest, origin, when.zone) <= _DRIFT:
        return closest
    return next((start for start in _near(origin, when)[:1] if start in days), None)


def _near(origin: datetime, when: EventSpan) -> list[Start]:
    """Return candidates on the day of an instant (the nearest midnight, for whole days), before and after it.

    The list is empty for an instant that Exchange's calendars do not reach.
    """
    if not _YEARS[0] <= origin.year <= _YEARS[1]:
        return []
    wall = naive(when.zone.local(origin))
    if not isinstance(when.start, datetime):
        return [(wall + HALF_DAY).date()]
    clock = when.start.time()
    days: list[date] = [wall.date() + timedelta(days=shift) for shift in (0, -1, 1)]
    return [datetime.combine(day, clock) for day in days]


def _distance(start: Start, origin: datetime, zone: Zone) -> timedelta:
    return abs(zone.instant(start) - origin) if isinstance(start, datetime) else timedelta(0)


def _modified(
    origins: Iterable[tuple[datetime, Element]], days: frozenset[Start], when: EventSpan, losses: list[Loss]
) -> dict[Start, Element]:
    made: dict[Start, Element] = {}
    for origin, element in sorted(origins, key=lambda pair: pair[0]):
        start = _named(origin, days, when)
        if start is None:
            # Kept under its own moment: clients show it, though the rule has no occurrence there.
            losses.append(lose("modified-occurrence", "not-in-series"))
            start = _own(origin, when)
        if start in made:
            losses.append(lose("modified-occurrence", "twice"))
        else:
            made[start] = element
    return dict(sorted(made.items()))


def _own(origin: datetime, when: EventSpan) -> Start:
    near = _near(origin, when)
    if not near:
        raise out_of_range()
    return naive(when.zone.local(origin)) if isinstance(near[0], datetime) else near[0]


def _check(ruled: RecurrenceRule, start: Start, deleted: set[Start], modified: dict[Start, Element]) -> None:
    """Refuse a series that never takes place: servers refuse it (Nextcloud 32: 403)."""
    left = next((occurrence for occurrence in ruled.starts(start) if occurrence not in deleted), None)
    if left is None and not modified:
        raise Rejected("empty-series", "every occurrence was deleted; delete the series at the source")


def _stretched(ruled: RecurrenceRule, when: EventSpan, apart: set[Start]) -> bool:
    """Return True if an occurrence lasts over a change of the clocks.

    RFC 5545 3.8.5.3 keeps the exact duration, Exchange the end's wall time. Clocks change at night: no other
    series is computed. `apart` are occurrences that are deleted, or have times of their own.
    """
    start, end = when.start, when.end
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return False
    if start.date() == end.date() and start.hour >= _MORNING:
        return False
    length, exact = end - start, when.ends - when.begins
    walls = (wall_ for wall_ in islice(ruled.starts(start), _MANY) if isinstance(wall_, datetime))
    return any(
        when.end_zone.instant(wall + length) - when.zone.instant(wall) != exact
        for wall in walls
        if wall.year < _LAST_YEAR and wall not in apart
    )
