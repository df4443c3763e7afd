"""Follow the rule of a series by the clock of its zone, within bounds: it may be a stranger's rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import chain

from mappings.compare.content_lines import Malformed
from mappings.compare.rrule import ComparedRule, TooLong, rule_of, walls
from mappings.compare.time import EPOCH, SECOND
from mappings.icalendar.values import Rule
from mappings.time.zones import Zone, naive
from model.errors import Rejected

_LAST_DAY = date.max.toordinal()
_LATEST = datetime(9998, 1, 1)
"""A later end is no end in any zone."""


@dataclass(frozen=True, slots=True)
class SeriesRule:
    """Hold the rule of a series.

    Attributes:
        text: the RRULE's value.
        parts: the same, read.
        until: the last wall time in the zone of the series; None if it does not end so.
    """

    text: str
    parts: ComparedRule
    until: datetime | None

    @property
    def endless(self) -> bool:
        """Return True if it has no ending."""
        return self.parts.count is None and self.until is None

    def starts(self, first: datetime) -> Iterator[datetime]:
        """Yield every occurrence. The start is always one; COUNT is the number of the rule's own.

        Args:
            first: the start, a wall time.

        Raises:
            TooLong: the rule asks for too much.
        """
        yield first
        seconds = chain.from_iterable(walls(self.parts, first, _LAST_DAY))
        for past, at in enumerate(EPOCH + second * SECOND for second in seconds):
            if past == self.parts.count or (self.until is not None and at > self.until):
                return
            if at > first:
                yield at

    def last(self, first: datetime, horizon: datetime) -> datetime:
        """Return the last occurrence; the horizon if it is later, or if nobody knows.

        Args:
            first: the start.
            horizon: where the search ends.
        """
        if self.until is not None or self.parts.count is None:
            return min(self.until or horizon, horizon)
        last = first
        try:
            for last in self.starts(first):
                if last > horizon:
                    break
        except TooLong:
            return horizon
        return min(last, horizon)


def series_rule(rule: Rule, zone: Zone) -> SeriesRule:
    """Return the rule of a series.

    Args:
        rule: of the component.
        zone: of its start.

    Raises:
        Rejected: "unknown-recurrence".
    """
    try:
        parts = rule_of(rule.said)
    except Malformed:
        raise Rejected("unknown-recurrence", "the rule of the series cannot be read") from None
    return SeriesRule(rule.said.upper(), parts, _until(parts, zone))


def _until(rule: ComparedRule, zone: Zone) -> datetime | None:
    if rule.until is None:
        return None
    at, zulu = rule.until
    if not isinstance(at, datetime):
        return datetime.combine(at, time.max)
    return naive(zone.local(min(at, _LATEST).replace(tzinfo=UTC))) if zulu else at
