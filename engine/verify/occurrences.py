"""Does a calendar take place when the source itself says? The source expands its series, we expand what
became of them, with a library that neither maps nor compares anything else here.

Only beginnings are compared: by the wall clock of Exchange an event in the night of a clock change ends
elsewhere than by RFC 5545 (the mapping names that loss). A whole day is compared as a day: the source tells
its midnight, in whichever zone the event was made, and zones beyond UTC+13 or UTC-10 are taken for their
neighbours.

Some servers do not expand: their views refuse, or name a series as a whole, or not at all. Then nothing is
found, and an event says how many items could not be checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import recurring_ical_events
from icalendar import Calendar

from engine.context.leg_context import LegContext, as_container
from ledger.db.rows import ContainerRow, Finding, ItemRow, Outcome
from mappings.calendar.uid import uid as known_uid
from model.optional_protocols import SupportsOccurrences
from model.protocols import Mapped

WINDOW = timedelta(days=2 * 365)
DETAIL = "occurrences-at-source"
UNCHECKED = "occurrences-unchecked"
EAST = timedelta(hours=13)
OURS = "kogge-"
"""How the UID begins that an event gets for which its source has none."""


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """One event as it was mapped: its beginnings within the window; days: of what lasts whole days; series:
    whether it has a rule."""

    key: bytes
    href: str | None
    moments: frozenset[datetime]
    days: frozenset[datetime]
    series: bool

    def agrees(self, told: set[datetime]) -> bool:
        """Whether the source tells the same beginnings."""
        return self.moments <= told and {_day(entry) for entry in told - self.moments} == self.days


@dataclass(slots=True)
class Almanac:
    """What a container's events say of the two years before and after the leg's first run, by UID."""

    middle: datetime
    planned: dict[str, ExpectedEvent] = field(default_factory=dict)

    def note(self, row: ItemRow, mapped: Mapped) -> None:
        """Takes one event in. Raises nothing: what cannot be expanded is not compared."""
        uid = mapped.item.uid
        if uid is None or uid.startswith(OURS):
            return
        with mapped.item.body() as stream:
            calendar = Calendar.from_ical(stream.read())
        first, last = self.window()
        found = [
            entry["DTSTART"].dt
            for entry in recurring_ical_events.of(calendar).between(first - EAST, last + EAST)
        ]
        within = [entry for entry in found if first <= _moment(entry) < last]
        days = frozenset(_moment(entry) for entry in within if not isinstance(entry, datetime))
        moments = frozenset(_moment(entry) for entry in within if isinstance(entry, datetime))
        series = any("RRULE" in entry for entry in calendar.walk("VEVENT"))
        self.planned[uid] = ExpectedEvent(row.key, row.href, moments, days, series)

    def window(self) -> tuple[datetime, datetime]:
        middle = self.middle.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return middle - WINDOW, middle + WINDOW


def compare(leg: LegContext, container: ContainerRow, almanac: Almanac) -> Iterator[Finding]:
    """A finding for each event that begins at other moments than the source's own expansion says, twice. What
    the source does not expand is named in an event of the ledger, and is no finding.

    Raises what the source's requests raise."""
    if not isinstance(leg.source, SupportsOccurrences) or not almanac.planned:
        return
    apart, unchecked = _apart(leg.source, container, almanac)
    if apart:  # a server under load may leave entries out
        again, unchecked = _apart(leg.source, container, almanac)
        apart &= again
    if unchecked:
        leg.ledger.event(UNCHECKED, {"container": container.id, "items": len(unchecked)})
    for uid in sorted(apart):
        planned = almanac.planned[uid]
        yield Finding(Outcome.DIFFERS, planned.key, planned.href, DETAIL)


def _apart(
    source: SupportsOccurrences, container: ContainerRow, almanac: Almanac
) -> tuple[set[str], set[str]]:
    """The UIDs of which the source's expansion says other moments, and those that it does not expand."""
    planned = almanac.planned
    said = _said(source, container, almanac)
    if said is None:
        return set(), set(planned)
    unchecked = _left_out(planned, said)
    return {uid for uid in planned if uid not in unchecked and not planned[uid].agrees(said[uid])}, unchecked


def _said(
    source: SupportsOccurrences, container: ContainerRow, almanac: Almanac
) -> dict[str, set[datetime]] | None:
    first, last = almanac.window()
    told = source.occurrences(as_container(container), first - EAST, last + EAST)
    if told is None:
        return None
    said: dict[str, set[datetime]] = {uid: set() for uid in almanac.planned}
    for name, start, _ in told:
        uid = known_uid(name)
        if uid in said and first <= (_day(start) if almanac.planned[uid].days else start) < last:
            said[uid].add(start)
    return said


def _left_out(planned: Mapping[str, ExpectedEvent], said: Mapping[str, set[datetime]]) -> set[str]:
    """The series, where the source's views show none of them."""
    series = {uid for uid, one in planned.items() if one.series and (one.moments or one.days)}
    return set() if any(said[uid] for uid in series) else series


def _moment(start: date) -> datetime:
    if not isinstance(start, datetime):
        return datetime(start.year, start.month, start.day, tzinfo=UTC)
    return (start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC)


def _day(midnight: datetime) -> datetime:
    return (midnight.astimezone(UTC) + EAST).replace(hour=0, minute=0, second=0, microsecond=0)
