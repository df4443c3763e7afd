"""Restate times for a server that knows IANA zones alone, and guesses for any other (EventHabits.own_zones).

Every moment stays what it is. A zone that a source describes itself becomes, in this order: an IANA zone that
keeps the same clock all the while; UTC, for what takes place once; UTC with the rule, if the clock stands
still; UTC with every date of the series, if it ends. What cannot be said so is Rejected: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice

from mappings.compare.rrule import DAILY, WEEKLY, TooLong
from mappings.fit.series_rule import SeriesRule, series_rule
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Moments, Rule
from mappings.losses.catalogue import lose
from mappings.time.iana_twins import LAST_YEAR, still, twin
from mappings.time.rrule import ORDER
from mappings.time.zones import UTC_ZONE, Zone, midnight, naive, out_of_range
from model.errors import Rejected
from model.protocols import Loss

MOST_DATES = 1000
"""The most dates that one series is written out to."""

_ENDLESS_YEARS = 10
_EARLIEST = datetime(2, 1, 2, tzinfo=UTC)
_DAY = timedelta(days=1)
_OF_WEEKS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"})
"""Parts of a rule by days or weeks whose weekdays can be later ones."""

_OF_DAYS = _OF_WEEKS | {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"}
"""Parts that say nothing of the clock."""

_RULES = ("RRULE", "EXRULE")
_DATES, _ORIGIN = ("EXDATE", "RDATE"), "RECURRENCE-ID"

At = tuple[Zone, datetime]
"""A time: its zone, and the wall time there."""

Clock = Callable[[datetime], At]
"""From a wall time of a series to that at the target."""


def fit_zones(event: Component, changed: Iterable[Component], zones: dict[str, Zone]) -> list[Loss]:
    """Restate the times of an event or a series in place, in zones that have IANA names.

    Args:
        event: the event, or the series.
        changed: the changed occurrences.
        zones: by the name that the times have; those that come in their place are added.

    Returns:
        What that loses.

    Raises:
        Rejected: "unknown-time-zone", "unknown-recurrence", "date-out-of-range".
    """
    if not any(zone.own for zone in zones.values()):
        return []
    return _Restating(event, tuple(changed), zones).losses()


class _Restating:
    """Restate one object."""

    def __init__(self, event: Component, changed: tuple[Component, ...], zones: dict[str, Zone]) -> None:
        self._event, self._changed, self._zones = event, changed, zones
        self._ending = "DUE" if event.name == "VTODO" else "DTEND"

    def losses(self) -> list[Loss]:
        """Restate it, and return what that loses."""
        start, losses = self._at(self._event, "DTSTART"), list[Loss]()
        if start is not None and "RRULE" in self._event.properties:
            losses = self._series(*start)
        elif "RRULE" in self._event.properties and self._is_own(self._event, self._ending):
            raise _unknown()  # a task that comes back by the day on which it is due
        for each in (self._event, *self._changed):
            self._once(each)
        return losses

    def _zone_of(self, stated: Moment | Moments) -> Zone | None:
        """Return the zone of times; None for days, and for times that float."""
        name, at = stated.parameters.get("TZID"), stated.several[0]
        if name is not None:
            return self._zones[name]
        return UTC_ZONE if isinstance(at, datetime) and at.tzinfo is not None else None

    def _at(self, component: Component, name: str) -> At | None:
        """Return a time; None if there is none, for a day, and for a time that floats."""
        stated = component.first(name)
        if not isinstance(stated, Moment) or not isinstance(stated.at, datetime):
            return None
        zone = self._zone_of(stated)
        return None if zone is None else (zone, naive(stated.at))

    def _is_own(self, component: Component, name: str) -> bool:
        at = self._at(component, name)
        return at is not None and at[0].own

    def _put(self, component: Component, name: str, at: At) -> None:
        zone, wall = at
        component.set(name, zone.stated(wall))
        self._zones[zone.id] = zone

    def _once(self, component: Component) -> None:
        """Restate the times of what takes place once."""
        start, end = self._at(component, "DTSTART"), self._at(component, self._ending)
        if start is not None and any(at is not None and at[0].own for at in (start, end)):
            begins, ends = (zone.instant(wall) for zone, wall in (start, end or start))
            years = _years_around(begins, ends)
            known = _known(start[0], *years) or UTC_ZONE
            self._put(component, "DTSTART", _wall(known, begins))
            if end is not None:
                self._put(component, self._ending, _wall(_known(end[0], *years) or known, ends))
        elif start is None and end is not None and end[0].own:
            ends = end[0].instant(end[1])
            known = _known(end[0], *_years_around(ends, ends)) or UTC_ZONE
            self._put(component, self._ending, _wall(known, ends))
        for name in (*_DATES, _ORIGIN):
            named = (each.parameters.get("TZID", "") for each in component.properties.get(name, ()))
            own = next((zone for each in named if (zone := self._zones.get(each)) and zone.own), None)
            if own is not None:
                self._restate(component, name, own, _in_utc(own))

    def _series(self, zone: Zone, first: datetime) -> list[Loss]:
        """Restate a series; its changed occurrences only say which ones they are."""
        if not zone.own:
            self._move(zone, first, lambda wall: (zone, wall))
            return []
        rule = self._rule(zone)
        begin, end = self._reach(rule, zone, first)
        known = twin(zone, *_years_around(begin, end)) or twin(zone, begin, end)
        if known is not None:
            self._move(zone, first, lambda wall: (known, wall))
            return []
        ruled = None if still(zone, begin, end) is None else _rule_in_utc(rule, zone, first)
        if ruled is None:
            self._write_out(rule, zone, first)
        else:
            self._event.set("RRULE", Rule(ruled))
            self._move(zone, first, _in_utc(zone))
        return [lose("time-zone", "zone-of-series")]

    def _rule(self, zone: Zone) -> SeriesRule:
        rule, *others = (each for name in _RULES for each in self._event.properties.get(name, ()))
        if others or not isinstance(rule, Rule):
            raise _unknown()
        return series_rule(rule, zone)

    def _move(self, zone: Zone, first: datetime, clock: Clock) -> None:
        """Restate the times of a series by another clock; an end in another zone says one moment only."""
        end, (known, start) = self._at(self._event, self._ending), clock(first)
        self._put(self._event, "DTSTART", (known, start))
        if end is not None and end[0] == zone:
            self._put(self._event, self._ending, clock(end[1]))
        elif end is not None and end[0].own:
            self._put(self._event, self._ending, _wall(known, end[0].instant(end[1])))
        for name in _DATES:
            self._restate(self._event, name, zone, clock)
        for each in self._changed:
            self._restate(each, _ORIGIN, zone, clock)

    def _restate(self, component: Component, name: str, zone: Zone, clock: Clock) -> None:
        """Restate dates by the clock of a zone; days and times that float stay."""
        for stated in component.properties.pop(name, ()):
            if not isinstance(stated, Moment | Moments):  # RDATE can have periods
                raise _unknown()
            made = [known.stated(wall) for known, wall in map(clock, self._walls(stated, zone))]
            if self._zone_of(stated) is None:
                component.add(name, stated)
            elif isinstance(stated, Moment):
                component.add(name, made[0])
            else:
                component.add(name, Moments(tuple(one.at for one in made), made[0].parameters))

    def _walls(self, stated: Moment | Moments, zone: Zone) -> list[datetime]:
        """Return dates by the clock of a series."""
        own = self._zone_of(stated)
        if own is None or own == zone:
            return [naive(midnight(at)) for at in stated.several]
        return [naive(zone.local(own.instant(naive(midnight(at))))) for at in stated.several]

    def _named(self, component: Component, name: str, zone: Zone) -> list[datetime]:
        found = component.properties.get(name, ())
        return [
            wall for each in found if isinstance(each, Moment | Moments) for wall in self._walls(each, zone)
        ]

    def _reach(self, rule: SeriesRule, zone: Zone, first: datetime) -> tuple[datetime, datetime]:
        """Return the first and last moment that a series names, or the last that is compared.

        What lies beyond keeps the wall times of the rule, which goes on there, too.
        """
        named = [wall for name in _DATES for wall in self._named(self._event, name, zone)]
        named += [wall for each in self._changed for wall in self._named(each, _ORIGIN, zone)]
        horizon = datetime(max(LAST_YEAR, min(first.year + _ENDLESS_YEARS, 9000)), 1, 1)
        last = min(max([rule.last(first, horizon), first, *named]), horizon)  # it may end before it begins
        return max(zone.instant(min([first, *named])), _EARLIEST) - _DAY, zone.instant(last) + _DAY

    def _write_out(self, rule: SeriesRule, zone: Zone, first: datetime) -> None:
        """Make it a series of single dates; raise Rejected for one that has too many.

        Open-Xchange keeps dates only beside a rule, and shows nothing after the last day of that rule. So the
        rule has the first occurrence, and a day after the last one that is taken out.
        """
        gone = set(self._named(self._event, "EXDATE", zone))
        starts = [*_starts(rule, first), *self._named(self._event, "RDATE", zone)]
        clock = _in_utc(zone)
        kept = {clock(wall)[1] for wall in starts if wall not in gone}
        begins = clock(first)[1]
        days = (max([begins, *kept]) - begins) // _DAY + 1
        for name in _DATES:
            self._event.remove(name)
        self._move(zone, first, clock)
        self._event.set("RRULE", Rule(f"FREQ=DAILY;INTERVAL={days};COUNT=2"))
        for deleted in (*({begins} - kept), _later_day(begins, days)):
            self._event.add("EXDATE", UTC_ZONE.stated(deleted))
        if added := sorted(kept - {begins}):
            self._event.add("RDATE", Moments(tuple(UTC_ZONE.stated(wall).at for wall in added)))


def _known(zone: Zone, begin: datetime, end: datetime) -> Zone | None:
    """Return a zone's IANA twin in the years around an event: in one day too many zones are alike."""
    return twin(zone, begin, end) if zone.own else zone


def _years_around(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    first, last = max(begin.year - 1, 2), min(end.year + 2, 9997)
    return datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)


def _wall(zone: Zone, instant: datetime) -> At:
    """Return a moment in a zone; in UTC if no wall time there names it."""
    wall = naive(zone.local(instant))
    return (zone, wall) if zone.instant(wall) == instant else (UTC_ZONE, naive(instant))


def _in_utc(zone: Zone) -> Clock:
    return lambda wall: (UTC_ZONE, naive(zone.instant(wall)))


def _starts(rule: SeriesRule, first: datetime) -> list[datetime]:
    try:
        starts = [] if rule.endless else list(islice(rule.starts(first), MOST_DATES + 1))
    except TooLong:
        raise _unknown() from None
    if not 0 < len(starts) <= MOST_DATES:
        raise _unknown()
    return starts


def _unknown() -> Rejected:
    return Rejected("unknown-time-zone", "the target knows no such time zone; choose another, and run again")


def _rule_in_utc(rule: SeriesRule, zone: Zone, first: datetime) -> str | None:
    """Return a rule by UTC's clock if its zone's clock stands still; None if no rule has these days there.

    A week's days move with the date in UTC; a month's would be another rule.
    """
    parts = dict(part.split("=", 1) for part in rule.text.split(";") if part)
    if not parts.keys() <= _OF_DAYS:
        return None
    if rule.until is not None and not parts["UNTIL"].endswith("Z"):
        parts["UNTIL"] = Moment(zone.instant(rule.until)).content()
    days = (zone.instant(first).date() - first.date()) // _DAY
    if days and not _shift(parts, days):
        return None
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _shift(parts: dict[str, str], days: int) -> bool:
    """Make the weekdays of a rule so many days later; return False for a rule of more than weekdays."""
    weekdays = {name: parts[name].split(",") for name in ("BYDAY", "WKST") if name in parts}
    if parts["FREQ"] == WEEKLY:
        weekdays.setdefault("WKST", [ORDER[0]])
    elif parts["FREQ"] != DAILY:
        return False
    if not parts.keys() <= _OF_WEEKS or not {day for each in weekdays.values() for day in each} <= {*ORDER}:
        return False
    for name, each in weekdays.items():
        parts[name] = ",".join(ORDER[(ORDER.index(day) + days) % len(ORDER)] for day in each)
    return True


def _later_day(first: datetime, days: int) -> datetime:
    try:
        return first + days * _DAY
    except OverflowError:
        raise out_of_range() from None
