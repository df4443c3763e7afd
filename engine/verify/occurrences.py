"""Check that a calendar's events take place when the source itself says.

The source expands its series. We expand what they became, with a library that neither maps nor compares
anything else.

Only beginnings are compared: by Exchange's wall clock, an event in the night of a clock change ends elsewhere
than by RFC 5545 (the mapping names that loss). A whole day is compared as a day: the source states its
midnight, in the zone in which the event was made, and zones beyond UTC+13 or UTC-10 are taken for their
neighbours.

Some servers do not expand: their views refuse, or list a series as a whole, or do not list it. Then there is
no finding, and an event in the ledger says how many items could not be checked.

Source:
    RFC 5545 section 3.3.10 (recurrence rules).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from engine.context.leg_context import LegContext, as_container
from ledger.db.rows import ContainerRow, Finding, ItemRow, Outcome
from model.optional_protocols import SupportsOccurrences
from model.protocols import Mapped

WINDOW = timedelta(days=2 * 365)
DETAIL = "occurrences-at-source"
UNCHECKED = "occurrences-unchecked"
EAST = timedelta(hours=13)
OURS = "kogge-"
"""The beginning of the UID that an event gets if its source has none."""


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """Hold the beginnings of one event as it was mapped.

    Attributes:
        key: the key of its item.
        href: its place at the target.
        moments: its beginnings within the window, if it has a time of day.
        days: its beginnings within the window, if it lasts whole days.
        series: True if it has a recurrence rule.
    """

    key: bytes
    href: str | None
    moments: frozenset[datetime]
    days: frozenset[datetime]
    series: bool

    def agrees(self, stated: set[datetime]) -> bool:
        """Return True if the source states the same beginnings."""
        return self.moments <= stated and {_day(entry) for entry in stated - self.moments} == self.days


@dataclass(slots=True)
class Almanac:
    """Collect what a container's events say of the two years before and after the leg's first run.

    Attributes:
        middle: the middle of the window.
        planned: the events by UID.
    """

    middle: datetime
    planned: dict[str, ExpectedEvent] = field(default_factory=dict)

    def note(self, row: ItemRow, mapped: Mapped) -> None:
        """Add one event. Raise nothing: what cannot be expanded is not compared."""
        uid = mapped.item.uid
        if uid is None or uid.startswith(OURS):
            return
        # Imported late, both: a pass with nothing new expands nothing.
        import recurring_ical_events
        from icalendar import Calendar

        with mapped.item.body() as stream:
            calendar = Calendar.from_ical(stream.read())
        first, last = self.window()
        beginnings = [
            entry["DTSTART"].dt
            for entry in recurring_ical_events.of(calendar).between(first - EAST, last + EAST)
        ]
        within = [entry for entry in beginnings if first <= _moment(entry) < last]
        days = frozenset(_moment(entry) for entry in within if not isinstance(entry, datetime))
        moments = frozenset(_moment(entry) for entry in within if isinstance(entry, datetime))
        series = any("RRULE" in entry for entry in calendar.walk("VEVENT"))
        self.planned[uid] = ExpectedEvent(row.key, row.href, moments, days, series)

    def window(self) -> tuple[datetime, datetime]:
        """Return the first moment of the window, and the first moment after it."""
        middle = self.middle.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return middle - WINDOW, middle + WINDOW


def compare(leg: LegContext, container: ContainerRow, almanac: Almanac) -> Iterator[Finding]:
    """Yield a finding for each event that twice begins at other moments than the source's expansion says.

    Events that the source does not expand are counted in an event of the ledger, and are no finding.

    Args:
        leg: the open leg.
        container: the calendar.
        almanac: its events as they were mapped.

    Raises:
        MigrationError: what the source's requests raise.
    """
    if not isinstance(leg.source, SupportsOccurrences) or not almanac.planned:
        return
    apart, unchecked = _compare_once(leg.source, container, almanac)
    if apart:  # a server under load may omit entries
        second, unchecked = _compare_once(leg.source, container, almanac)
        apart &= second
    if unchecked:
        leg.ledger.event(UNCHECKED, {"container": container.id, "items": len(unchecked)})
    for uid in sorted(apart):
        planned = almanac.planned[uid]
        yield Finding(Outcome.DIFFERS, planned.key, planned.href, DETAIL)


def _compare_once(
    source: SupportsOccurrences, container: ContainerRow, almanac: Almanac
) -> tuple[set[str], set[str]]:
    """Return the UIDs for which the source states other moments, and those that it does not expand."""
    planned = almanac.planned
    stated = _source_beginnings(source, container, almanac)
    if stated is None:
        return set(), set(planned)
    unchecked = _unexpanded_series(planned, stated)
    return {
        uid for uid in planned if uid not in unchecked and not planned[uid].agrees(stated[uid])
    }, unchecked


def _source_beginnings(
    source: SupportsOccurrences, container: ContainerRow, almanac: Almanac
) -> dict[str, set[datetime]] | None:
    from mappings.calendar.uid import uid as known_uid  # late, as above

    first, last = almanac.window()
    occurrences = source.occurrences(as_container(container), first - EAST, last + EAST)
    if occurrences is None:
        return None
    stated: dict[str, set[datetime]] = {uid: set() for uid in almanac.planned}
    for name, start, _ in occurrences:
        uid = known_uid(name)
        if uid in stated and first <= (_day(start) if almanac.planned[uid].days else start) < last:
            stated[uid].add(start)
    return stated


def _unexpanded_series(planned: Mapping[str, ExpectedEvent], stated: Mapping[str, set[datetime]]) -> set[str]:
    """Return the series, if the source's views show none of them."""
    series = {uid for uid, event in planned.items() if event.series and (event.moments or event.days)}
    return set() if any(stated[uid] for uid in series) else series


def _moment(start: date) -> datetime:
    if not isinstance(start, datetime):
        return datetime(start.year, start.month, start.day, tzinfo=UTC)
    return (start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC)


def _day(midnight: datetime) -> datetime:
    return (midnight.astimezone(UTC) + EAST).replace(hour=0, minute=0, second=0, microsecond=0)
