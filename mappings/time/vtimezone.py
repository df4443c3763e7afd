"""Write a VTIMEZONE: a zone's clock in the years concerned, in yearly rules as far as it keeps to one."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

from mappings.time.custom_zones import RuleZone
from mappings.time.rrule import ORDER
from mappings.time.zones import Zone
from model.icalendar_writer import written

_STEP = timedelta(days=7)
"""No zone changes twice within a week and back."""

_WHOLE = (1971, 2100)
_NAME = re.compile(r"[A-Z]{3,6}")


@dataclass(frozen=True, slots=True)
class _Turn:
    """Describe one change.

    Attributes:
        instant: in UTC, naive.
        wall: by the clock that ends, naive.
        before: the offset before.
        after: the offset after.
        daylight: True if daylight saving begins.
        name: of the time that begins.
    """

    instant: datetime
    wall: datetime
    before: timedelta
    after: timedelta
    daylight: bool
    name: str


@dataclass(frozen=True, slots=True)
class _Run:
    """Hold changes that are alike in consecutive years. rule: None for a single one. open: it goes on."""

    turns: tuple[_Turn, ...]
    rule: str | None
    open: bool


def vtimezone(zone: Zone, first: int, last: int) -> Timezone:
    """Return the component for the years from `first` to `last`, both included, by the clock on the wall.

    The last rule in force goes on beyond: take some more years for what never ends. A zone of our own is
    always written whole: some readers keep a VTIMEZONE by its TZID (icalendar 7), and one event's years are
    not another's.
    """
    if isinstance(zone.info, RuleZone):
        first, last = min(first, _WHOLE[0]), _WHOLE[1]
    component = Timezone()
    component.add("TZID", zone.id)
    for run in _runs(zone, max(first - 1, 2), min(max(last, first), 9997)):
        component.add_component(_observance(run))
    return component


@lru_cache(maxsize=512)
def vtimezone_lines(zone: Zone, first: int, last: int) -> bytes:
    """Return the lines of the component that `vtimezone` returns."""
    return written(vtimezone(zone, first, last))


def offset_changes(
    zone: Zone, begin: datetime, end: datetime
) -> tuple[timedelta, tuple[tuple[datetime, timedelta], ...]]:
    """Return the distance from UTC at the beginning of a span, and each later one with its first moment.

    Args:
        zone: the zone.
        begin: of the span, in UTC, naive.
        end: of the span, likewise.
    """
    turns = (turn for turn in _turns(zone, begin, end) if turn.before != turn.after)
    return _state(zone, begin)[0], tuple((turn.instant, turn.after) for turn in turns if turn.instant < end)


def _observance(run: _Run) -> TimezoneStandard | TimezoneDaylight:
    turn = run.turns[0]
    part = TimezoneDaylight() if turn.daylight else TimezoneStandard()
    part.add("DTSTART", turn.wall)
    part.add("TZOFFSETFROM", turn.before)
    part.add("TZOFFSETTO", turn.after)
    if _NAME.fullmatch(turn.name):
        part.add("TZNAME", turn.name)
    if run.rule is not None:
        # A day later than the last change: python-dateutil, for one, takes UNTIL here for a wall time.
        end = run.turns[-1].instant + timedelta(days=1)
        until = "" if run.open else f";UNTIL={end:%Y%m%dT%H%M%SZ}"
        part.add("RRULE", vRecur.from_ical(run.rule + until))
    return part


@lru_cache(maxsize=512)
def _runs(zone: Zone, first: int, last: int) -> tuple[_Run, ...]:
    turns = _turns(zone, datetime(first, 1, 1), datetime(last + 1, 1, 1))
    kinds = dict.fromkeys(
        (turn.before, turn.after, turn.daylight, turn.name, turn.wall.time()) for turn in turns
    )
    runs: list[_Run] = []
    for kind in kinds:
        alike = [t for t in turns if (t.before, t.after, t.daylight, t.name, t.wall.time()) == kind]
        runs += _split(alike, last)
    if not turns or turns[0].wall.year > first:
        runs.append(_beginning(zone, first))
    return tuple(sorted(runs, key=lambda run: run.turns[0].wall))


def _beginning(zone: Zone, year: int) -> _Run:
    """Return the state before the first change, for times that no other observance reaches."""
    at = datetime(year, 1, 1)
    offset, daylight, name = _state(zone, at)
    return _Run((_Turn(at - offset, at, offset, offset, daylight, name),), None, False)


def _split(turns: list[_Turn], last: int) -> list[_Run]:
    """Return as few runs as a greedy reading finds. Every rule gives exactly the changes of its run."""
    runs: list[_Run] = []
    held: list[_Turn] = []
    rules: list[str] = []
    for turn in turns:
        follows = bool(held) and turn.wall.year == held[-1].wall.year + 1
        common = [rule for rule in rules if rule in _rules(turn.wall)] if follows else []
        if held and not common:
            runs.append(_run(held, rules, last))
            held = []
        rules = common or _rules(turn.wall)
        held.append(turn)
    return [*runs, _run(held, rules, last)] if held else runs


def _run(turns: list[_Turn], rules: list[str], last: int) -> _Run:
    if len(turns) == 1:
        return _Run(tuple(turns), None, False)
    return _Run(tuple(turns), rules[0], turns[-1].wall.year >= last)


def _rules(wall: datetime) -> list[str]:
    """Return every yearly rule that this day could follow, the likeliest first."""
    day, days = ORDER[wall.weekday()], monthrange(wall.year, wall.month)[1]
    head = f"FREQ=YEARLY;BYMONTH={wall.month}"
    rules = [f"{head};BYDAY=-1{day}"] if wall.day + 7 > days else []
    if wall.day <= 28:
        rules.append(f"{head};BYDAY={(wall.day - 1) // 7 + 1}{day}")
    for begin in range(max(1, wall.day - 6), min(wall.day, 25) + 1):
        span = ",".join(str(day_) for day_ in range(begin, begin + 7))
        rules.append(f"{head};BYMONTHDAY={span};BYDAY={day}")
    return [*rules, f"{head};BYMONTHDAY={wall.day}"]


def _turns(zone: Zone, begin: datetime, end: datetime) -> list[_Turn]:
    turns: list[_Turn] = []
    at = begin
    while at < end:
        following = at + _STEP
        if _state(zone, at) != _state(zone, following):
            turns.append(_turn(zone, at, following))
        at = following
    return turns


def _turn(zone: Zone, low: datetime, high: datetime) -> _Turn:
    old = _state(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if _state(zone, middle) == old else (low, middle)
    after, daylight, name = _state(zone, high)
    return _Turn(high, high + old[0], old[0], after, daylight, name)


def _state(zone: Zone, instant: datetime) -> tuple[timedelta, bool, str]:
    """Return offset, daylight saving and name at an instant in UTC (naive)."""
    local = instant.replace(tzinfo=UTC).astimezone(zone.info)
    return local.utcoffset() or timedelta(0), bool(local.dst()), local.tzname() or ""
