"""Write an event as Graph states it, from the same record that EWS states."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from datetime import date, datetime

from practice.calendar.appointments import Event, Party
from practice.calendar.event_desk import GOID, foreign_goid
from practice.exchange.records import plain_text
from practice.graph.context import Context
from practice.graph.errors import bad_request
from practice.graph.query import Query, checked
from practice.graph.wire import Json, instant
from practice.graph_items.attachments import FIELD as ATTACHMENTS
from practice.graph_items.attachments import attachments, listed
from practice.graph_items.extended import MULTI, SINGLE, expanded
from practice.graph_items.recurrence import of_series
from practice.graph_items.zones import NEVER, clock, precise, written, zone_of
from practice.world.messages import Message

Getter = Callable[[Context, Message, Event], object]
ANSWERS = {
    "Unknown": "none",
    "Organizer": "organizer",
    "Tentative": "tentativelyAccepted",
    "Accept": "accepted",
    "Decline": "declined",
    "NoResponseReceived": "notResponded",
}
_BUSY = {
    "Free": "free",
    "Tentative": "tentative",
    "Busy": "busy",
    "OOF": "oof",
    "WorkingElsewhere": "workingElsewhere",
    "NoData": "unknown",
    None: "unknown",
}
_TYPES = {
    "Single": "singleInstance",
    "RecurringMaster": "seriesMaster",
    "Occurrence": "occurrence",
    "Exception": "exception",
}
_PREVIEW = 255
_UID_DATE = slice(32, 40)


def event_of(item: Message) -> Event:
    """Return the event of an item.

    Raises:
        GraphError: the item is no event.
    """
    if not isinstance(item.record, Event):
        raise bad_request("The item is no event.", "ErrorInvalidRequest")
    return item.record


def body_of(context: Context, item: Message) -> Json:
    """Return the body: HTML, whatever the owner typed, unless the request prefers text.

    PidTagNativeBody (0x1016) states what it was at first.
    """
    common = item.record.common if item.record else None
    text, markup = item.text, common is not None and common.html
    if context.ask.prefer.body == "text":
        return {"contentType": "text", "content": plain_text(text) if markup else text}
    if not markup and text:
        text = f"<html><body><pre>{html.escape(text)}</pre></body></html>"
    return {"contentType": "html", "content": text}


def preview(item: Message) -> str:
    """Return the beginning of the text."""
    common = item.record.common if item.record else None
    return (plain_text(item.text) if common and common.html else item.text)[:_PREVIEW]


def uid_of(event: Event) -> str | None:
    """Return iCalUId; an occurrence's is not its series', as it holds the day (MS-OXCICAL, GOID)."""
    if event.day is None or not event.uid:
        return event.uid or None
    goid = event.uid if event.uid.startswith(GOID) else foreign_goid(event.uid)
    day = f"{event.day.year:04X}{event.day.month:02X}{event.day.day:02X}"
    return goid[: _UID_DATE.start] + day + goid[_UID_DATE.stop :]


def _edge(context: Context, event: Event, end: bool) -> Json:
    """All-day events are the same days in every zone."""
    zone = zone_of(context.ask.prefer.zone)
    if event.all_day:
        return written(event.end if end else event.start, zone.id)
    return clock(event.finishes if end else event.begins, zone)


def _party(name: str, address: str) -> Json:
    return {"emailAddress": {"name": name or address, "address": address}}


def _organizer(item: Message, event: Event) -> Json:
    owner = item.folder.mailbox.owner
    if event.organizer is None:
        return _party(owner.name, owner.address)
    return _party(event.organizer.name, event.organizer.address)


def _attendees(event: Event) -> list[Json]:
    rows: Iterable[tuple[str, tuple[Party, ...]]] = (
        ("required", event.required),
        ("optional", event.optional),
        ("resource", event.resources),
    )
    return [
        {"type": kind, "status": _status(party.answer, party.replied), **_party(party.name, party.address)}
        for kind, parties in rows
        for party in parties
    ]


def _status(answer: str, when: datetime | None) -> Json:
    return {"response": ANSWERS[answer], "time": NEVER if when is None else precise(when)}


def _response(event: Event) -> Json:
    answered = event.meeting and event.answer not in ("Organizer", "NoResponseReceived", "Unknown")
    return _status(event.answer, event.base.modified if answered else None)


def _location(event: Event) -> Json:
    if not event.location:
        return {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"} | _nowhere()
    return {
        "displayName": event.location,
        "locationType": "default",
        "uniqueId": event.location,
        "uniqueIdType": "private",
    } | _whereabouts(event)


def _nowhere() -> Json:
    return {"address": {}, "coordinates": {}}


def _whereabouts(event: Event) -> Json:
    place = event.place
    if place is None:
        return {}
    content: Json = {
        "address": {
            "type": "business",
            "street": place.street,
            "city": place.city,
            "countryOrRegion": place.country,
            "postalCode": place.code,
        }
    }
    if place.latitude is not None and place.longitude is not None:
        content["coordinates"] = {"latitude": place.latitude, "longitude": place.longitude}
    return content


def _locations(event: Event) -> list[Json]:
    if not event.location:
        return []
    known = event.place is not None
    one: Json = {
        "displayName": event.location,
        "locationType": "default",
        "uniqueIdType": "private" if known else "unknown",
    }
    if known:
        one["uniqueId"] = event.location
    return [one | _whereabouts(event)]


def _recurrence(event: Event) -> Json | None:
    if event.recurrence is None:
        return None
    return of_series(event.recurrence, event.start.date(), event.zone.id)


def _master(context: Context, item: Message) -> str | None:
    if item.day is None:
        return None
    box = item.folder.mailbox
    return context.item_id(box.item(box.ids.item(item.folder.number, item.number)))


_FIELDS: dict[str, Getter] = {
    "createdDateTime": lambda _, __, event: precise(event.base.created),
    "lastModifiedDateTime": lambda _, __, event: precise(event.base.modified),
    "changeKey": lambda _, item, __: item.change_key,
    "categories": lambda _, __, event: list(event.base.categories),
    "transactionId": lambda *_: None,
    "originalStartTimeZone": lambda _, __, event: event.zone.id,
    "originalEndTimeZone": lambda _, __, event: (event.end_zone or event.zone).id,
    "iCalUId": lambda _, __, event: uid_of(event),
    "reminderMinutesBeforeStart": lambda _, __, event: event.base.reminder or 0,
    "isReminderOn": lambda _, __, event: event.base.reminder is not None,
    "hasAttachments": lambda _, item, __: any(not one.inline for one in attachments(item)),
    "subject": lambda _, __, event: event.base.subject,
    "bodyPreview": lambda _, item, __: preview(item),
    "importance": lambda _, __, event: event.base.importance.lower(),
    "sensitivity": lambda _, __, event: event.base.sensitivity.lower(),
    "isAllDay": lambda _, __, event: event.all_day,
    "isCancelled": lambda _, __, event: event.cancelled,
    "isOrganizer": lambda _, __, event: event.answer == "Organizer",
    "responseRequested": lambda *_: True,
    "seriesMasterId": lambda context, item, _: _master(context, item),
    "showAs": lambda _, __, event: _BUSY[event.busy],
    "type": lambda _, __, event: _TYPES[event.part],
    "webLink": lambda context, item, _: (
        f"https://outlook.office365.com/owa/?itemid={context.item_id(item)}&exvsurl=1&path=/calendar/item"
    ),
    "onlineMeetingUrl": lambda *_: None,
    "isOnlineMeeting": lambda _, __, event: event.online is not None,
    "onlineMeetingProvider": lambda _, __, event: "teamsForBusiness" if event.online else "unknown",
    "allowNewTimeProposals": lambda *_: True,
    "isDraft": lambda *_: False,
    "hideAttendees": lambda *_: False,
    "recurrence": lambda _, __, event: _recurrence(event),
    "responseStatus": lambda _, __, event: _response(event),
    "body": lambda context, item, _: body_of(context, item),
    "start": lambda context, _, event: _edge(context, event, end=False),
    "end": lambda context, _, event: _edge(context, event, end=True),
    "location": lambda _, __, event: _location(event),
    "locations": lambda _, __, event: _locations(event),
    "attendees": lambda _, __, event: _attendees(event),
    "organizer": lambda _, item, event: _organizer(item, event),
    "onlineMeeting": lambda _, __, event: {"joinUrl": event.online} if event.online else None,
}
EXCEPTIONS, CANCELLED = "exceptionOccurrences", "cancelledOccurrences"
_EXPANDS = (SINGLE, MULTI, ATTACHMENTS, EXCEPTIONS, "instances", "calendar")


def shown(context: Context, item: Message, query: Query) -> Json:
    """Return what is selected of the event.

    What became of a series' single days is there for who asks by its id: exceptions by $expand, cancelled
    days by $select.
    """
    event = event_of(item)
    content: Json = {"@odata.etag": f'W/"{item.change_key}"', "id": context.item_id(item)}
    for name, getter in _FIELDS.items():
        if query.wants(name):
            content[name] = getter(context, item, event)
    if query.wants("originalStart") and event.original is not None:
        content["originalStart"] = instant(event.original)
    content |= expanded(item, query)
    if ATTACHMENTS in query.expand:
        content[ATTACHMENTS] = listed(context, item)
    if event.recurrence is None or "event" not in context.names or not context.lists_days:
        return content
    if CANCELLED in (query.select or ()):
        content[CANCELLED] = [f"OID.{context.item_id(item)}.{day}" for day in sorted(event.deleted)]
    if EXCEPTIONS in query.expand:
        content[EXCEPTIONS] = _exceptions(context, item, event, query)
    return content


def _exceptions(context: Context, item: Message, event: Event, query: Query) -> list[Json]:
    inner = query.expand[EXCEPTIONS].get("$select")
    chosen = frozenset(inner.split(",")) if inner else None
    days: list[date] = sorted({each.day for each in event.changed} - {*event.deleted})
    one = Query(select=chosen, expand={})
    return [one.shown(shown(context, item.folder.mailbox.occurrence(item, day), one)) for day in days]


def check(query: Query) -> Query:
    """Return the query, if an event has what it names."""
    return checked(query, (*_FIELDS, "originalStart", EXCEPTIONS, CANCELLED), "event", _EXPANDS)
