"""Events: an Exchange appointment, meeting or series becomes one iCalendar object (RFC 5545).

Built from properties, never from MimeContent: Exchange leaves attendees, attachments and more out of that. A
series is one VCALENDAR: the master, its modified occurrences, and a VTIMEZONE for every zone they name.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime

from icalendar import Calendar, Event, vRecur

from mappings.calendar.alarm import alarm
from mappings.calendar.attachments import AttachmentBudget, attachments, room, too_large
from mappings.calendar.attendees import people, received
from mappings.calendar.exo_limits import within
from mappings.calendar.series import EventSeries, missing, series
from mappings.calendar.text import links, marks, place, wording
from mappings.calendar.times import EventSpan, parameters, span, value
from mappings.calendar.uid import LONGEST, uid
from mappings.compare.semantic_digest import calendar_digest
from mappings.exchange.elements import items, left_out
from mappings.fields.context import Context
from mappings.fields.ews_xml import SPACES, Element, child, kind, moment, number, printable, text
from mappings.losses.catalogue import lose
from mappings.time.rrule import Start
from mappings.time.vtimezone import vtimezone
from mappings.time.zones import Zone
from model.errors import Rejected
from model.protocols import Item, Kind, Loss, Mapped, Native, key_of

PRODUCT = "-//Kogge//Kogge//EN"
CLASS = "ipm.appointment"
SKIPPED_CLASSES: Mapping[str, str] = {
    "ipm.activity": "journal-in-calendar",
    "ipm.note": "mail-in-calendar",
    "ipm.post": "mail-in-calendar",
    "ipm.schedule": "mail-in-calendar",
    "report": "mail-in-calendar",
    "ipm.contact": "contact-in-calendar",
    "ipm.distlist": "contact-in-calendar",
    "ipm.task": "task-in-calendar",
    "ipm.stickynote": "note-in-calendar",
}
_MOST = 2**31 - 1
_ENDLESS_YEARS = 10
_LAST_YEAR = 2087
"""tzdata knows no change by name beyond it; rules go on by themselves."""


def skip_event(native: Native) -> str | None:
    """A code (mappings.losses.catalogue.SKIPS) when this record is no appointment; None when it is one."""
    name = str(native.properties.get("ItemClass") or "").lower()
    if _is(name, CLASS):
        return None
    found = (code for known, code in SKIPPED_CLASSES.items() if _is(name, known))
    return next(found, "not-an-appointment")


def _is(name: str, known: str) -> bool:
    return name == known or name.startswith(known + ".")


def map_event(native: Native, context: Context) -> Mapped:
    """The object and what it loses. Raises Rejected: unknown-format, malformed-record, start-missing,
    date-out-of-range, unknown-recurrence, unknown-time-zone, empty-series, exception-without-origin,
    too-large, recurrence-not-kept."""
    own, *exceptions = items(Kind.CALENDAR, native)
    if any(kind(one) != "CalendarItem" for one in (own, *exceptions)):
        raise Rejected("malformed-record", "the record holds something that is no appointment")
    made = _Object(native, context)
    made.add(own, exceptions)
    return made.mapped()


class _Object:
    """One VCALENDAR in the making."""

    def __init__(self, native: Native, context: Context) -> None:
        self._native, self._context = native, context
        self._room: AttachmentBudget = room(context)
        self._losses: list[Loss] = []
        self._events: list[Event] = []
        self._zones: dict[str, Zone] = {}
        self._years: set[int] = set()
        self._uid = ""
        self._invited: frozenset[str] = frozenset()

    def add(self, own: Element, exceptions: list[Element]) -> None:
        self._uid = self._uid_of(own)
        self._invited = self._context.owner if received(own, self._context) else frozenset()
        kind_ = text(own, "t:CalendarItemType").strip()
        repeats = child(own, "t:Recurrence") is not None or kind_ == "RecurringMaster"
        found = span(own, repeats)
        if not repeats:
            if kind_ in ("Occurrence", "Exception") or text(own, "t:RecurrenceId"):
                self._losses.append(lose("series", "occurrence-alone"))
            self._component(own, found)
            return
        self._series(own, series(own, [*exceptions, *self._absent(own, exceptions)], found))

    def _absent(self, own: Element, exceptions: list[Element]) -> list[Element]:
        """Stand-ins for modified occurrences that did not come: the master, at their times."""
        absent = missing(own, exceptions)
        if absent:
            self._losses.append(lose("modified-occurrence", "only-times-known"))
        return [_stand_in(own, one) for one in absent]

    def _series(self, own: Element, found: EventSeries) -> None:
        self._losses += found.losses
        event = self._component(own, found.span)
        event.add("RRULE", vRecur.from_ical(found.rule.text))
        zone = found.span.zone
        for start in found.deleted:
            event.add("EXDATE", [value(start, zone)], parameters=parameters(start, zone))
        self._years |= _years(found)
        for start, element in found.modified:
            changed = self._component(element, span(element))
            changed.add("RECURRENCE-ID", value(start, zone), parameters=parameters(start, zone))
            self._years.add(start.year)

    def _component(self, element: Element, found: EventSpan) -> Event:
        event = Event()
        event.add("UID", self._uid)
        self._losses += [*found.losses, *left_out(element)]
        self._time(event, "DTSTART", found.start, found.zone)
        if found.end is not None:
            self._time(event, "DTEND", found.end, found.end_zone)
        self._stamps(event, element, found)
        self._losses += wording(element, event, self._context.target)
        for part in (place, links):
            self._losses += part(element, event)
        self._losses += marks(element, event, self._context)
        self._losses += people(element, self._context, event)
        self._losses += attachments(element, event, self._native, self._context, self._room)
        self._losses += alarm(element, event, found.ends, self._context.began)
        self._events.append(event)
        return event

    def _time(self, event: Event, name: str, start: Start, zone: Zone) -> None:
        event.add(name, value(start, zone), parameters=parameters(start, zone))
        if isinstance(start, datetime) and not zone.utc:
            self._zones[zone.id] = zone
            self._years.add(start.year)

    def _stamps(self, event: Event, element: Element, found: EventSpan) -> None:
        """DTSTAMP is required. Without any date of the record's own it is the start: no clock is asked."""
        created = moment(text(element, "t:DateTimeCreated"))
        modified = moment(text(element, "t:LastModifiedTime"))
        event.add("DTSTAMP", _whole(modified or created or found.begins))
        if created is not None:
            event.add("CREATED", _whole(created))
        if modified is not None:
            event.add("LAST-MODIFIED", _whole(modified))
        sequence = number(element, "t:AppointmentSequenceNumber") or 0
        event.add("SEQUENCE", min(max(sequence, 0), _MOST))

    def _uid_of(self, own: Element) -> str:
        found = uid(printable(text(own, "t:UID")))
        if found and len(found.encode()) <= LONGEST:
            return found
        if found:
            self._losses.append(lose("uid", "too-long"))
        return self._context.uid_of(key_of(self._native.ref.id))

    def mapped(self) -> Mapped:
        body = self._bytes()
        most = self._context.target.max_bytes
        if most is not None and len(body) > most:
            raise too_large()
        item = Item(
            kind=Kind.CALENDAR,
            key=key_of(self._native.ref.id),
            digest=calendar_digest(io.BytesIO(body), self._context.began),
            size=len(body),
            body=lambda: io.BytesIO(body),
            uid=self._uid,
            invited=self._invited,
        )
        mapped = Mapped(item, tuple(dict.fromkeys(self._losses)))
        limits = self._context.target.events
        return mapped if limits is None else within(mapped, limits, self._context.began)

    def _bytes(self) -> bytes:
        calendar = Calendar()
        calendar.add("VERSION", "2.0")
        calendar.add("PRODID", PRODUCT)
        for name in sorted(self._zones):
            calendar.add_component(vtimezone(self._zones[name], min(self._years), max(self._years)))
        for event in self._events:
            calendar.add_component(event)
        body: bytes = calendar.to_ical()
        return body


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _years(found: EventSeries) -> set[int]:
    """The years a series' zone must be described for, its last occurrence's among them."""
    first = found.span.start.year
    if found.rule.until is not None:
        last = found.rule.until.year
    elif found.rule.count is not None:
        last = _last_year(found.rule.starts(found.span.start))
    else:
        last = first + _ENDLESS_YEARS
    return {first, max(first, min(last, max(first + _ENDLESS_YEARS, _LAST_YEAR)))}


def _last_year(starts: Iterable[Start]) -> int:
    last = 0
    for start in starts:
        last = start.year
        if last > _LAST_YEAR:
            break
    return last


def _stand_in(master: Element, listed: Element) -> Element:
    """The master's element with one occurrence's times."""
    made = deepcopy(master)
    gone = ("Recurrence", "ModifiedOccurrences", "DeletedOccurrences", "Start", "End", "OriginalStart")
    for name in gone:
        for one in made.findall(f"t:{name}", SPACES):
            made.remove(one)
    for name in ("Start", "End", "OriginalStart"):
        found = child(listed, f"t:{name}")
        if found is not None:
            made.append(deepcopy(found))
    return made
