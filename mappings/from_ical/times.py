"""Restate the times of an event or a task as the readers of Exchange give them.

Each time names its zone by our name for it, the dates of a series stand in the zone of its start, and what
has a DURATION has an end. Whole days and times that float stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from mappings.compare.content_lines import Malformed
from mappings.compare.time import length
from mappings.from_ical.properties import moment_of, unknown_recurrence
from mappings.from_ical.zone_names import SourceZones
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Moments, Parameters, Property, Word
from mappings.losses.catalogue import lose
from mappings.time.zones import UTC_ZONE, Zone, naive, out_of_range
from model.errors import Rejected
from model.protocols import Loss

DAY = timedelta(days=1)
_ENDS = {"VEVENT": "DTEND", "VTODO": "DUE"}
_OF_SERIES = ("RRULE", "EXRULE", "RDATE", "EXDATE")
_STAMPS = ("DTSTAMP", "CREATED", "LAST-MODIFIED")

Instant = tuple[str, datetime]
"""Its kind, "date", "floating" or "utc", and the moment as if it were in UTC."""


class ItemTimes:
    """Restate the components of one object in place, and gather what that loses.

    Attributes:
        losses: what is lost.
    """

    def __init__(self, zones: SourceZones) -> None:
        """Read nothing yet."""
        self._zones = zones
        self.losses: list[Loss] = []

    def restate(self, components: Iterable[Component]) -> None:
        """Restate an event or a task and its changed occurrences.

        Args:
            components: the event or task first, if the object has it.

        Raises:
            Rejected: "malformed-record", "unknown-time-zone", "unknown-recurrence" or "date-out-of-range".
        """
        master: Component | None = None
        for component in components:
            occurrence = component.first("RECURRENCE-ID")
            if occurrence is not None and "RANGE" in occurrence.parameters:
                raise unknown_recurrence()
            self._own(component)
            if not isinstance(occurrence, Moment):
                master = component
                self._dates(component)
            else:
                self._without_dates(component)
                self._origin(component, occurrence, component if master is None else master)

    def _own(self, component: Component) -> None:
        """Restate when a component takes place, and when it was made."""
        end = _ENDS[component.name]
        for name in ("DTSTART", end):
            if isinstance(stated := component.first(name), Moment):
                component.set(name, self._stated(stated.at, stated.parameters))
        for part in (component, *component.inner):
            for name in (*_STAMPS, "COMPLETED", "ACKNOWLEDGED", "TRIGGER"):
                self._in_utc(part, name)
        self._without_duration(component, end)
        self._check_end(component, end)

    def _stated(self, at: date, parameters: Parameters) -> Moment:
        """Return a date or a time with our name for its zone."""
        if not isinstance(at, datetime) or at.tzinfo is not None or "TZID" not in parameters:
            return Moment(at)
        return self._zones.zone(parameters["TZID"]).stated(at)

    def _in_utc(self, component: Component, name: str) -> None:
        """Restate what is in UTC by its definition; a time that floats there was meant so."""
        stated = component.first(name)
        if not isinstance(stated, Moment):
            return
        kept = {"VALUE": "DATE-TIME"} if name == "TRIGGER" else {}
        made = self._stated(stated.at, stated.parameters)
        if name in _STAMPS and not isinstance(made.at, datetime):
            component.remove(name)
        elif "TZID" in made.parameters or name in _STAMPS:
            component.set(name, Moment(self.instant(made)[1], kept))
        else:
            component.set(name, Moment(made.at, kept))

    def _without_duration(self, component: Component, end: str) -> None:
        """Say when it ends in the place of how long it lasts."""
        stated, start = component.first("DURATION"), component.first("DTSTART")
        component.remove("DURATION")
        if not isinstance(stated, Word):
            return
        if component.first(end) is not None:
            self.losses.append(lose("other", "not-kept"))
        elif isinstance(start, Moment):
            component.add(end, self._later(start, *_length(stated.said)))
        else:
            self.losses.append(lose("due", "unreadable"))

    def _later(self, start: Moment, days: int, rest: int) -> Moment:
        """Return the moment so many days of the zone, and then so many seconds, later."""
        try:
            if not isinstance(start.at, datetime):
                if rest % 86_400:
                    raise _malformed()
                return Moment(start.at + timedelta(days=days + rest // 86_400))
            wall = start.at + timedelta(days=days)
            if self.instant(start)[0] == "floating":
                return Moment(wall + timedelta(seconds=rest))
            zone, wall = self._zone_of(start), naive(wall)
            return _at(zone, zone.instant(wall) + timedelta(seconds=rest))
        except OverflowError:
            raise out_of_range() from None

    def _check_end(self, component: Component, end: str) -> None:
        """Leave out an end that does not come after the start."""
        start, stated = component.first("DTSTART"), component.first(end)
        if not isinstance(start, Moment) or not isinstance(stated, Moment):
            return
        (kind, begins), (other, ends) = self.instant(start), self.instant(stated)
        if kind != other:
            raise _malformed()
        if end == "DTEND" and ends <= begins:
            component.remove(end)
            self.losses += [lose("end", "before-start")] if ends < begins else []
        elif ends < begins and "RRULE" in component.properties:
            raise _malformed()
        elif ends < begins:
            component.remove("DTSTART")
            self.losses.append(lose("start", "after-due"))

    def _without_dates(self, component: Component) -> None:
        """Take out what only a series has; some programs repeat it in each changed occurrence."""
        if any(name in component.properties for name in _OF_SERIES):
            self.losses.append(lose("other", "not-kept"))
        for name in _OF_SERIES:
            component.remove(name)

    def _dates(self, master: Component) -> None:
        """Restate the dates of a series."""
        if "EXRULE" in master.properties or ("RRULE" in master.properties and begin_of(master) is None):
            raise unknown_recurrence()
        for name in ("RDATE", "EXDATE"):
            for stated in master.properties.pop(name, ()):
                dates = list(self._series_dates(master, name, stated))
                for made in _together(dates):
                    master.add(name, made)

    def _series_dates(self, master: Component, name: str, stated: Property) -> Iterator[Moment]:
        if isinstance(stated, Word):  # RDATE;VALUE=PERIOD
            for period in stated.said.split(","):
                yield self._begin_of_period(master, period, stated.parameters)
            return
        for at in stated.several if isinstance(stated, Moments) else ():
            made = self._in_series(master, self._stated(at, stated.parameters))
            if made is not None:
                yield made
            elif name == "RDATE":
                raise unknown_recurrence()
            else:
                self.losses.append(lose("deleted-occurrence", "not-in-series"))

    def _begin_of_period(self, master: Component, period: str, parameters: Parameters) -> Moment:
        """Return the beginning of a period that lasts as long as the event: no other has a place."""
        first, _, last = period.partition("/")
        begin = self._stated(moment_of(first), parameters)
        if "P" in last.upper():
            end = self._later(begin, *_length(last))
        else:
            end = self._stated(moment_of(last), parameters)
        made = self._in_series(master, begin)
        lasts = self.instant(end)[1] - self.instant(begin)[1]
        if made is None or not isinstance(made.at, datetime) or lasts != self.lasts(master):
            raise unknown_recurrence()
        return made

    def _origin(self, component: Component, stated: Moment, master: Component) -> None:
        """Restate which occurrence of a series a component stands for."""
        made = self._stated(stated.at, stated.parameters)
        if component is not master:
            found = self._in_series(master, made)
            if found is None and isinstance(made.at, datetime) and _is_day(begin_of(master)):
                found = Moment(made.at.date())
                self.losses.append(lose("modified-occurrence", "not-in-series"))
            if found is None:
                raise _malformed()
            made = found
        if begin_of(component) is None or begin_of(master) is None:
            raise _malformed()
        component.set("RECURRENCE-ID", made)

    def _in_series(self, master: Component, stated: Moment) -> Moment | None:
        """Return a date of a series as its start is written; None for one that cannot be in it."""
        start = begin_of(master)
        if start is None:
            return None
        if not isinstance(start.at, datetime):
            if not isinstance(stated.at, datetime):
                return stated
            return Moment(stated.at.date()) if stated.at.time() == time() else None
        if not isinstance(stated.at, datetime):  # a day takes the occurrence on it, as clients have it
            return Moment(datetime.combine(stated.at, start.at.timetz()), dict(start.parameters))
        kind, instant = self.instant(stated)
        if self.instant(start)[0] == kind:  # a time that the clock skips is another one only elsewhere
            alike = stated.parameters == start.parameters
            return stated if alike else _at(self._zone_of(start), instant)
        return self._zone_of(start).stated(stated.at) if kind == "floating" else None

    def _zone_of(self, stated: Moment) -> Zone:
        name = stated.parameters.get("TZID")
        return UTC_ZONE if name is None else self._zones.found[name]

    def instant(self, stated: Moment) -> Instant:
        """Return the moment of a time that was restated."""
        at = stated.at
        if not isinstance(at, datetime):
            return "date", datetime(at.year, at.month, at.day, tzinfo=UTC)
        if at.tzinfo is None and "TZID" not in stated.parameters:
            return "floating", at.replace(tzinfo=UTC)
        return "utc", self._zone_of(stated).instant(naive(at))

    def lasts(self, component: Component) -> timedelta:
        """Return how long a component that was restated lasts."""
        start, end = component.first("DTSTART"), component.first(_ENDS[component.name])
        if not isinstance(start, Moment):
            return timedelta()
        if not isinstance(end, Moment):
            whole = component.name == "VEVENT" and not isinstance(start.at, datetime)
            return DAY if whole else timedelta()
        return self.instant(end)[1] - self.instant(start)[1]


def begin_of(component: Component) -> Moment | None:
    """Return when a component begins: a task without a start when it is due; None if nobody knows."""
    for name in ("DTSTART", _ENDS[component.name]):
        if isinstance(stated := component.first(name), Moment):
            return stated
    return None


def _is_day(stated: Moment | None) -> bool:
    return stated is not None and not isinstance(stated.at, datetime)


def _at(zone: Zone, instant: datetime) -> Moment:
    """Return a moment in a zone; in UTC if no wall time there names it."""
    wall = naive(zone.local(instant))
    return zone.stated(wall) if zone.instant(wall) == instant else Moment(instant)


def _together(dates: Iterable[Moment]) -> Iterator[Property]:
    """Yield properties of dates that are written alike."""
    alike: dict[tuple[tuple[str, str], ...], list[Moment]] = {}
    for each in dates:
        at = each.at
        in_utc = isinstance(at, datetime) and at.tzinfo is not None
        alike.setdefault((*each.parameters.items(), ("UTC", str(in_utc))), []).append(each)
    for held in alike.values():
        yield Moments(tuple(each.at for each in held), held[0].parameters)


def _length(written: str) -> tuple[int, int]:
    try:
        return length(written)
    except Malformed:
        raise _malformed() from None


def _malformed() -> Rejected:
    return Rejected("malformed-record", "the object cannot be read as one event or task")
