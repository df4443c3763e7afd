"""Hold appointments, meetings and series, and compute when their occurrences take place.

Times are naive wall clock times of the item's zone: a series keeps its wall clock when the clocks change, its
end as well as its start, as Exchange keeps minutes after midnight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from practice.calendar.event_elements import elements_of
from practice.calendar.event_mime import calendar_of
from practice.calendar.series import FAR, Recurrence
from practice.calendar.timezones import Zone
from practice.world.records import Common, Element

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

Busy = Literal["Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData"]
Answer = Literal["Unknown", "Organizer", "Tentative", "Accept", "Decline", "NoResponseReceived"]
Part = Literal["Single", "RecurringMaster", "Occurrence", "Exception"]
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Party:
    """Name who takes part.

    Attributes:
        routing: with "EX" the address is a legacyExchangeDN.
        replied: when the answer came.
    """

    name: str
    address: str
    routing: str = "SMTP"
    kind: str = "Mailbox"
    answer: Answer = "Unknown"
    replied: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Hold an EnhancedLocation: a name, and where that is."""

    name: str
    note: str = ""
    street: str = ""
    city: str = ""
    code: str = ""
    country: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """Hold one modified occurrence: the day that the pattern put it on, and what it states now."""

    day: date
    event: Event


@dataclass(frozen=True, slots=True)
class Event:
    """Hold one calendar item.

    Attributes:
        base: what every item has; see `common`.
        zone: of start and end.
        end_zone: of the end, if that is another.
        organizer: None for the owner, when no one else is invited.
        answer: the owner's own.
        online: the JoinOnlineMeetingUrl; None for no online meeting by that property.
        old_zone: True if the item has a MeetingTimeZone, and no StartTimeZone nor EndTimeZone.
        changed, deleted: of a series, by the days that the pattern put them on.
        day: of an occurrence, the day that the pattern put it on.
        original: of an occurrence, the moment of that, in UTC.
    """

    base: Common
    uid: str
    start: datetime
    end: datetime
    zone: Zone
    end_zone: Zone | None = None
    all_day: bool = False
    location: str = ""
    place: Place | None = None
    busy: Busy | None = "Busy"
    organizer: Party | None = None
    required: tuple[Party, ...] = ()
    optional: tuple[Party, ...] = ()
    resources: tuple[Party, ...] = ()
    answer: Answer = "Organizer"
    cancelled: bool = False
    sequence: int = 0
    online: str | None = None
    old_zone: bool = False
    recurrence: Recurrence | None = None
    changed: tuple[Changed, ...] = ()
    deleted: tuple[date, ...] = ()
    day: date | None = None
    original: datetime | None = None
    modified: bool = False
    item_class: str = "IPM.Appointment"

    @property
    def common(self) -> Common:
        """Return what every item has, with the moment that a reminder is for."""
        return replace(self.base, due=self.begins)

    @property
    def begins(self) -> datetime:
        """Return when it begins, in UTC."""
        return self.zone.utc(self.start)

    @property
    def finishes(self) -> datetime:
        """Return when it ends, in UTC."""
        return (self.end_zone or self.zone).utc(self.end)

    @property
    def meeting(self) -> bool:
        """Return whether somebody else takes part."""
        return bool(self.required or self.optional or self.resources) or self.answer != "Organizer"

    @property
    def part(self) -> Part:
        """Return which part of a series it is."""
        if self.recurrence is not None:
            return "RecurringMaster"
        if self.day is None:
            return "Single"
        return "Exception" if self.modified else "Occurrence"

    def days(self, last: date = FAR) -> Iterator[date]:
        """Yield the days that the pattern falls on, without deleted ones; endless without last."""
        if self.recurrence is not None:
            gone = frozenset(self.deleted)
            yield from (day for day in self.recurrence.days(self.start.date(), last) if day not in gone)

    def instance(self, day: date) -> Event:
        """See practice.world.records.Series."""
        if day not in self.days(day):
            raise KeyError("no such occurrence")
        return self.placed(day)

    def placed(self, day: date) -> Event:
        """Return the occurrence of a day that is known to be one of `days`."""
        found = next((each.event for each in self.changed if each.day == day), None)
        event = found or self._moved(day)
        return replace(
            event,
            uid=self.uid,
            recurrence=None,
            changed=(),
            deleted=(),
            day=day,
            original=self.planned(day),
            modified=found is not None,
        )

    def planned(self, day: date) -> datetime:
        """Return when the pattern puts the occurrence of this day, in UTC."""
        return self.zone.utc(datetime.combine(day, self.start.time()))

    def _moved(self, day: date) -> Event:
        start = datetime.combine(day, self.start.time())
        return replace(self, start=start, end=start + (self.end - self.start))

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:
        """Return the event's own elements."""
        return elements_of(self, item, dialect)

    def value(self, uri: str) -> object:
        """See practice.world.records.Searchable."""
        return {
            "calendar:Start": self.begins,
            "calendar:End": self.finishes,
            "calendar:UID": self.uid,
            "calendar:Location": self.location or None,
            "calendar:IsAllDayEvent": self.all_day,
            "calendar:IsMeeting": self.meeting,
            "calendar:IsRecurring": self.part != "Single",
            "calendar:IsCancelled": self.cancelled,
            "calendar:CalendarItemType": self.part,
            "calendar:LegacyFreeBusyStatus": self.busy,
            "calendar:MyResponseType": self.answer,
        }.get(uri)

    def mime(self) -> tuple[str, bytes]:
        """See practice.world.records.Renders."""
        return "text/calendar; charset=utf-8", calendar_of(
            self.uid, self.common, self.begins, self.finishes, self.location
        )


def instances(event: Event, start: datetime, end: datetime) -> list[Event]:
    """Return as items what takes place between two moments: the event itself, or its occurrences."""
    if event.recurrence is None:
        found = [event]
    else:
        first, last = _day_before(start - (event.end - event.start)), _day_after(end)
        planned = {day for day in event.days(last) if day >= first}
        moved = {each.day for each in event.changed}
        found = [event.placed(day) for day in sorted((planned | moved) - {*event.deleted})]
    return sorted((each for each in found if _overlaps(each, start, end)), key=lambda each: each.begins)


def _day_before(moment: datetime) -> date:
    """Return a day before a moment in any zone: zones are up to 14 hours from UTC, and the clocks change."""
    return (moment.astimezone(UTC) - timedelta(days=2)).date()


def _day_after(moment: datetime) -> date:
    """Return a day after a moment in any zone: zones are up to 14 hours from UTC."""
    return (moment.astimezone(UTC) + timedelta(days=1)).date()


def _overlaps(event: Event, start: datetime, end: datetime) -> bool:
    """Return whether an event overlaps a window; without duration, it takes place when it begins."""
    return event.begins < end and (event.finishes > start or event.begins == event.finishes >= start)
