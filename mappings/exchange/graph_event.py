"""Read events of Graph into the <t:CalendarItem> of EWS.

The record: {"item": a single event or a series' master; "exceptions": its changed occurrences, whole, in any
order; "cancelled": ids of its deleted ones, as cancelledOccurrences names them, each ending in the day;
"instances", if that was not given: see mappings.exchange.graph_days}. Each event may have beside Graph's own
fields: "textBody": the text of its HTML, by the server's own rendering; "attachments": what is attached,
without contents.

An occurrence's own iCalUId differs from its series': the master's counts. Every time is asked for in UTC;
whole days are the same days in every zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from mappings.exchange.graph_days import deleted
from mappings.exchange.graph_json import (
    NATIVE_BODY,
    PLAIN_TEXT,
    Json,
    add,
    attachments,
    body,
    common,
    extended,
    inner,
    instant,
    record,
    rows,
    said,
    started,
    told,
    values,
    wall_clock,
)
from mappings.exchange.graph_recurrence import recurrence
from mappings.exchange.graph_zone import zone
from mappings.fields.ews_xml import Element, child, moment, text
from mappings.time.zones import zone_for
from model.errors import Rejected
from model.protocols import Native

APPOINTMENT = "{00062002-0000-0000-c000-000000000046}"
TYPES: Mapping[str, str] = {
    "singleinstance": "Single",
    "occurrence": "Occurrence",
    "exception": "Exception",
    "seriesmaster": "RecurringMaster",
}
ANSWERS: Mapping[str, str] = {
    "none": "Unknown",
    "organizer": "Organizer",
    "tentativelyaccepted": "Tentative",
    "accepted": "Accept",
    "declined": "Decline",
    "notresponded": "NoResponseReceived",
}
SHOWN: Mapping[str, str] = {
    "free": "Free",
    "tentative": "Tentative",
    "busy": "Busy",
    "oof": "OOF",
    "workingelsewhere": "WorkingElsewhere",
    "unknown": "NoData",
}
INVITED: Mapping[str, str] = {
    "required": "RequiredAttendees",
    "optional": "OptionalAttendees",
    "resource": "Resources",
}
SEQUENCE, STATE, WORKSPACE, NET_SHOW, ZONE_NAME = 0x8201, 0x8217, 0x8209, 0x8248, 0x8234
START_ZONE, END_ZONE, SERIES_ZONE, OLD_ZONE = 0x825E, 0x825F, 0x8260, 0x8233
_MEETING, _RECEIVED, _CANCELLED = 1, 2, 4
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)$", re.ASCII)


def items(native: Native) -> list[Element]:
    """Return the event, and each changed occurrence of a series.

    Raises:
        Rejected: "malformed-record"; for a series with changed or deleted days also "unknown-time-zone",
            "date-out-of-range" or "occurrence-missing".
    """
    fields = record(native)
    own = _event(fields["item"])
    changed = rows(fields.get("exceptions"))
    cancelled = [str(exception) for exception in values(fields.get("cancelled"))]
    if isinstance(fields.get("instances"), dict):
        cancelled = deleted(own, fields["instances"])
    if cancelled:
        _deleted(own, cancelled)
    return [own, *(_exception(own, exception) for exception in sorted(changed, key=_order))]


def _order(event: Json) -> str:
    return said(event.get("originalStart")) or said(event.get("occurrenceId"))[-10:]


def _event(event: Json) -> Element:
    element = started("CalendarItem")
    add(element, "ItemId", Id=said(event.get("id")), ChangeKey=said(event.get("changeKey")))
    common(element, event)
    tags = extended(element, event)
    plain = event.get("textBody")
    typed = tags.get(f"0x{NATIVE_BODY:x}") == PLAIN_TEXT
    body(element, event, plain if isinstance(plain, str) else None, typed_plain=typed)
    attachments(element, rows(event.get("attachments")))
    told(element, "ReminderIsSet", event.get("isReminderOn"))
    told(element, "ReminderMinutesBeforeStart", event.get("reminderMinutesBeforeStart"))
    told(element, "UID", event.get("iCalUId"))
    _zones(element, event, tags)
    _times(element, event)
    _state(element, event, tags)
    _place(element, event)
    _people(element, event)
    if isinstance(event.get("recurrence"), dict):
        recurrence(element, event["recurrence"])
    told(element, "AllowNewTimeProposal", event.get("allowNewTimeProposals"))
    told(element, "MeetingWorkspaceUrl", _tag(tags, WORKSPACE))
    told(element, "NetShowUrl", _tag(tags, NET_SHOW))
    online = said(inner(event.get("onlineMeeting")).get("joinUrl")) or said(event.get("onlineMeetingUrl"))
    told(element, "JoinOnlineMeetingUrl", online)
    return element


def _tag(tags: Mapping[str, str], number: int) -> str:
    return tags.get(f"{APPOINTMENT} 0x{number:x}", "")


def _zones(element: Element, event: Json, tags: Mapping[str, str]) -> None:
    old, series = _tag(tags, OLD_ZONE), _tag(tags, SERIES_ZONE)
    own = said(event.get("originalStartTimeZone"))
    zone(element, "StartTimeZone", own, _tag(tags, START_ZONE), series, old)
    ends = said(event.get("originalEndTimeZone"))
    if ends and (ends != own or _tag(tags, END_ZONE) != _tag(tags, START_ZONE)):
        zone(element, "EndTimeZone", ends, _tag(tags, END_ZONE), series, old)
    told(element, "TimeZone", _tag(tags, ZONE_NAME))


def _times(element: Element, event: Json) -> None:
    whole = event.get("isAllDay") is True
    for name, key in (("Start", "start"), ("End", "end")):
        wall = wall_clock(event.get(key)) if whole else None
        # Days have no zone in Graph. Exchange keeps their midnights, in the event's own.
        told(element, name, instant(event.get(key)) if wall is None else _moment(element, wall, name))
    told(element, "OriginalStart", event.get("originalStart"))
    told(element, "IsAllDayEvent", event.get("isAllDay"))


def _moment(element: Element, wall: datetime, side: str = "Start") -> str:
    """Return a wall time of the event's zone as EWS writes it: in UTC."""
    try:
        instant_ = zone_for(element, side).instant(wall)
    except Rejected as unknown:
        if unknown.code != "unknown-time-zone":
            raise
        instant_ = wall.replace(tzinfo=UTC)  # the mapping rejects it for its zone
    return f"{instant_:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")


def _state(element: Element, event: Json, tags: Mapping[str, str]) -> None:
    stated = _tag(tags, STATE)
    guests = bool(rows(event.get("attendees")))
    meeting = guests or event.get("isOrganizer") is False
    guessed = _MEETING * meeting | _RECEIVED * (event.get("isOrganizer") is False)
    guessed |= _CANCELLED * (event.get("isCancelled") is True)
    shown = said(event.get("showAs"))
    answer = said(inner(event.get("responseStatus")).get("response"))
    kind = said(event.get("type"))
    add(element, "LegacyFreeBusyStatus", SHOWN.get(shown.lower(), shown))
    told(element, "IsMeeting", meeting)
    told(element, "IsCancelled", event.get("isCancelled"))
    told(element, "IsResponseRequested", event.get("responseRequested"))
    told(element, "CalendarItemType", TYPES.get(kind.lower(), kind))
    told(element, "MyResponseType", ANSWERS.get(answer.lower(), answer))
    told(element, "AppointmentSequenceNumber", _tag(tags, SEQUENCE))
    told(element, "AppointmentState", stated or guessed)


def _place(element: Element, event: Json) -> None:
    """Add the place.

    Of several places only the names stand together: their addresses could not be told apart.
    """
    location, several = inner(event.get("location")), rows(event.get("locations"))
    told(element, "Location", location.get("displayName"))
    single = several[0] if len(several) == 1 else {}
    address = inner(location.get("address")) or inner(single.get("address"))
    point = inner(location.get("coordinates")) or inner(single.get("coordinates"))
    uri = location.get("locationUri") or single.get("locationUri")
    if any(address.values()) or point or uri:
        holder = add(element, "EnhancedLocation")
        told(holder, "DisplayName", location.get("displayName"))
        postal = add(holder, "PostalAddress")
        parts = (("Street", "street"), ("City", "city"), ("State", "state"), ("Country", "countryOrRegion"),
                 ("PostalCode", "postalCode"))  # fmt: skip
        for name, key in parts:
            told(postal, name, address.get(key))
        told(postal, "LocationUri", uri)
        told(postal, "Latitude", point.get("latitude"))
        told(postal, "Longitude", point.get("longitude"))
    if len(several) > 1 and any(inner(place.get("address")) for place in several):
        add(element, "Lost", field="location", reason="addresses-of-several")


def _people(element: Element, event: Json) -> None:
    if inner(event.get("organizer")):
        _mailbox(add(element, "Organizer"), event["organizer"])
    attendees = rows(event.get("attendees"))
    for kind, name in INVITED.items():
        invited = [attendee for attendee in attendees if _kind(attendee) == kind]
        holder = add(element, name) if invited else element
        for attendee in invited:
            _attendee(add(holder, "Attendee"), attendee)
    if event.get("hideAttendees") is True:
        add(element, "Lost", field="attendee", reason="list-was-hidden")


def _kind(attendee: Json) -> str:
    """Return how somebody is invited; an unknown word invites, too."""
    kind = said(attendee.get("type")).lower()
    return kind if kind in INVITED else "required"


def _attendee(element: Element, attendee: Json) -> None:
    _mailbox(element, attendee)
    status = inner(attendee.get("status"))
    answer = said(status.get("response"))
    told(element, "ResponseType", ANSWERS.get(answer.lower(), answer))
    told(element, "LastResponseTime", status.get("time"))
    proposed = inner(attendee.get("proposedNewTime"))
    told(element, "ProposedStart", instant(proposed.get("start")))
    told(element, "ProposedEnd", instant(proposed.get("end")))


def _mailbox(element: Element, party: Json) -> None:
    address_of = inner(party.get("emailAddress"))
    address = said(address_of.get("address"))
    box = add(element, "Mailbox")
    told(box, "Name", address_of.get("name"))
    told(box, "EmailAddress", address)
    add(box, "RoutingType", "EX" if address.startswith("/") else "SMTP")


def _exception(own: Element, event: Json) -> Element:
    element = _event(event)
    if child(element, "t:OriginalStart") is None:
        day = _day_of(said(event.get("occurrenceId")))
        if day is not None:
            add(element, "OriginalStart", _planned(own, day))
    return element


def _deleted(own: Element, ids: list[str]) -> None:
    """Add where the rule put the days that were deleted.

    An id without its day makes the record unreadable: a day that was deleted must not come back.
    """
    holder = add(own, "DeletedOccurrences")
    for id_ in ids:
        day = _day_of(id_)
        if day is None:
            raise Rejected("malformed-record", "a deleted occurrence does not say its day")
        add(add(holder, "DeletedOccurrence"), "Start", _planned(own, day))


def _day_of(id_: str) -> date | None:
    """Return the day at the end of an occurrence's id ("OID.<master>.2026-01-31"), or the day itself."""
    match = _DAY.search(id_)
    try:
        return None if match is None else date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def _planned(own: Element, day: date) -> str:
    """Return the moment at which the series would have begun on a day of its zone."""
    begins = moment(text(own, "t:Start"))
    wall = time() if begins is None else zone_for(own).local(begins).time()
    return _moment(own, datetime.combine(day, wall))
