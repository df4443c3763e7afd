"""Read an Exchange appointment, meeting or series into components of iCalendar (RFC 5545).

It is built from properties, never from MimeContent: Exchange leaves attendees, attachments and more out of
that. A series is one VCALENDAR: the master, its modified occurrences, and a VTIMEZONE for every zone they
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime

from mappings.calendar.alarm import alarm
from mappings.calendar.attachments import attachments
from mappings.calendar.attendees import people, received
from mappings.calendar.series import EventSeries, missing, series
from mappings.calendar.text import links, marks, place, wording
from mappings.calendar.times import EventSpan, is_moved, span
from mappings.calendar.uid import LONGEST, uid
from mappings.exchange.elements import items, left_out
from mappings.fields.context import Reading
from mappings.fields.ews_xml import SPACES, Element, child, kind, moment, number, printable, text
from mappings.fit.event import EventRead
from mappings.fit.shared_series import Occurrence
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Rule, Text, Word
from mappings.losses.catalogue import lose
from mappings.time.rrule import Start
from mappings.time.zones import Zone
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Loss, Native, key_of

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


def skip_event(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this record is no appointment; None if it is one."""
    name = str(native.properties.get("ItemClass") or "").lower()
    if _is(name, CLASS):
        return None
    codes = (code for class_, code in SKIPPED_CLASSES.items() if _is(name, class_))
    return next(codes, "not-an-appointment")


def _is(name: str, class_: str) -> bool:
    return name == class_ or name.startswith(class_ + ".")


def read_event(native: Native, context: Reading) -> EventRead:
    """Read an event or a series.

    Raises:
        Rejected: "unknown-format", "malformed-record", "start-missing", "date-out-of-range",
            "unknown-recurrence", "unknown-time-zone", "empty-series" or "exception-without-origin".
    """
    own, *exceptions = items(Kind.CALENDAR, native)
    if any(kind(element_) != "CalendarItem" for element_ in (own, *exceptions)):
        raise Rejected("malformed-record", "the record holds something that is no appointment")
    return _Object(native, context).read(own, exceptions)


class _Object:
    """Read one event or series."""

    def __init__(self, native: Native, context: Reading) -> None:
        self._native, self._context = native, context
        self._losses: list[Loss] = []
        self._zones: dict[str, Zone] = {}
        self._uid = ""

    def read(self, own: Element, exceptions: list[Element]) -> EventRead:
        """Return an event, or a series with its modified occurrences."""
        self._uid = self._uid_of(own)
        event, changed = self._components(own, exceptions)
        return EventRead(
            key=key_of(self._native.ref.id),
            event=event,
            changed=changed,
            zones=self._zones,
            called=not received(own, self._context),
            losses=tuple(self._losses),
        )

    def _components(
        self, own: Element, exceptions: list[Element]
    ) -> tuple[Component, tuple[Occurrence, ...]]:
        kind_ = text(own, "t:CalendarItemType").strip()
        repeats = child(own, "t:Recurrence") is not None or kind_ == "RecurringMaster"
        when = span(own, repeats)
        if not repeats:
            if kind_ in ("Occurrence", "Exception") or text(own, "t:RecurrenceId"):
                self._losses.append(lose("series", "occurrence-alone"))
            return self._component(own, when), ()
        return self._series(own, series(own, [*exceptions, *self._absent(own, exceptions)], when))

    def _absent(self, own: Element, exceptions: list[Element]) -> list[Element]:
        """Return stand-ins for modified occurrences that did not come: the master, at their times."""
        absent = missing(own, exceptions)
        if absent:
            self._losses.append(lose("modified-occurrence", "only-times-known"))
        return [_stand_in(own, occurrence) for occurrence in absent]

    def _series(self, own: Element, series_: EventSeries) -> tuple[Component, tuple[Occurrence, ...]]:
        self._losses += series_.losses
        event = self._component(own, series_.span)
        event.add("RRULE", Rule(series_.rule.text))
        zone = series_.span.zone
        for start in series_.deleted:
            event.add("EXDATE", zone.stated(start))
        occurrences = []
        for start, element in series_.modified:
            when = span(element)
            changed = self._component(element, when)
            changed.add("RECURRENCE-ID", zone.stated(start))
            occurrences.append(Occurrence(changed, is_moved(series_.span, start, when)))
        return event, tuple(occurrences)

    def _component(self, element: Element, when: EventSpan) -> Component:
        event = Component("VEVENT")
        event.add("UID", Text(self._uid))
        self._losses += [*when.losses, *left_out(element)]
        self._time(event, "DTSTART", when.start, when.zone)
        if when.end is not None:
            self._time(event, "DTEND", when.end, when.end_zone)
        self._stamps(event, element, when)
        for part in (wording, place, links):
            self._losses += part(element, event)
        self._losses += marks(element, event, self._context)
        self._losses += people(element, self._context, event)
        self._losses += attachments(element, event, self._native)
        self._losses += alarm(element, event, when.ends, self._context.began)
        return event

    def _time(self, event: Component, name: str, start: Start, zone: Zone) -> None:
        event.add(name, zone.stated(start))
        self._zones[zone.id] = zone

    def _stamps(self, event: Component, element: Element, when: EventSpan) -> None:
        """Add DTSTAMP, which is required.

        Without any date in the record it is the start: no clock is read.
        """
        created = moment(text(element, "t:DateTimeCreated"))
        modified = moment(text(element, "t:LastModifiedTime"))
        event.add("DTSTAMP", Moment(_whole(modified or created or when.begins)))
        if created is not None:
            event.add("CREATED", Moment(_whole(created)))
        if modified is not None:
            event.add("LAST-MODIFIED", Moment(_whole(modified)))
        sequence = number(element, "t:AppointmentSequenceNumber") or 0
        event.add("SEQUENCE", Word(str(min(max(sequence, 0), _MOST))))

    def _uid_of(self, own: Element) -> str:
        own_uid = uid(printable(text(own, "t:UID")))
        if own_uid and len(own_uid.encode()) <= LONGEST:
            return own_uid
        if own_uid:
            self._losses.append(lose("uid", "too-long"))
        return self._context.uid_of(key_of(self._native.ref.id))


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _stand_in(master: Element, listed: Element) -> Element:
    """Return the master's element with one occurrence's times."""
    made = deepcopy(master)
    gone = ("Recurrence", "ModifiedOccurrences", "DeletedOccurrences", "Start", "End", "OriginalStart")
    for name in gone:
        for element_ in made.findall(f"t:{name}", SPACES):
            made.remove(element_)
    for name in ("Start", "End", "OriginalStart"):
        time_ = child(listed, f"t:{name}")
        if time_ is not None:
            made.append(deepcopy(time_))
    return made
