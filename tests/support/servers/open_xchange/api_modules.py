"""The HTTP API's modules chronos, addressbooks, contacts, tasks and import, as far as they were recorded.

They see more than DAV: every event in any range, distribution lists, recurring tasks.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from servers.open_xchange import people
from servers.open_xchange.api import Action, ApiError, Call
from servers.open_xchange.cards import Card
from servers.open_xchange.content_lines import Line, Part, escaped, parse, plain, text_of
from servers.open_xchange.context import Folder, User
from servers.open_xchange.event_rules import Refused
from servers.open_xchange.events import Row
from servers.open_xchange.tasks import Task
from servers.open_xchange.times import STAMP, Range, occurrences, stamp

DAYS = {"SU": 1, "MO": 2, "TU": 4, "WE": 8, "TH": 16, "FR": 32, "SA": 64}
EVERY = {"DAILY": 1, "WEEKLY": 2, "MONTHLY": 3, "YEARLY": 4}
CON_0177 = "An E-Mail address is mandatory for external distribution list members."


def _time(line: Line | None) -> dict[str, str] | None:
    if line is None:
        return None
    zone = {"tzid": line.param("TZID")} if line.param("TZID") else {}
    return {"value": line.value, **zone}


def _event(row: Row, folder: Folder) -> dict[str, Any]:
    """An event's fields; what is None is left out."""
    part = row.part
    series = row.series if row.series is not None else row.id if part.first("RRULE") else None
    return {
        "id": str(row.id),
        "uid": row.uid,
        "folder": folder.id,
        "filename": row.filename or None,
        "summary": plain(part.value("SUMMARY")),
        "startDate": _time(part.first("DTSTART")),
        "endDate": _time(part.first("DTEND")),
        "rrule": part.value("RRULE") or None,
        "seriesId": str(series) if series is not None else None,
        "recurrenceId": part.value("RECURRENCE-ID") or None,
    }


def _chronos_all(call: Call) -> list[dict[str, Any]]:
    """All events of a calendar in a range, which may lie outside of what CalDAV lists. With expand, each
    occurrence of a series; one that was changed is shown as such, or not at all in the calendar of an
    organizer whom it does not name."""
    folder, fields = call.folder(), call.params.get("fields", "").split(",")
    between = Range(*(_stamped(call.params.get(name, "")) for name in ("rangeStart", "rangeEnd")))
    rows = [row for one in call.suite.events.all(folder) for row in one.rows]
    shows: Callable[[Row], Iterator[dict[str, Any]]]
    if call.params.get("expand") == "true":
        shows = lambda row: _expanded(call, row, folder, between)  # noqa: E731
    else:
        shows = lambda row: iter([_event(row, folder)] if row.meets(between) else [])  # noqa: E731
    found = [one for row in sorted(rows, key=lambda row: row.id) for one in shows(row)]
    if len(found) > call.suite.max_results:  # read in the middleware's source (CalendarExceptionCodes)
        raise ApiError("CAL-5072", "Too many events are queried. Please choose a shorter timeframe.")
    if "organizer" in fields:  # measured: as in the answer to `new`
        found = [one | _organizer(call, rows, one["id"]) for one in found]
    return [{name: one[name] for name in fields if one.get(name) is not None} for one in found]


def _organizer(call: Call, rows: Sequence[Row], number: str) -> dict[str, Any]:
    lines = [row.part.first("ORGANIZER") for row in rows if str(row.id) == number]
    return {"organizer": _person(call, lines[0])} if lines and lines[0] is not None else {}


def _expanded(call: Call, row: Row, folder: Folder, between: Range) -> Iterator[dict[str, Any]]:
    known = _event(row, folder)
    if row.part.first("RRULE") is None:
        if row.meets(between):
            yield known
        return
    changed = {one.occurrence for one in call.suite.events.of_series(row)}
    for one in occurrences(row.part, between):
        if one.start not in changed:
            begins, ends = {"value": stamp(one.start)}, {"value": stamp(one.end)}
            yield known | {"startDate": begins, "endDate": ends, "recurrenceId": stamp(one.start)}


def _stamped(text: str) -> datetime:
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise ApiError("SVL-0010", "A range is needed.") from None


def _chronos_new(call: Call) -> dict[str, Any]:
    """A new event; the user is the organizer of its attendees. scheduling=none mails nobody."""
    folder, given = call.folder(), call.body()
    uid = given.get("uid") or str(uuid.uuid4())
    lines = [Line("UID", uid), Line("SUMMARY", escaped(given.get("summary", "")))]
    lines += [_time_line(name, given[key]) for name, key in (("DTSTART", "startDate"), ("DTEND", "endDate"))]
    guests = given.get("attendees", [])
    if guests:
        lines.append(Line("ORGANIZER", call.user.uri))
        lines += [_attendee(call.user, one["uri"]) for one in guests]
    change = call.suite.changes.create(call.user, folder, uid, [Part("VEVENT", tuple(lines))])
    call.suite.mailer.tell(change, silent=call.params.get("scheduling") == "none")
    made = call.suite.events.resource(folder, uid)
    created = [_created(call, row, folder) for row in made.rows] if made is not None else []
    return {"created": created, "updated": [], "deleted": []}


def _time_line(name: str, given: Mapping[str, str]) -> Line:
    zone = (("TZID", given["tzid"]),) if "tzid" in given else ()
    return Line(name, given["value"], zone)


def _attendee(user: User, uri: str) -> Line:
    says = "ACCEPTED" if uri.lower() == user.uri else people.OPEN
    return Line("ATTENDEE", uri, (("PARTSTAT", says),))


def _created(call: Call, row: Row, folder: Folder) -> dict[str, Any]:
    found = {name: value for name, value in _event(row, folder).items() if value is not None}
    organizer = row.part.first("ORGANIZER")
    found |= {"sequence": 0, "class": "PUBLIC", "transp": "OPAQUE"}
    if organizer is not None:
        found["organizer"] = _person(call, organizer)
        found["attendees"] = [_person(call, line, row) for line in row.part.all("ATTENDEE")]
    return found


def _person(call: Call, line: Line, row: Row | None = None) -> dict[str, Any]:
    who = people.address(line)
    found: dict[str, Any] = {"uri": f"mailto:{who}", "email": who}
    user = call.suite.context.by_address(who)
    if user is not None:
        found |= {"cn": user.name, "entity": user.number}
    if row is not None:
        found["cuType"] = "INDIVIDUAL"
        if user is not None and user.number in row.places:
            found |= {"partStat": line.param("PARTSTAT"), "folder": str(row.places[user.number])}
    return found


def _contacts_all(call: Call) -> list[list[Any]]:
    """Contacts and distribution lists."""
    folder, rows = call.folder(), []
    for card in call.suite.cards.everything(folder):
        first, second, third = card.contact.mails
        known = {
            1: str(card.id),
            223: card.uid,
            500: card.contact.display_name,
            555: first or None,
            556: second or None,
            557: third or None,
            592: _members(call, card),
            602: card.members is not None,
        }
        rows.append([known.get(column) for column in call.columns()])
    return rows


def _members(call: Call, card: Card) -> list[dict[str, Any]] | None:
    """Those of a list, people from outside first; a reference has the name and the address of its contact."""
    if card.members is None:
        return None
    found = [_member(call, one) for one in card.members]
    return sorted(found, key=lambda one: ("id" in one, one["mail"]))


def _member(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    folder = call.suite.context.by_id(str(given.get("folder_id", "")))
    number = str(given.get("id", ""))
    card = call.suite.cards.by_id(folder, int(number)) if folder and number.isdigit() else None
    if card is None:
        named = {"display_name": given["display_name"]} if "display_name" in given else {}
        sort_name = given.get("display_name", given["mail"])
        return {"mail": given["mail"], **named, "sort_name": sort_name, "mail_field": 0}
    slot = int(given.get("mail_field", 1))
    names = card.contact.part.value("N").split(";")[:2]
    return {
        "id": number,
        "folder_id": given["folder_id"],
        "mail": card.contact.mails[slot - 1],
        "display_name": card.contact.display_name,
        "sort_name": "_".join(names),
        "mail_field": slot,
    }


def _list_new(call: Call) -> dict[str, str]:
    """A distribution list, with a uid of one's own. It does not exist in CardDAV."""
    given = call.body()
    folder = call.suite.context.by_id(given.get("folder_id", ""))
    if folder is None or not given.get("mark_as_distributionlist"):
        raise ApiError("CON-0100", "Only distribution lists were recorded.")
    members = given.get("distribution_list", [])
    if any(not one.get("mail") for one in members):
        raise ApiError("CON-0177", CON_0177)
    uid = given.get("uid") or str(uuid.uuid4())
    return {"id": str(call.suite.cards.add_list(folder, uid, given.get("display_name", ""), members).id)}


def _list_get(call: Call) -> dict[str, Any]:
    folder, number = call.folder(), call.params.get("id", "")
    card = call.suite.cards.by_id(folder, int(number)) if number.isdigit() else None
    if card is None:
        raise ApiError("CON-0125", "The contact was not found.", "ERROR")
    name, members = card.contact.display_name, _members(call, card)
    found = {"id": number, "folder_id": call.params.get("folder"), "uid": card.uid, "display_name": name}
    if members is None:
        return found
    listed = {"mark_as_distributionlist": True, "distribution_list": members}
    return found | {"file_as": name, "sort_name": name, "number_of_distribution_list": len(members)} | listed


def _since(call: Call) -> int:
    """The moment after which a change must not have been made."""
    stated = call.params.get("timestamp", "")
    if not stated.isdigit():
        raise ApiError("SVL-0002", "A timestamp is needed.")
    return int(stated)


def _list_update(call: Call) -> dict[str, Any]:
    """Of a list; by the vendor's documents, not recorded: only fields that are named change, and what was
    changed after the time stamp is refused."""
    folder, number, given = call.folder(), call.params.get("id", ""), call.body()
    card = call.suite.cards.by_id(folder, int(number)) if number.isdigit() else None
    if card is None or card.members is None:
        raise ApiError("CON-0125", "The contact was not found.", "ERROR")
    if card.modified > _since(call):
        raise ApiError("CON-0114", "The contact was changed in the meantime.", "CONFLICT")
    members = given.get("distribution_list", card.members)
    if any(not one.get("mail") for one in members):
        raise ApiError("CON-0177", CON_0177)
    call.suite.cards.change_list(folder, card, given.get("display_name", card.contact.display_name), members)
    return {}


def _contacts_delete(call: Call) -> list[str]:
    """By the vendor's documents, not recorded: an array of id and folder; the ids that were changed after the
    time stamp, and stay, are the answer."""
    since, kept = _since(call), []
    for one in call.body():
        folder = call.suite.context.by_id(str(one.get("folder", "")))
        card = call.suite.cards.by_id(folder, int(one["id"])) if folder is not None else None
        if card is None or folder is None:
            raise ApiError("CON-0125", "The contact was not found.", "ERROR")
        if card.modified > since:
            kept.append(str(card.id))
        else:
            call.suite.cards.delete(folder, card)
    return kept


def _tasks_new(call: Call) -> dict[str, int]:
    """A task, recurring too: that is kept, and CalDAV does not list it."""
    given = call.body()
    folder = call.suite.context.by_id(str(given.get("folder_id", "")))
    if folder is None:
        raise ApiError("FLD-0008", "Folder could not be found.")
    made = call.suite.tasks.add_by_api(folder, str(given.get("uid") or uuid.uuid4()), _checked(given))
    return {"id": made.id}


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a task. What is refused is read in the middleware's source (TaskLogic), not recorded."""
    fields = {name: value for name, value in given.items() if value is not None}
    if fields.get("recurrence_type"):
        missing = [name for name in ("start_time", "end_time", "interval") if name not in fields]
        if missing or (fields["recurrence_type"] == 4 and fields["interval"] != 1):
            raise ApiError("TSK-0037", "Value for the recurrence is missing.")
    if fields.get("status", 1) == 1 and fields.get("percent_completed", 0) > 0:
        raise ApiError("TSK-0032", "Tasks that have not been started yet need to have a percentage of 0.")
    return fields


def _task(call: Call, folder: Folder, number: str) -> Task:
    found = [one for one in call.suite.tasks.everything(folder) if str(one.id) == number]
    if not found:
        raise ApiError("TSK-0019", "Cannot find task.", "ERROR")
    return found[0]


def _tasks_get(call: Call) -> dict[str, Any]:
    """By the vendor's documents, not recorded; of a task that DAV made only what the tests need."""
    task = _task(call, call.folder(), call.params.get("id", ""))
    known = {"id": task.id, "uid": task.uid, "recurrence_type": 0, "status": 1, "percent_completed": 0}
    return {**known, "title": plain(task.part.value("SUMMARY")), **(task.fields or {})}


def _tasks_update(call: Call) -> dict[str, Any]:
    """By the vendor's documents, not recorded: fields that are null are cleared."""
    task = _task(call, call.folder(), call.params.get("id", ""))
    if task.modified > _since(call):
        raise ApiError("TSK-0007", "Edit Conflict.", "CONFLICT")
    call.suite.tasks.change_by_api(call.folder(), task, _checked({**(task.fields or {}), **call.body()}))
    return {}


def _tasks_delete(call: Call) -> list[int]:
    """By the vendor's documents, not recorded; as that of contacts."""
    since, kept = _since(call), []
    for one in call.body():
        folder = call.suite.context.by_id(str(one.get("folder", "")))
        if folder is None:
            raise ApiError("FLD-0008", "Folder could not be found.")
        task = _task(call, folder, str(one["id"]))
        if task.modified > since:
            kept.append(task.id)
        else:
            call.suite.tasks.delete(folder, task)
    return kept


def _tasks_all(call: Call) -> list[list[Any]]:
    rows = []
    for task in call.suite.tasks.everything(call.folder()):
        series = task.recurrence or {}
        title = plain(task.part.value("SUMMARY"))
        known = {1: task.id, 200: title, 209: series.get("recurrence_type", 0), 223: task.uid}
        known[212] = series.get("days")
        rows.append([known.get(column) for column in call.columns()])
    return rows


def _import_cards(call: Call) -> list[dict[str, Any]]:
    """A group of version 4 becomes a distribution list; one of version 3 is refused."""
    folder = call.folder()
    cards = re.findall(rb"BEGIN:VCARD.*?END:VCARD", b"\n".join(call.uploads()), re.DOTALL | re.IGNORECASE)
    return [_import_card(call, folder, parse(one.decode())) for one in cards]


def _import_card(call: Call, folder: Folder, card: Part) -> dict[str, Any]:
    uid, name = card.value("UID") or str(uuid.uuid4()), plain(card.value("FN"))
    if card.first("X-ADDRESSBOOKSERVER-KIND") is not None:
        return ApiError("CON-0177", CON_0177).json()
    if card.value("KIND").lower() == "group":
        mails = [people.address(line) for line in card.all("MEMBER")]
        members = [{"mail": mail, "mail_field": 0} for mail in mails if mail]
        return _imported(call.suite.cards.add_list(folder, uid, name, members).id, folder)
    try:
        call.suite.cards.put(folder, f"{uid}.vcf", card, len(text_of(card)))
    except Refused:
        return ApiError("CON-0101", "The contact was not imported.").json()
    found = call.suite.cards.find(folder, f"{uid}.vcf")
    return _imported(found.id, folder) if found else ApiError("CON-0154", "A text is too long.").json()


def _import_calendar(call: Call) -> list[dict[str, Any]]:
    """Nobody is mailed: organizer and attendees of a meeting are dropped. A recurring task is kept."""
    folder = call.folder()
    calendars = [parse(one.decode()) for one in call.uploads()]
    if folder.kind == "tasks":
        return [_import_task(call, folder, todo) for one in calendars for todo in one.of("VTODO")]
    found = []
    for calendar in calendars:
        uids = dict.fromkeys(event.value("UID") for event in calendar.of("VEVENT"))
        for uid in uids:
            alone = Part("VCALENDAR", calendar.lines, tuple(_own(calendar.parts, uid)))
            found.append(_import_events(call, folder, uid, alone))
    return found


def _own(parts: Sequence[Part], uid: str) -> Iterator[Part]:
    for part in parts:
        if part.name == "VTIMEZONE":
            yield part
        elif part.value("UID") == uid:
            yield part.without("ORGANIZER", "ATTENDEE")


def _import_events(call: Call, folder: Folder, uid: str, calendar: Part) -> dict[str, Any]:
    try:
        call.suite.changes.put(call.user, folder, f"{uid}.ics", calendar)
    except Refused:
        return ApiError("CAL-4090", "The UID is there already, or the event is not valid.").json()
    made = call.suite.events.resource(folder, uid)
    return _imported(made.rows[0].id if made else 0, folder)


def _import_task(call: Call, folder: Folder, todo: Part) -> dict[str, Any]:
    uid, rule = todo.value("UID") or str(uuid.uuid4()), todo.value("RRULE")
    parts = dict(one.split("=", 1) for one in rule.split(";") if "=" in one)
    kind = EVERY.get(parts.get("FREQ", ""))
    if kind is None:
        call.suite.tasks.put(folder, f"{uid}.ics", Part("VCALENDAR", (), (todo,)))
        found = call.suite.tasks.find(folder, f"{uid}.ics")
        return _imported(found.id if found else 0, folder)
    days = sum(DAYS.get(day, 0) for day in parts.get("BYDAY", "").split(","))
    series = {"recurrence_type": kind, "days": days, "interval": int(parts.get("INTERVAL", "1"))}
    return _imported(call.suite.tasks.add(folder, uid, todo, series).id, folder)


def _imported(number: int, folder: Folder) -> dict[str, Any]:
    return {"id": str(number), "last_modified": folder.changed, "folder_id": folder.id}


ACTIONS: Mapping[tuple[str, str], Action] = {
    ("chronos", "all"): _chronos_all,
    ("chronos", "new"): _chronos_new,
    ("addressbooks", "all"): _contacts_all,
    ("addressbooks", "new"): _list_new,
    ("addressbooks", "get"): _list_get,
    ("addressbooks", "update"): _list_update,
    ("addressbooks", "delete"): _contacts_delete,
    ("contacts", "all"): _contacts_all,
    ("tasks", "new"): _tasks_new,
    ("tasks", "all"): _tasks_all,
    ("tasks", "get"): _tasks_get,
    ("tasks", "update"): _tasks_update,
    ("tasks", "delete"): _tasks_delete,
    ("import", "VCARD"): _import_cards,
    ("import", "ICAL"): _import_calendar,
}
