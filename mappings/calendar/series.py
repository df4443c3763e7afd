"""A series: its rule, its deleted occurrences, and which occurrence each modified one was.

An EXDATE or RECURRENCE-ID names an occurrence by where the rule put it, in the zone of the series. Exchange
tells that moment in UTC: where the clock skipped the hour, and where a moved series left other times behind,
the wall time must be found again. A series has at most one occurrence a day, so the day decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice

from mappings.calendar.times import DAY, HALF_DAY, EventSpan, naive
from mappings.fields.ews_xml import Element, child, children, moment, text
from mappings.losses.catalogue import lose
from mappings.time.rrule import RecurrenceRule, Start, rule
from mappings.time.zones import Zone, out_of_range
from model.errors import Rejected
from model.protocols import Loss

_DRIFT = timedelta(hours=3)
"""How far old occurrences stray when a government changed its clocks after they were written down."""

_YEARS = (1601, 4501)
_MORNING = 5
_MANY, _LAST_YEAR = 1000, 2100


@dataclass(frozen=True, slots=True)
class EventSeries:
    """span: of the first occurrence. deleted: starts, as the rule has them. modified: the elements of
    modified occurrences by the start the rule has for them, ascending."""

    span: EventSpan
    rule: RecurrenceRule
    deleted: tuple[Start, ...]
    modified: tuple[tuple[Start, Element], ...]
    losses: tuple[Loss, ...]


def series(master: Element, exceptions: list[Element], found: EventSpan) -> EventSeries:
    """Raises Rejected: unknown-recurrence, exception-without-origin, empty-series, date-out-of-range."""
    recurrence = child(master, "t:Recurrence")
    if recurrence is None:
        raise Rejected("unknown-recurrence", "the series came without its recurrence; run again")
    ruled = rule(recurrence, found.start, found.zone.info)
    losses: list[Loss] = []
    if not ruled.fits:
        losses.append(lose("start", "not-in-series"))
        found = _moved(found, ruled.first)
    origins = [(_origin(master, one), one) for one in exceptions]
    gone = [one for one in _deleted(master) if one not in {origin for origin, _ in origins}]
    days = _days(ruled, found, [*gone, *(origin for origin, _ in origins)])
    modified = _modified(origins, days, found, losses)
    named = [_named(one, days, found) for one in gone]
    if None in named:
        losses.append(lose("deleted-occurrence", "not-in-series"))
    deleted = {one for one in named if one is not None} - set(modified)
    _check(ruled, found.start, deleted, modified)
    if _stretched(ruled, found, deleted | set(modified)):
        losses.append(lose("end", "clock-change"))
    return EventSeries(found, ruled, tuple(sorted(deleted)), tuple(modified.items()), tuple(losses))


def _moved(found: EventSpan, start: Start) -> EventSpan:
    """The same length of time from another start on."""
    shift = _midnight(start) - _midnight(found.start)
    try:
        end = None if found.end is None else found.end + shift
        return replace(found, start=start, end=end, begins=found.begins + shift, ends=found.ends + shift)
    except OverflowError:
        raise out_of_range() from None


def _midnight(start: Start) -> datetime:
    return start if isinstance(start, datetime) else datetime(start.year, start.month, start.day)


def _origin(master: Element, exception: Element) -> datetime:
    """Where the rule put a modified occurrence, in UTC: by its own word, else by the master's."""
    for path in ("t:OriginalStart", "t:RecurrenceId"):
        own = moment(text(exception, path))
        if own is not None:
            return own.replace(microsecond=0)
    id_ = _id(exception)
    listed = (one for one in occurrences(master) if id_ and _id(one) == id_)
    known = next((moment(text(one, "t:OriginalStart")) for one in listed), None)
    if known is None:
        raise Rejected("exception-without-origin", "a modified occurrence does not say which one it is")
    return known.replace(microsecond=0)


def occurrences(master: Element) -> list[Element]:
    """What the master says of its modified occurrences: ids and times alone."""
    return children(master, "t:ModifiedOccurrences/t:Occurrence")


def _id(element: Element) -> str:
    found = child(element, "t:ItemId")
    return "" if found is None else found.get("Id") or ""


def missing(master: Element, exceptions: list[Element]) -> list[Element]:
    """The modified occurrences that the master names and the record does not hold."""
    ids = {_id(one) for one in exceptions}
    origins = {_origin(master, one) for one in exceptions}
    known = ((one, moment(text(one, "t:OriginalStart"))) for one in occurrences(master))
    return [
        one for one, at in known if at and at.replace(microsecond=0) not in origins and _id(one) not in ids
    ]


def _deleted(master: Element) -> list[datetime]:
    found = [
        moment(text(one, "t:Start")) for one in children(master, "t:DeletedOccurrences/t:DeletedOccurrence")
    ]
    return [one.replace(microsecond=0) for one in found if one is not None]


def _days(ruled: RecurrenceRule, found: EventSpan, origins: list[datetime]) -> frozenset[Start]:
    """The starts of the series as far as anything is named."""
    reached = [origin for origin in origins if _YEARS[0] <= origin.year <= _YEARS[1]]
    if not reached:
        return frozenset()
    latest = max(reached) + 2 * DAY
    starts: set[Start] = set()
    for start in ruled.starts(found.start):
        if _midnight(start) > naive(latest):
            break
        starts.add(start)
    return frozenset(starts)


def _named(origin: datetime, days: frozenset[Start], found: EventSpan) -> Start | None:
    """The start the rule has for an occurrence: that moment, else a few hours from it, else that day. None
    when it has none."""
    near = [start for start in _near(origin, found) if start in days]
    closest = min(near, key=lambda start: _distance(start, origin, found.zone), default=None)
    if closest is not None and _distance(closest, origin, found.zone) <= _DRIFT:
        return closest
    return next((start for start in _near(origin, found)[:1] if start in days), None)


def _near(origin: datetime, found: EventSpan) -> list[Start]:
    """Candidates on the day of an instant (the nearest midnight, for whole days), before and after it. None
    for an instant that Exchange's calendars do not reach."""
    if not _YEARS[0] <= origin.year <= _YEARS[1]:
        return []
    wall = naive(found.zone.local(origin))
    if not isinstance(found.start, datetime):
        return [(wall + HALF_DAY).date()]
    clock = found.start.time()
    days: list[date] = [wall.date() + timedelta(days=shift) for shift in (0, -1, 1)]
    return [datetime.combine(day, clock) for day in days]


def _distance(start: Start, origin: datetime, zone: Zone) -> timedelta:
    return abs(zone.instant(start) - origin) if isinstance(start, datetime) else timedelta(0)


def _modified(
    origins: Iterable[tuple[datetime, Element]], days: frozenset[Start], found: EventSpan, losses: list[Loss]
) -> dict[Start, Element]:
    made: dict[Start, Element] = {}
    for origin, element in sorted(origins, key=lambda one: one[0]):
        start = _named(origin, days, found)
        if start is None:
            # Kept under its own moment: clients show it, though the rule has no occurrence there.
            losses.append(lose("modified-occurrence", "not-in-series"))
            start = _own(origin, found)
        if start in made:
            losses.append(lose("modified-occurrence", "twice"))
        else:
            made[start] = element
    return dict(sorted(made.items()))


def _own(origin: datetime, found: EventSpan) -> Start:
    near = _near(origin, found)
    if not near:
        raise out_of_range()
    return naive(found.zone.local(origin)) if isinstance(near[0], datetime) else near[0]


def _check(ruled: RecurrenceRule, start: Start, deleted: set[Start], modified: dict[Start, Element]) -> None:
    """A series must take place at least once: servers refuse it else (Nextcloud 32: 403)."""
    left = next((one for one in ruled.starts(start) if one not in deleted), None)
    if left is None and not modified:
        raise Rejected("empty-series", "every occurrence was deleted; delete the series at the source")


def _stretched(ruled: RecurrenceRule, found: EventSpan, apart: set[Start]) -> bool:
    """Whether an occurrence lasts over a change of the clocks: RFC 5545 3.8.5.3 keeps the exact duration,
    Exchange the end's wall time. Clocks change at night: no other series is worked out. apart: occurrences
    that are deleted, or have times of their own."""
    start, end = found.start, found.end
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return False
    if start.date() == end.date() and start.hour >= _MORNING:
        return False
    length, exact = end - start, found.ends - found.begins
    walls = (one for one in islice(ruled.starts(start), _MANY) if isinstance(one, datetime))
    return any(
        found.end_zone.instant(wall + length) - found.zone.instant(wall) != exact
        for wall in walls
        if wall.year < _LAST_YEAR and wall not in apart
    )
