"""Answer about calendars over Graph: groups, events, the occurrences in a window, and a window's delta."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from practice.calendar.appointments import Event, instances
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.delta import Token, delta_link, next_link, read_token
from practice.graph.errors import bad_filter, bad_query, bad_request, not_found, untracked
from practice.graph.query import Query, paged
from practice.graph.wire import Json, rest_id
from practice.graph_items.attachments import routes as attachment_routes
from practice.graph_items.contacts import property_of
from practice.graph_items.events import check, event_of, shown
from practice.graph_items.extended import of_folder
from practice.graph_items.zones import zone_of
from practice.world.folders import Folder
from practice.world.messages import Message

NEEDS = frozenset({"Calendars.Read"})
_MINE, _OTHERS = "My Calendars", "Other Calendars"
_CLASSES = {
    _MINE: "0006f0b7-0000-0000-c000-000000000046",
    _OTHERS: "0006f0b8-0000-0000-c000-000000000046",
}
_LONGEST = timedelta(days=1825)
_MODIFIED = re.compile(r"lastModifiedDateTime (ge|gt|le|lt) (\S+)")
_UID = re.compile(r"iCalUId eq '([^']*)'")
_TYPE = re.compile(r"type eq '(singleInstance|seriesMaster)'")
_PAGE = 10


def calendars(context: Context) -> list[Folder]:
    """Return what people see as calendars: none that was deleted, the default one first."""
    found = [
        folder
        for folder in context.box.folders()
        if folder.folder_class.startswith("IPF.Appointment") and folder.kind == "normal"
        and not _deleted(folder)
    ]  # fmt: skip
    return sorted(found, key=lambda folder: folder.role != "calendar")


def _deleted(folder: Folder) -> bool:
    here: Folder | None = folder
    while here is not None and here.role != "deleteditems":
        here = here.parent
    return here is not None


def calendar_of(context: Context) -> Folder:
    """Return the calendar that the address names, else the default one.

    Raises:
        GraphError: there is none.
    """
    given = context.names.get("calendar")
    if given is None:
        return context.box.distinguished("calendar")
    folder = context.folder(given)
    if folder not in calendars(context):
        raise not_found()
    return folder


def _row(context: Context, folder: Folder) -> Json:
    owner = context.box.owner
    mine = folder.role == "calendar"
    return {
        "id": rest_id(folder.id),
        "name": folder.name,
        "color": "auto",
        "isDefaultCalendar": mine,
        "changeKey": folder.change_key,
        "canShare": not folder.readonly,
        "canViewPrivateItems": True,
        "hexColor": "",
        "canEdit": not folder.readonly,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "isTallyingResponses": mine,
        "isRemovable": not mine,
        "owner": {"name": owner.name, "address": owner.address},
    }


def _group_id(context: Context, name: str) -> str:
    """Another shape than a folder's."""
    data = context.box.guid.bytes + name.encode()
    return rest_id(base64.b64encode(data).decode())


def _group_of(folder: Folder) -> str:
    return _OTHERS if folder.readonly else _MINE


def _groups(context: Context) -> Reply:
    rows: list[Json] = [
        {
            "name": name,
            "classId": class_id,
            "changeKey": context.box.ids.change_key(1),
            "id": _group_id(context, name),
        }
        for name, class_id in _CLASSES.items()
    ]
    return context.say(paged(context.ask, rows, context.query))


def _calendars(context: Context) -> Reply:
    found = calendars(context)
    if "group" in context.names:
        names = [name for name in _CLASSES if _group_id(context, name) == context.names["group"]]
        if not names:
            raise not_found()
        found = [folder for folder in found if _group_of(folder) == names[0]]
    rows = [_row(context, folder) for folder in found]
    return context.say(paged(context.ask, rows, context.query))


def _get_calendar(context: Context) -> Reply:
    folder = calendar_of(context)
    content = context.query.shown(_row(context, folder))
    content |= of_folder(context.query, lambda tag: property_of(folder, tag))
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#calendars/$entity", **content})


def _events(context: Context) -> Reply:
    """Answer with single events and series, the newest first: no occurrences."""
    query = check(context.query)
    folder = calendar_of(context)
    items = [item for item in folder.items if isinstance(item.record, Event)]
    items = list(_filtered(items, query.filter))
    if query.orderby not in (None, "start/dateTime", "lastModifiedDateTime", "createdDateTime"):
        raise bad_query("The $orderby query option is not supported.")
    count = query.top or context.ask.prefer.page or _PAGE
    window = range(query.skip, query.skip + count)
    newest = sorted(items, key=lambda item: item.number, reverse=True)
    rows: list[Json] = [shown(context, item, query) if at in window else {} for at, item in enumerate(newest)]
    return context.say(paged(context.ask, rows, query))


def _filtered(items: list[Message], text: str | None) -> Iterator[Message]:
    if text is None:
        yield from items
        return
    modified, uid, kind = (form.fullmatch(text) for form in (_MODIFIED, _UID, _TYPE))
    if not (modified or uid or kind):
        raise bad_filter()
    for item in items:
        event = event_of(item)
        if uid:
            fits = event.uid == uid[1]
        elif kind:
            fits = (event.recurrence is not None) == (kind[1] == "seriesMaster")
        elif modified:
            limit, when = _moment(modified[2], "$filter"), event.base.modified
            fits = {"ge": when >= limit, "gt": when > limit, "le": when <= limit, "lt": when < limit}[
                modified[1]
            ]
        if fits:
            yield item


def _get_event(context: Context) -> Reply:
    item = _event(context)
    content = shown(context, item, check(context.query))
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#events/$entity", **content})


def _event(context: Context) -> Message:
    item = context.item(context.names["event"])
    if not isinstance(item.record, Event):
        raise not_found()
    if "calendar" in context.names and calendar_of(context) is not item.folder:
        raise not_found()
    return item


def _moment(text: str, name: str) -> datetime:
    """ISO 8601; without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise bad_request(f"The value '{text}' of {name} is invalid.", "ErrorInvalidParameter") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _window(context: Context) -> tuple[datetime, datetime]:
    """Return the window that is asked for.

    Raises:
        GraphError: there is none, or it is longer than five years.
    """
    start, end = (context.ask.query.get(name) for name in ("startDateTime", "endDateTime"))
    if not start or not end:
        raise bad_request(
            "This request requires a time window specified by the query string parameters StartDateTime and"
            " EndDateTime.",
            "ErrorInvalidParameter",
        )
    found = _moment(start, "startDateTime"), _moment(end, "endDateTime")
    if found[1] - found[0] > _LONGEST:
        raise bad_request(
            "The requested time duration is too long, it must be within 1825 days.",
            "ErrorCalendarViewRangeTooBig",
        )
    return found


def _in_window(item: Message, start: datetime, end: datetime) -> Iterator[Message]:
    """Yield the item, or its occurrences, that take place between two moments."""
    event = event_of(item)
    for one in instances(event, start, end):
        yield item if one.day is None else item.folder.mailbox.placed(item, one, one.day)


def _view(context: Context) -> Reply:
    query = check(context.query)
    zone_of(context.ask.prefer.zone)
    start, end = _window(context)
    if "event" in context.names:
        found = list(_in_window(_series(context), start, end))
    else:
        items = [item for item in calendar_of(context).items if isinstance(item.record, Event)]
        found = [one for item in items for one in _in_window(item, start, end)]
        found.sort(key=lambda one: event_of(one).begins)
    rows = [shown(context, one, query) for one in found]
    return context.say(paged(context.ask, rows, query))


def _series(context: Context) -> Message:
    item = _event(context)
    if event_of(item).recurrence is None:
        raise bad_request("The event is no series.", "ErrorInvalidRequest")
    return item


def _delta(context: Context) -> Reply:
    """Answer a delta of what takes place in a window.

    Single events and exceptions are whole, a series' other days have little, and the series itself comes,
    too. A row without change may come again; a day that was deleted comes as removed.
    """
    refused = [name for name in ("$orderby", "$filter", "$expand", "$search") if name in context.ask.query]
    folder = calendar_of(context)
    token = read_token(context, "CalendarView")
    if token is None:
        if refused:
            raise untracked("CalendarView", *refused)
        start, end = _window(context)
        extra = f"{start.isoformat()} {end.isoformat()}"
        token = Token("CalendarView", folder.number, select=context.ask.query.get("$select"), extra=extra)
    start, end = (datetime.fromisoformat(text) for text in token.extra.split())
    chosen = frozenset(token.select.split(",")) if token.select else None
    query = check(Query(select=chosen))
    high = token.high or context.box.change
    rows = [
        row
        for change in reversed(folder.changes(token.since, high + 1))
        for row in (
            [_gone(context.gone_id(folder, _number(context, change.id)))]
            if change.item is None
            else _tracked(context, change.item, query, token.since, (start, end))
        )
    ]
    size = context.ask.prefer.page or context.query.top or _PAGE
    content: Json = {
        "@odata.context": f"{context.ask.base}/$metadata#Collection(event)",
        "value": rows[token.skip : token.skip + size],
    }
    if token.skip + size < len(rows):
        content |= next_link(context, token.later(skip=token.skip + size, high=high))
    else:
        content |= delta_link(context, token.round(high))
    return context.say(content)


def _number(context: Context, item_id: str) -> int:
    numbers = context.box.ids.read_item(item_id)
    return numbers[1] if numbers else 0


def _gone(id_: str) -> Json:
    return {"@odata.type": "#microsoft.graph.event", "id": id_, "@removed": {"reason": "deleted"}}


def _tracked(
    context: Context, item: Message, query: Query, since: int, window: tuple[datetime, datetime]
) -> Iterator[Json]:
    if not isinstance(item.record, Event):
        return
    kind: Json = {"@odata.type": "#microsoft.graph.event"}
    event = event_of(item)
    found = list(_in_window(item, *window))
    if event.recurrence is None:
        if found:
            yield kind | query.shown(shown(context, item, query))
        elif since:
            yield _gone(context.item_id(item))
        return
    if found or since:
        yield kind | query.shown(shown(context, item, query))
    few = Query(select=frozenset({"seriesMasterId", "type", "start", "end"}))
    for one in found:
        part = query if event_of(one).part == "Exception" else few
        yield kind | part.shown(shown(context, one, part))
    for day in event.deleted if since else ():
        yield _gone(_occurrence_id(context, item, day.toordinal()))


def _occurrence_id(context: Context, item: Message, day: int) -> str:
    ids = item.folder.mailbox.ids
    if context.ask.prefer.immutable:
        return rest_id(ids.immutable(*(item.origin or (item.folder.number, item.number)), day))
    return rest_id(ids.occurrence(item.folder.number, item.number, day))


def _ways(of: str) -> Iterator[Route]:
    """Yield the addresses below one calendar."""
    yield Route(f"{of}/events", "ListEvents", NEEDS, _events)
    yield Route(f"{of}/events/{{event}}", "ReadItem", NEEDS, _get_event, "event")
    yield Route(f"{of}/events/{{event}}/instances", "ListInstances", NEEDS, _view, "event")
    yield Route(f"{of}/calendarView", "ListView", NEEDS, _view)
    yield Route(f"{of}/calendarView/delta", "Delta", NEEDS, _delta)
    yield from attachment_routes(f"{of}/events/{{event}}", NEEDS, "event")


_USER = "users/{user}"
ROUTES = (
    Route(f"{_USER}/calendar", "GetCalendar", NEEDS, _get_calendar),
    Route(f"{_USER}/calendars", "ListCalendars", NEEDS, _calendars),
    Route(f"{_USER}/calendars/{{calendar}}", "GetCalendar", NEEDS, _get_calendar),
    Route(f"{_USER}/calendarGroups", "ListCalendars", NEEDS, _groups),
    Route(f"{_USER}/calendarGroups/{{group}}/calendars", "ListCalendars", NEEDS, _calendars),
    *_ways(_USER),
    *_ways(f"{_USER}/calendar"),
    *_ways(f"{_USER}/calendars/{{calendar}}"),
)
