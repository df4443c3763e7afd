"""Write a calendar item's own elements, in the order of the schema (CalendarItemType of types.xsd)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from practice.exchange.soap import boolean, escape, stamp
from practice.world.record_elements import filled, leaf, present
from practice.world.records import Element

if TYPE_CHECKING:
    from practice.calendar.appointments import Event, Party, Place
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

_MEETING, _RECEIVED, _CANCELLED = 1, 2, 4
_EXCHANGE_ONLY = frozenset(
    [
        "calendar:TimeZone",
        "calendar:FirstOccurrence",
        "calendar:LastOccurrence",
        "calendar:MeetingTimeZone",
        "calendar:ConferenceType",
        "calendar:AllowNewTimeProposal",
        "calendar:EnhancedLocation",
        "calendar:JoinOnlineMeetingUrl",
        "calendar:DateTimeStamp",
        "calendar:RecurrenceId",
    ]
)
_AFTER_ZONES = ("calendar:ModifiedOccurrences", "calendar:DeletedOccurrences")
_LATE = ("calendar:AppointmentState", "calendar:Duration", "calendar:UID")
_DIGITS = ".000000000Z"


def elements_of(event: Event, item: Message, dialect: Dialect) -> Sequence[Element]:
    """Return the elements of an event."""
    rows = _times(event, dialect) + _state(event) + _people(event, item, dialect)
    rows += (
        _timing(event, dialect) + _recurrence(event, item, dialect) + _zones(event, dialect) + _online(event)
    )
    return present(_gromox(rows, event) if dialect.name == "gromox" else rows)


def _gromox(rows: list[tuple[str, str]], event: Event) -> list[tuple[str, str]]:
    """Return the rows in the order of gromox 3.10, which is not the schema's.

    It states the zones once more at the end.
    """
    zones = [row for row in rows if row[0].endswith("TimeZone")]
    late = {uri: xml for uri, xml in rows if uri in _LATE}
    names = [
        ("calendar:StartTimeZone", leaf("StartTimeZoneId", event.zone.id)),
        ("calendar:EndTimeZone", leaf("EndTimeZoneId", (event.end_zone or event.zone).id)),
    ]
    gone = _EXCHANGE_ONLY | late.keys() | {uri for uri, _ in zones} | {"calendar:Recurrence"}
    early = [row for row in rows if row[0] not in gone and row[0] not in _AFTER_ZONES]
    pattern = [row for row in rows if row[0] == "calendar:Recurrence"]
    lists = [row for row in rows if row[0] in _AFTER_ZONES]
    common_zones = [row for row in zones if row[0] not in _EXCHANGE_ONLY]
    return early + pattern + names + lists + common_zones + [(uri, late[uri]) for uri in _LATE] + common_zones


def exact(moment: datetime, dialect: Dialect) -> str:
    """Return a moment that has a meaning: nine digits in gromox's dialect, all of them nought."""
    return stamp(moment).removesuffix("Z") + _DIGITS if dialect.fraction else stamp(moment)


def _times(event: Event, dialect: Dialect) -> list[tuple[str, str]]:
    return [
        ("calendar:UID", filled("UID", event.uid or None)),
        ("calendar:RecurrenceId", _moment("RecurrenceId", _original(event, dialect), dialect)),
        ("calendar:DateTimeStamp", _moment("DateTimeStamp", event.base.modified, dialect)),
        ("calendar:Start", _moment("Start", event.begins, dialect)),
        ("calendar:End", _moment("End", event.finishes, dialect)),
        ("calendar:OriginalStart", _moment("OriginalStart", _original(event, dialect), dialect)),
        ("calendar:IsAllDayEvent", _flag("IsAllDayEvent", event.all_day)),
        ("calendar:LegacyFreeBusyStatus", filled("LegacyFreeBusyStatus", event.busy)),
        ("calendar:Location", filled("Location", event.location or None)),
    ]


def _state(event: Event) -> list[tuple[str, str]]:
    sent = event.meeting and event.answer == "Organizer"
    return [
        ("calendar:IsMeeting", _flag("IsMeeting", event.meeting)),
        ("calendar:IsCancelled", _flag("IsCancelled", event.cancelled)),
        ("calendar:IsRecurring", _flag("IsRecurring", event.part != "Single")),
        ("calendar:MeetingRequestWasSent", _flag("MeetingRequestWasSent", sent)),
        ("calendar:IsResponseRequested", _flag("IsResponseRequested", event.meeting)),
        ("calendar:CalendarItemType", leaf("CalendarItemType", event.part)),
        ("calendar:MyResponseType", leaf("MyResponseType", event.answer)),
    ]


def _people(event: Event, item: Message, dialect: Dialect) -> list[tuple[str, str]]:
    organizer = mailbox_of(event.organizer) if event.organizer else _owner(item)
    return [
        ("calendar:Organizer", f"<t:Organizer>{organizer}</t:Organizer>"),
        ("calendar:RequiredAttendees", _attendees("RequiredAttendees", event.required, dialect)),
        ("calendar:OptionalAttendees", _attendees("OptionalAttendees", event.optional, dialect)),
        ("calendar:Resources", _attendees("Resources", event.resources, dialect)),
    ]


def mailbox_of(party: Party) -> str:
    """Somebody without an address has a name alone."""
    address = filled("EmailAddress", party.address or None)
    return (
        f"<t:Mailbox><t:Name>{escape(party.name)}</t:Name>{address}<t:RoutingType>{party.routing}"
        f"</t:RoutingType><t:MailboxType>{party.kind}</t:MailboxType></t:Mailbox>"
    )


def _owner(item: Message) -> str:
    owner = item.folder.mailbox.owner
    return (
        f"<t:Mailbox><t:Name>{escape(owner.name)}</t:Name><t:EmailAddress>{owner.address}</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
    )


def _attendees(tag: str, parties: tuple[Party, ...], dialect: Dialect) -> str:
    inner = "".join(
        f"<t:Attendee>{mailbox_of(party)}{leaf('ResponseType', party.answer)}"
        f"{_moment('LastResponseTime', party.replied, dialect)}</t:Attendee>"
        for party in parties
    )
    return f"<t:{tag}>{inner}</t:{tag}>" if inner else ""


def _timing(event: Event, dialect: Dialect) -> list[tuple[str, str]]:
    minutes = int((event.finishes - event.begins).total_seconds()) // 60
    received = event.meeting and event.answer != "Organizer"
    state = _MEETING * event.meeting | _RECEIVED * received | _CANCELLED * event.cancelled
    replied = event.base.modified if received and event.answer != "NoResponseReceived" else None
    return [
        ("calendar:Duration", leaf("Duration", _duration(minutes, dialect))),
        ("calendar:TimeZone", leaf("TimeZone", event.zone.name)),
        ("calendar:AppointmentReplyTime", _moment("AppointmentReplyTime", replied, dialect)),
        ("calendar:AppointmentSequenceNumber", leaf("AppointmentSequenceNumber", str(event.sequence))),
        ("calendar:AppointmentState", leaf("AppointmentState", str(state))),
    ]


def _duration(minutes: int, dialect: Dialect) -> str:
    """Exchange writes days apart; gromox counts minutes."""
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    if dialect.name == "gromox":
        return f"PT{minutes}M"
    clock = f"{hours}H" * bool(hours) + f"{left}M" * bool(left)
    if not days:
        return f"PT{clock or '0S'}"
    return f"P{days}D" + (f"T{clock}" if clock else "")


def _recurrence(event: Event, item: Message, dialect: Dialect) -> list[tuple[str, str]]:
    if event.recurrence is None:
        return []
    start = event.start.date()
    until = event.recurrence.until or start
    pattern = event.recurrence.xml(_day(event, start, dialect), _day(event, until, dialect))
    last = None if event.recurrence.endless else max(event.days(), default=None)
    return [
        ("calendar:Recurrence", pattern),
        (
            "calendar:FirstOccurrence",
            _named(event, item, next(event.days(), None), "FirstOccurrence", dialect),
        ),
        ("calendar:LastOccurrence", _named(event, item, last, "LastOccurrence", dialect)),
        ("calendar:ModifiedOccurrences", _modified(event, item, dialect)),
        ("calendar:DeletedOccurrences", _deleted(event, dialect)),
    ]


def _day(event: Event, day: date, dialect: Dialect) -> str:
    """Exchange adds the zone's offset to the date; gromox writes a moment, as if the day were UTC's."""
    midnight = datetime.combine(day, datetime.min.time())
    if dialect.fraction:
        return f"{midnight:%Y-%m-%dT%H:%M:%S}{_DIGITS}"
    return day.isoformat() + event.zone.offset(midnight)


def _named(event: Event, item: Message, day: date | None, tag: str, dialect: Dialect) -> str:
    """Return an occurrence as a series names it: its own id, its times."""
    if day is None:
        return ""
    one = event.instance(day)
    box = item.folder.mailbox
    key = item.series_key if dialect.habits.keys_stay else item.change_key
    id_ = box.ids.occurrence(item.folder.number, item.number, day.toordinal())
    return (
        f'<t:{tag}><t:ItemId Id="{id_}" ChangeKey="{key}"/>'
        f"{_moment('Start', one.begins, dialect)}{_moment('End', one.finishes, dialect)}"
        f"{_moment('OriginalStart', _planned(event, day, dialect), dialect)}</t:{tag}>"
    )


def _planned(event: Event, day: date, dialect: Dialect) -> datetime:
    """Return where a series says that one of its days was."""
    return _midnight(event, day) if dialect.habits.midnights else event.planned(day)


def _original(event: Event, dialect: Dialect) -> datetime | None:
    """Return where an occurrence says that it was."""
    if event.day is None or not dialect.habits.midnights:
        return event.original
    return _midnight(event, event.day)


def _midnight(event: Event, day: date) -> datetime:
    return event.zone.utc(datetime.combine(day, time()))


def _modified(event: Event, item: Message, dialect: Dialect) -> str:
    days = sorted({each.day for each in event.changed} - {*event.deleted})
    inner = "".join(_named(event, item, day, "Occurrence", dialect) for day in days)
    return f"<t:ModifiedOccurrences>{inner}</t:ModifiedOccurrences>" if inner else ""


def _deleted(event: Event, dialect: Dialect) -> str:
    starts = [_planned(event, day, dialect) for day in sorted(event.deleted)]
    inner = "".join(
        f"<t:DeletedOccurrence>{_moment('Start', start, dialect)}</t:DeletedOccurrence>" for start in starts
    )
    return f"<t:DeletedOccurrences>{inner}</t:DeletedOccurrences>" if inner else ""


def _zones(event: Event, dialect: Dialect) -> list[tuple[str, str]]:
    end = event.end_zone or event.zone
    if event.old_zone and dialect.name == "exchange":
        return [("calendar:MeetingTimeZone", event.zone.meeting())]
    return [
        ("calendar:StartTimeZone", event.zone.xml("StartTimeZone")),
        ("calendar:EndTimeZone", end.xml("EndTimeZone")),
    ]


def _online(event: Event) -> list[tuple[str, str]]:
    return [
        ("calendar:ConferenceType", leaf("ConferenceType", "0")),
        ("calendar:AllowNewTimeProposal", _flag("AllowNewTimeProposal", True)),
        ("calendar:IsOnlineMeeting", _flag("IsOnlineMeeting", event.online is not None)),
        ("calendar:EnhancedLocation", _place(event.place) if event.place else ""),
        ("calendar:JoinOnlineMeetingUrl", filled("JoinOnlineMeetingUrl", event.online)),
    ]


def _place(place: Place) -> str:
    point = ""
    if place.latitude is not None and place.longitude is not None:
        point = leaf("Latitude", repr(place.latitude)) + leaf("Longitude", repr(place.longitude))
    return (
        f"<t:EnhancedLocation>{leaf('DisplayName', place.name)}{leaf('Annotation', place.note)}"
        f"<t:PostalAddress>{leaf('Street', place.street)}{leaf('City', place.city)}"
        f"{leaf('Country', place.country)}{leaf('PostalCode', place.code)}{leaf('Type', 'Business')}{point}"
        "</t:PostalAddress></t:EnhancedLocation>"
    )


def _moment(tag: str, moment: datetime | None, dialect: Dialect) -> str:
    return "" if moment is None else leaf(tag, exact(moment, dialect))


def _flag(tag: str, value: bool) -> str:
    return leaf(tag, boolean(value))
