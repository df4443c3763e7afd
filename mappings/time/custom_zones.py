"""Read time zones that a record describes: Periods and Transitions, or Exchange 2007's MeetingTimeZone.

They are read into plain values first, so that the same description always gives the same zone and TZID.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

from mappings.fields.ews_xml import Element, child, children, kind, moment, number, text
from mappings.time.rrule import DAYS, INDEXES, MONTHS, ORDER

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""The years whose changes are computed; before and after them nothing changes."""

_DURATION = re.compile(
    r"(-)?P(?:(\d{1,3})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})(?:\.\d+)?S)?)?", re.ASCII
)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """Describe a stretch of the year with one distance from UTC (east is positive)."""

    offset: timedelta
    daylight: bool


@dataclass(frozen=True, slots=True)
class Onset:
    """Say when a period begins, in every year.

    Attributes:
        period: that begins.
        month: from 1.
        after: from midnight, by the clock of the period that ends.
        weekday: from 0, Monday; None if it begins on `day`.
        week: 1 to 4, or -1 for the last.
        day: of the month, if `weekday` is None.
    """

    period: Period
    month: int
    after: timedelta
    weekday: int | None = None
    week: int = 1
    day: int = 1

    def wall(self, year: int) -> datetime:
        """Return when it begins in a year, by the clock of the period that ends."""
        days = monthrange(year, self.month)[1]
        day = min(self.day, days)
        if self.weekday is not None:
            first = (self.weekday - date(year, self.month, 1).weekday()) % 7 + 1
            every = list(range(first, days + 1, 7))
            day = every[-1] if self.week == -1 else every[min(self.week, len(every)) - 1]
        return datetime(year, self.month, day) + self.after


@dataclass(frozen=True, slots=True)
class Era:
    """Describe the periods from a moment on (None: from the beginning).

    They are one period all year, or several that take turns.
    """

    begin: datetime | None
    still: Period | None
    onsets: tuple[Onset, ...] = ()


Change = tuple[datetime, Period]


class RuleZone(tzinfo):
    """Tell times in a zone made of eras.

    It behaves like zoneinfo.ZoneInfo, also in the hour that is missing or comes twice.
    """

    def __init__(self, eras: tuple[Era, ...]) -> None:
        self._before, changes = _changes(eras)
        self._periods = [self._before, *(period for _, period in changes)]
        self._instants = [instant for instant, _ in changes]
        pairs = zip(self._instants, self._periods, self._periods[1:], strict=False)
        turns = [(instant, old.offset, new.offset) for instant, old, new in pairs]
        # PEP 495: a missing hour belongs to the old period for fold 0, an hour that is twice as well.
        self._walls = (
            [instant + max(old, new) for instant, old, new in turns],
            [instant + min(old, new) for instant, old, new in turns],
        )

    def _period(self, wall: datetime | None) -> Period:
        if wall is None:
            return self._before
        return self._periods[bisect_right(self._walls[wall.fold], wall.replace(tzinfo=None, fold=0))]

    def utcoffset(self, dt: datetime | None, /) -> timedelta:
        """Return the distance from UTC."""
        return self._period(dt).offset

    def dst(self, dt: datetime | None, /) -> timedelta:
        """Return an hour in daylight saving time, otherwise nothing."""
        return timedelta(hours=1) if self._period(dt).daylight else timedelta(0)

    def tzname(self, dt: datetime | None, /) -> str:
        """Return "Daylight" or "Standard"."""
        return "Daylight" if self._period(dt).daylight else "Standard"

    def fromutc(self, dt: datetime, /) -> datetime:
        """Return a moment in UTC by the clock of this zone."""
        instant = dt.replace(tzinfo=None, fold=0)
        at = bisect_right(self._instants, instant)
        wall = instant + self._periods[at].offset
        twice = at > 0 and wall < self._instants[at - 1] + self._periods[at - 1].offset
        return wall.replace(tzinfo=self, fold=int(twice))


@lru_cache(maxsize=256)
def rule_zone(eras: tuple[Era, ...]) -> RuleZone:
    """Return a zone: the same object for the same eras.

    Args:
        eras: at least one, the first without a beginning.
    """
    return RuleZone(eras)


def _changes(eras: tuple[Era, ...]) -> tuple[Period, list[Change]]:
    """Return the period before all changes, and every change, by its instant in UTC (naive)."""
    changes: list[Change] = []
    current = _at(eras[0], datetime(FIRST_YEAR, 1, 1))
    before = current
    for era, following in zip(eras, (*eras[1:], None), strict=True):
        begin = era.begin or datetime(FIRST_YEAR, 1, 1)
        end = following.begin if following and following.begin else datetime(LAST_YEAR, 1, 1)
        first: Change = (begin - current.offset, _at(era, begin))
        for instant, period in (first, *_turns(era, begin, end)):
            if period != current:
                changes.append((instant, period))
                current = period
    return before, changes


def _turns(era: Era, begin: datetime, end: datetime) -> list[Change]:
    """Return the changes inside an era; begin and end are by the clock on the wall."""
    walls = [change for year in range(begin.year - 1, end.year + 1) for change in _year(era, year)]
    pairs = pairwise(walls)
    return [(wall - old.offset, new) for (_, old), (wall, new) in pairs if begin < wall < end]


def _year(era: Era, year: int) -> list[Change]:
    if not 1 <= year <= 9998:
        return []
    return sorted(((onset.wall(year), onset.period) for onset in era.onsets), key=lambda change: change[0])


def _at(era: Era, wall: datetime) -> Period:
    """Return the period that an era has at a moment."""
    turns = [*_year(era, wall.year - 1), *_year(era, wall.year)]
    past = [period for begin, period in turns if begin <= wall]
    return past[-1] if past else era.still or turns[0][1]


def described(element: Element) -> tuple[Era, ...] | None:
    """Return what <t:StartTimeZone> or the like describes with Periods and Transitions.

    Returns:
        None if it describes nothing, or not in a way that this version understands.
    """
    periods = {
        element_.get("Id") or "": _period(element_) for element_ in children(element, "t:Periods/t:Period")
    }
    groups = {
        element_.get("Id") or "": _group(element_, periods)
        for element_ in children(element, "t:TransitionsGroups/t:TransitionsGroup")
    }
    turns = child(element, "t:Transitions")
    if turns is None:
        return None
    eras = [_era(element_, periods, groups) for element_ in turns if isinstance(element_.tag, str)]
    whole = [era for era in eras if era is not None]
    if not whole or len(whole) < len(eras):
        return None
    ordered = sorted(whole, key=lambda era: era.begin or datetime.min)
    return (Era(None, ordered[0].still, ordered[0].onsets), *ordered[1:])


def _period(element: Element) -> Period | None:
    bias = duration(element.get("Bias") or "")
    daylight = (element.get("Name") or "").strip().lower() == "daylight"
    return None if bias is None or abs(bias) >= timedelta(days=1) else Period(-bias, daylight)


Group = tuple[Period | None, tuple[Onset, ...]]


def _group(element: Element, periods: dict[str, Period | None]) -> Group | None:
    """Return a group; None if anything in it is not understood."""
    still: Period | None = None
    onsets: list[Onset] = []
    for transition in element:
        period = periods.get(text(transition, "t:To").strip())
        if period is None:
            return None
        if kind(transition) == "Transition":
            still = period
            continue
        onset = _onset(transition, period)
        if onset is None:
            return None
        onsets.append(onset)
    return (still, tuple(onsets)) if onsets or still else None


def _onset(element: Element, period: Period) -> Onset | None:
    after, month = duration(text(element, "t:TimeOffset")), number(element, "t:Month")
    if after is None or month is None or not 1 <= month <= 12:
        return None
    if kind(element) == "RecurringDateTransition":
        day = number(element, "t:Day")
        return Onset(period, month, after, day=day) if day and 1 <= day <= 31 else None
    weekday, week = _weekday(text(element, "t:DayOfWeek")), number(element, "t:Occurrence")
    if kind(element) != "RecurringDayTransition" or weekday is None or week not in (-1, 1, 2, 3, 4, 5):
        return None
    return Onset(period, month, after, weekday, -1 if week == 5 else week)


def _weekday(name: str) -> int | None:
    days = DAYS.get(name.strip().lower(), ())
    return ORDER.index(days[0]) if len(days) == 1 else None


def _era(element: Element, periods: dict[str, Period | None], groups: dict[str, Group | None]) -> Era | None:
    to = child(element, "t:To")
    if to is None:
        return None
    begin = moment(text(element, "t:DateTime")) if kind(element) == "AbsoluteDateTransition" else None
    if begin is None and kind(element) != "Transition":
        return None
    name = (to.text or "").strip()
    group = groups.get(name) if to.get("Kind") == "Group" else (periods.get(name), ())
    if group is None or group == (None, ()):
        return None
    wall = None if begin is None else min(max(begin, _EARLIEST), _LATEST).replace(tzinfo=None)
    return Era(wall, *group)


_EARLIEST, _LATEST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC)


def meeting_zone(element: Element) -> tuple[Era, ...] | None:
    """Return what Exchange 2007's <t:MeetingTimeZone> describes; None if it describes nothing."""
    base = duration(text(element, "t:BaseOffset"))
    if base is None or abs(base) >= timedelta(hours=20):
        return None
    halves = [_half(element, name, base) for name in ("Standard", "Daylight")]
    if child(element, "t:Standard") is None and child(element, "t:Daylight") is None:
        return (Era(None, Period(-base, False)),)
    onsets = tuple(half for half in halves if half is not None)
    return (Era(None, None, onsets),) if len(onsets) == 2 else None


def _half(element: Element, name: str, base: timedelta) -> Onset | None:
    half = child(element, f"t:{name}")
    if half is None:
        return None
    extra = duration(text(half, "t:Offset"))
    path = "t:RelativeYearlyRecurrence/t:"
    month = MONTHS.get(text(half, path + "Month").strip().lower())
    week = INDEXES.get(text(half, path + "DayOfWeekIndex").strip().lower())
    weekday = _weekday(text(half, path + "DaysOfWeek"))
    clock = _TIME.fullmatch(text(half, "t:Time").strip())
    if extra is None or month is None or week is None or weekday is None or clock is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    after = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return Onset(Period(-base - extra, name == "Daylight"), month[0], after, weekday, week)


def duration(written: str) -> timedelta | None:
    """Return an xs:duration of days and smaller units, to the second; None if it is no such text."""
    match = _DURATION.fullmatch(written.strip())
    if match is None or not any(match.groups()[1:]):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    size = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -size if match[1] else size
