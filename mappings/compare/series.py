"""Compute when a calendar object happens: see mappings.compare.semantic_digest.

A series is expanded into its moments: a series with an end to its end; one without up to two years, and ten
times its interval, beyond not_after and the newest date that shows in the object. Only the first MOST moments
are expanded. What goes on after them, what recurs more than daily, and a rule that has too few days for how
long it is followed (see mappings.compare.rrule) is compared by its rule as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from mappings.compare.content_lines import Block, ContentLine, Malformed
from mappings.compare.rrule import ComparedRule, TooLong, rule_of, walls
from mappings.compare.time import DATE, DAY, EPOCH, UTC, Moment, length, parse, seconds
from mappings.compare.zones import Clock

MOST = 10_000
"""Moments of one object: daily for 27 years."""

MOST_RULES = 4
BEYOND = 731
"""Days after the newest date in an object without end, at least."""

_LAST_DAY = date.max.toordinal()
_EPOCH_DAY = EPOCH.toordinal()
_INTERVAL = {"DAILY": 1.0, "WEEKLY": 7.0, "MONTHLY": 365 / 12, "YEARLY": 365.0}
"""Days, the same for MONTHLY;INTERVAL=12 and YEARLY."""


@dataclass(frozen=True, slots=True)
class ComponentSpan:
    """Describe one component's own time.

    Attributes:
        at: its start as it is written; a task without start begins when it is due.
        zone: the name of its zone; "" if it floats or is a date.
        start: the moment.
        lasts: seconds, or days if the start is a date.
    """

    at: date
    zone: str
    start: Moment
    lasts: int


@dataclass(slots=True)
class ComparedSeries:
    """Hold the moments of one object.

    Attributes:
        kind: that of the master.
        newest: the last day that does not come from the rule.
        moments: from a number to its local time in seconds.
        unlike: moments of another kind or length, each with its length.
        moved: exceptions by what they stand for, unless they are where the rule has them.
        beyond: how many days after `newest` a series without end is followed; 0 for one with an end.
        rules: what was not expanded.
    """

    kind: str
    newest: int
    moments: dict[int, int] = field(default_factory=dict)
    unlike: set[tuple[Moment, int]] = field(default_factory=set)
    moved: list[tuple[Moment, Moment, int]] = field(default_factory=list)
    beyond: int = 0
    rules: list[object] = field(default_factory=list)

    def add(self, numbers: Iterable[int], wall_times: Iterable[int]) -> None:
        """Add moments.

        Raises:
            TooLong: there is no room for all of them.
        """
        for number, wall in zip(numbers, wall_times, strict=False):
            if len(self.moments) >= MOST:
                raise TooLong
            self.moments[number] = wall

    def take_out(self, number: int) -> bool:
        """Remove a moment; return True if it was there."""
        if self.moments.pop(number, None) is None:
            return False
        self.newest = max(self.newest, day_of((self.kind, number)))
        return True

    def change(self, exceptions: Iterable[tuple[Moment, ComponentSpan]], lasts: int) -> None:
        """Put exceptions in the place of occurrences; an exception of none is one more moment.

        Args:
            exceptions: each with what it stands for.
            lasts: the master's.
        """
        moved = [pair for pair in exceptions if not self._stays(*pair, lasts)]
        for (kind, number), _ in moved:  # all of them first: one may move to where another one was
            if kind == self.kind:
                self.take_out(number)
        for stands_for, own in moved:
            self._move(stands_for, own, lasts)

    def _stays(self, stands_for: Moment, own: ComponentSpan, lasts: int) -> bool:
        kind, number = stands_for
        return kind == self.kind and number in self.moments and own.start == stands_for and own.lasts == lasts

    def _move(self, stands_for: Moment, own: ComponentSpan, lasts: int) -> None:
        self.moved.append((stands_for, own.start, own.lasts))
        self.newest = max(self.newest, day_of(own.start))
        if own.start[0] == self.kind and own.lasts == lasts:
            self.moments[own.start[1]] = wall_of(own.at)
        else:
            self.unlike.add((own.start, own.lasts))

    def canonical(self) -> tuple[object, ...]:
        """Return a value that is equal for series that happen at the same moments."""
        numbers = sorted(self.moments)
        if self.beyond:  # a server may drop what changes nothing: how far to compare must not hang on that
            last = min(self.newest + self.beyond, _LAST_DAY)
            until = last if self.kind == DATE else (last - _EPOCH_DAY + 1) * DAY - 1
            numbers = numbers[: bisect_right(numbers, until)]
        return self.kind, tuple(numbers), tuple(sorted(self.unlike)), self.beyond > 0, tuple(self.rules)


def span_of(block: Block, clock: Clock) -> ComponentSpan | None:
    """Return the time of a component; None for a component without any date.

    Raises:
        Malformed: its time cannot be read.
    """
    start = block.first("DTSTART")
    end = block.first("DTEND") or block.first("DUE")
    line = start or end
    if line is None:
        return None
    at, zulu = parse(line.value)
    zone = UTC if zulu else line.parameter("TZID")
    moment = clock.place(at, zone)
    return ComponentSpan(at, zone, moment, _lasts(block, clock, moment, at, zone) if start else 0)


def _lasts(block: Block, clock: Clock, start: Moment, at: date, zone: str) -> int:
    if line := block.first("DTEND") or block.first("DUE"):
        kind, number = clock.moment(line.value, line.parameter("TZID"))
        if kind != start[0]:
            raise Malformed
        return number - start[1]
    if line := block.first("DURATION"):
        days, rest = length(line.value)
        if not isinstance(at, datetime):
            return days + rest // DAY
        return clock.place(_later(at, days), zone)[1] + rest - start[1]
    return 1 if start[0] == DATE and block.name == "VEVENT" else 0


def _later(at: datetime, days: int) -> datetime:
    try:
        return at + timedelta(days=days)
    except OverflowError:
        raise Malformed from None


def expand(
    master: Block, span: ComponentSpan, clock: Clock, explicit: Iterable[Moment], not_after: datetime
) -> ComparedSeries:
    """Return the moments of a master, without its exceptions.

    Args:
        master: the component.
        span: its own time.
        clock: the zones of the object.
        explicit: dates that show elsewhere in the object.
        not_after: when the leg began.

    Raises:
        Malformed: a rule or a date cannot be read.
    """
    rules, excluded = _rules(master, "RRULE"), _rules(master, "EXRULE")
    added = [pair for line in master.all("RDATE") for pair in _dates(line, span, clock)]
    removed = {moment for line in master.all("EXDATE") for moment in clock.moments(line)}
    series = ComparedSeries(
        span.start[0], max(not_after.toordinal(), day_of(span.start), *_days(at for at, _ in added))
    )
    series.beyond = max(map(_beyond, rules), default=0)
    last = max(series.newest, *_days([*explicit, *removed])) + series.beyond
    series.moments[span.start[1]] = wall_of(span.at)
    for rule in rules:
        try:
            for numbers, wall_times in _moments(rule, span, clock, min(last, _LAST_DAY)):
                series.add(numbers, wall_times)
        except TooLong:
            series.rules.append(rule.canonical())
    _add_dates(series, added, span)
    _exclude(series, excluded, span, clock, min(last, _LAST_DAY))
    _take_out(series, removed)
    return series


def _rules(master: Block, name: str) -> list[ComparedRule]:
    lines = master.all(name)
    if len(lines) > MOST_RULES:
        raise Malformed
    return [rule_of(line.value) for line in lines]


def _beyond(rule: ComparedRule) -> int:
    if rule.count is not None or rule.until is not None:
        return 0
    return max(BEYOND, int(10 * rule.interval * _INTERVAL.get(rule.frequency, 0)))


def _dates(line: ContentLine, span: ComponentSpan, clock: Clock) -> Iterator[tuple[Moment, int]]:
    """Yield the dates that an RDATE adds, each with how long it lasts."""
    zone = line.parameter("TZID")
    for part in line.value.split(","):
        first, slash, end = part.partition("/")
        if not part.strip():
            continue
        moment, lasts = clock.moment(first, zone), span.lasts
        if slash:
            lasts = sum_of(length(end)) if "P" in end.upper() else clock.moment(end, zone)[1] - moment[1]
        yield moment, lasts


def sum_of(parts: tuple[int, int]) -> int:
    """Return a DURATION in seconds."""
    return parts[0] * DAY + parts[1]


def _add_dates(series: ComparedSeries, added: Iterable[tuple[Moment, int]], span: ComponentSpan) -> None:
    for moment, lasts in added:
        if moment[0] == series.kind and lasts == span.lasts:
            series.moments.setdefault(moment[1], moment[1])
        else:
            series.unlike.add((moment, lasts))


def _moments(
    rule: ComparedRule, span: ComponentSpan, clock: Clock, last: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield numbers and local times, ascending, some at a time; raise TooLong.

    `last` is the last day of a rule without end.
    """
    place = _placer(span, clock)
    left = rule.count if rule.count is not None else MOST + 1
    if rule.until:
        last = min(rule.until[0].toordinal() + 2, _LAST_DAY)
    elif rule.count is not None:
        last = _LAST_DAY
    for wall_times in walls(rule, _midnight(span.at), last):
        wall_times = wall_times[:left]
        left -= len(wall_times)
        numbers = [place(wall) for wall in wall_times]
        kept = _up_to(rule.until, numbers, wall_times, span) if rule.until else len(wall_times)
        yield numbers[:kept], wall_times
        if left <= 0 or kept < len(wall_times):
            return


def _placer(span: ComponentSpan, clock: Clock) -> Callable[[int], int]:
    """Return the function from a local time in seconds to the number of its moment."""
    if span.start[0] == DATE:
        return lambda wall: wall // DAY + _EPOCH_DAY
    local = clock.local(span.zone) if span.zone and span.zone != UTC else None
    return local or (lambda wall: wall)


def _up_to(until: tuple[date, bool], numbers: list[int], wall_times: list[int], span: ComponentSpan) -> int:
    """Return how many are not after UNTIL."""
    at, zulu = until
    if not isinstance(at, datetime) or span.start[0] == DATE:
        return bisect_right(wall_times, (at.toordinal() - _EPOCH_DAY + 1) * DAY - 1)
    return bisect_right(numbers if zulu else wall_times, seconds(at))


def _exclude(
    series: ComparedSeries, rules: Iterable[ComparedRule], span: ComponentSpan, clock: Clock, last: int
) -> None:
    for rule in rules:
        try:
            for numbers, _ in _moments(rule, span, clock, last):
                for number in numbers:
                    series.moments.pop(number, None)
        except TooLong:
            series.rules.append(("not", rule.canonical()))


def _take_out(series: ComparedSeries, removed: set[Moment]) -> None:
    if series.rules:
        series.rules.append(tuple(sorted(removed)))
    for kind, number in removed:
        if kind == series.kind:
            series.take_out(number)
    days = {number for kind, number in removed if kind == DATE != series.kind}
    if days:  # a date takes out what stands on that day; some servers write EXDATE so
        for number, wall in list(series.moments.items()):
            if wall // DAY + _EPOCH_DAY in days:
                series.take_out(number)


def _midnight(at: date) -> datetime:
    return at if isinstance(at, datetime) else datetime(at.year, at.month, at.day)


def wall_of(at: date) -> int:
    """Return a local time, or the start of a day, in seconds since 1970 as if it were UTC."""
    return seconds(_midnight(at))


def day_of(moment: Moment) -> int:
    """Return the day of a moment as an ordinal."""
    kind, number = moment
    return number if kind == DATE else number // DAY + _EPOCH_DAY


def _days(moments: Iterable[Moment]) -> list[int]:
    return [day_of(moment) for moment in moments] or [0]
