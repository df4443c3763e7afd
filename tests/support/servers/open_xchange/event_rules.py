"""What of an event is refused, and with which answer. The body of most of them is empty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from servers.open_xchange import people
from servers.open_xchange.content_lines import Part
from servers.open_xchange.context import Context, User
from servers.open_xchange.times import breaks_server, end_of, instant, moment, span

CALDAV = "urn:ietf:params:xml:ns:caldav"
CALENDARSERVER = "http://calendarserver.org/ns/"


class Refused(Exception):
    """status, and the condition of RFC 4918 16 with its namespace; without one the body is empty."""

    def __init__(self, status: int, condition: str = "", namespace: str = CALDAV) -> None:
        super().__init__(status)
        self.status = status
        self.condition = condition
        self.namespace = namespace


def events_of(calendar: Part) -> list[Part]:
    """The events of what was put into a calendar, the master first. Raises Refused for what is none: a
    VJOURNAL or a VTODO is 403 supported-calendar-component, two UIDs are 403
    valid-calendar-object-resource."""
    if calendar.name != "VCALENDAR":
        raise Refused(403, "valid-calendar-data")
    events = calendar.of("VEVENT")
    if calendar.of("VTODO", "VJOURNAL") or not events:
        raise Refused(403, "supported-calendar-component")
    if len({event.value("UID") for event in events}) != 1:
        raise Refused(403, "valid-calendar-object-resource")
    if breaks_server(calendar):
        raise Refused(500)
    masters = [event for event in events if event.first("RECURRENCE-ID") is None]
    if len(masters) > 1:  # "two masters in a file: 403", read from the source
        raise Refused(403, "valid-calendar-object-resource")
    return masters + [event for event in events if event not in masters]


def check(events: Sequence[Part], user: User) -> None:
    """Raises Refused for an object that is never stored, whatever is there."""
    for event in events:
        _check_times(event)
        for alarm in event.of("VALARM"):
            if alarm.value("ACTION").upper() == "DISPLAY" and alarm.first("DESCRIPTION") is None:
                raise Refused(400)
    if len({people.organizer([event]) for event in events}) > 1:
        # a component with ORGANIZER and ATTENDEE beside one without
        raise Refused(403, "valid-calendar-object-resource")
    listed = events[0].first("RDATE") is not None and events[0].first("RRULE") is None
    if listed and len(events) > 1:
        raise Refused(400)  # a changed occurrence of a list of dates without a rule
    orphan = events[0].first("RECURRENCE-ID") is not None
    if orphan and people.organizer(events) in ("", user.address):
        raise Refused(400)  # an exception without its master is taken from a foreign organizer alone


def _check_times(event: Part) -> None:
    begin, end = moment(event.first("DTSTART")), end_of(event)
    if begin is None:
        raise Refused(400)
    if end is not None and instant(end) < instant(begin):
        raise Refused(403, "valid-calendar-data")
    floats = isinstance(begin, datetime) and begin.tzinfo is None
    until = next((one for one in event.value("RRULE").split(";") if one.startswith("UNTIL=")), "")
    if floats and "T" in until and not until.endswith("Z"):
        raise Refused(400)


def check_exception(master: Part, exception: Part, context: Context, user: User) -> None:
    """Raises Refused for a new exception that its series does not admit. master and exception with their
    attendees as stored, the exception's alarms inside."""
    if (exception.value("CLASS") or "PUBLIC") != (master.value("CLASS") or "PUBLIC"):
        raise Refused(403, "valid-access-restriction", CALENDARSERVER)
    if people.organizer([master]) != user.address:
        return
    if exception.of("VALARM") and user.address not in people.attendees(exception):
        raise Refused(400)  # who does not take part has no alarms
    if not is_moved(master, exception) and people.differing_answers(exception, master, context):
        raise Refused(403)  # the organizer does not answer for the users of the context


def is_moved(master: Part, exception: Part) -> bool:
    """It begins at another time than its RECURRENCE-ID says, or lasts otherwise than the master."""
    begin, planned = moment(exception.first("DTSTART")), moment(exception.first("RECURRENCE-ID"))
    if begin is None or planned is None:
        return False
    if instant(begin) != instant(planned):
        return True
    return _length(exception) != _length(master)


def _length(event: Part) -> float:
    whole = span(event)
    return (whole.end - whole.start).total_seconds()
