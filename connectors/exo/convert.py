"""Convert between iCalendar objects and the JSON of eXo's agenda.

Only what `mappings.fit.exo_limits` leaves of an event is written; other content of an object is ignored.
What is read is converted back into an object with the same words, so that the two can be compared. Times are
sent without an offset, as the clock of timeZoneId shows them, because eXo drops an offset. It returns times
in the requested zone, here UTC, and never an event's own zone. The end of whole days is the last of them. A
deleted occurrence is one that was changed to CANCELLED.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Alarm, Calendar, Event, vRecur, vUri

from model.errors import Rejected
from model.icalendar_writer import written

Json: TypeAlias = dict[str, Any]
DAY = timedelta(days=1)
LISTS = {"byDay": "BYDAY", "byMonthDay": "BYMONTHDAY", "byMonth": "BYMONTH", "bySetPos": "BYSETPOS"}
FURTHER = {
    "byYearDay": "BYYEARDAY",
    "byWeekNo": "BYWEEKNO",
    "byHour": "BYHOUR",
    "byMinute": "BYMINUTE",
    "bySecond": "BYSECOND",
}
LOOKED_AT = 400
FAULTS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, StopIteration)
MINUTES = {"MINUTE": 1, "HOUR": 60, "DAY": 1440, "WEEK": 10080}
Start: TypeAlias = date | datetime
Read: TypeAlias = Any
"""A component as icalendar reads it; its values have thirty classes."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Hold one event and the changed occurrences of its series.

    Attributes:
        event: the event's JSON.
        changed: the changed and deleted occurrences; each names the occurrence that it replaces.
        shown: days; on at least one of them something of the series is visible, even if only a part of it
            exists.
    """

    event: Json
    changed: tuple[Json, ...] = ()
    shown: tuple[date, ...] = ()


def sheet(body: bytes) -> Sheet:
    """Return what to send for an object.

    Args:
        body: the iCalendar object.

    Raises:
        Rejected: "empty-message", "refused-by-target".
    """
    if not body.strip():
        raise Rejected("empty-message", "the item has no content")
    try:
        events = Calendar.from_ical(body).walk("VEVENT")
        master = next(event for event in events if "RECURRENCE-ID" not in event)
        others = [event for event in events if event is not master]
        changed = [
            *map(_changed_occurrence, others),
            *(_deleted_occurrence(master, at) for at in _deleted_starts(master)),
        ]
        return Sheet(_event(master), tuple(changed), tuple(_visible_days(master, changed)) if changed else ())
    except FAULTS:
        raise Rejected("refused-by-target", "not an event that eXo's agenda could hold") from None


def calendar(event: Json, changed: Iterable[Json], zone: str) -> bytes:
    """Return the iCalendar object of an event, in UTC.

    Args:
        event: the event as it was read.
        changed: its changed occurrences as they were read.
        zone: the zone of the series.

    Raises:
        Rejected: "malformed-calendar".
    """
    try:
        made = Calendar()
        made.add("VERSION", "2.0")
        made.add("PRODID", "-//Kogge//Kogge//EN")
        others = list(changed)
        master = _component(event, ZoneInfo(zone) if event.get("recurrence") else UTC)
        if isinstance(event.get("recurrence"), Mapping):
            master.add("RRULE", vRecur.from_ical(_rule(event, ZoneInfo(zone))))
        for change in others:
            if change.get("status") == "CANCELLED":
                _add(master, "EXDATE", occurrence(change, event))
        made.add_component(master)
        for change in others:
            if change.get("status") != "CANCELLED":
                part = _component(change, UTC)
                _add(part, "RECURRENCE-ID", occurrence(change, event))
                made.add_component(part)
        return written(made)
    except FAULTS:
        raise Rejected("malformed-calendar", "the target tells an event that makes no sense") from None


def occurrence(changed: Json, event: Json) -> Start:
    """Return which occurrence of a series a changed one replaces.

    Args:
        changed: the changed occurrence.
        event: the series.

    Raises:
        ValueError, KeyError: the changed occurrence is malformed.
    """
    facts = changed["occurrence"]
    at = _instant(str(facts["id"]))
    return at.date() if event.get("allDay") else at


def start(event: Json) -> Start:
    """Return the start of an event as it was read.

    Raises:
        ValueError, KeyError: the event is malformed.
    """
    return _time(event, "start")


def probe(event: Json, changed: Iterable[Json], zone: str) -> datetime | None:
    """Return the first unchanged occurrence at another offset from UTC than the first one, or None.

    Only at such an occurrence the clocks of two zones differ.

    Args:
        event: a timed series.
        changed: its changed occurrences.
        zone: the zone to compare with UTC.

    Raises:
        Rejected: "malformed-calendar".
    """
    try:
        elsewhere = {occurrence(change, event) for change in changed}
        first = _instant(str(event["start"])).astimezone(ZoneInfo(zone))
        starts = _starts(_rule(event, ZoneInfo(zone)), first)
        candidates = (at.astimezone(UTC) for at in starts if at.utcoffset() != first.utcoffset())
        return next((at for at in candidates if at not in elsewhere), None)
    except FAULTS:
        raise Rejected("malformed-calendar", "the target tells a series that makes no sense") from None


def _starts(rule: str, first: datetime) -> Iterator[datetime]:
    """Return the first starts of a series, by the clock of its start."""
    head, _, until = rule.partition(";UNTIL=")
    if until:  # dateutil needs it in the clock of the start
        end, _, rest = until.partition(";")
        written = datetime.strptime(f"{end}+0000", "%Y%m%dT%H%M%SZ%z").astimezone(first.tzinfo)
        head += f";UNTIL={written:%Y%m%dT%H%M%S}" + (f";{rest}" if rest else "")
    walls = rrulestr(head, dtstart=first.replace(tzinfo=None))
    return (wall.replace(tzinfo=first.tzinfo) for wall in islice(walls, LOOKED_AT))


# -- what is sent


def _event(event: Read) -> Json:
    """Return an event's JSON."""
    made: Json = {
        "summary": str(event.get("SUMMARY", "")),
        "description": str(event.get("DESCRIPTION", "")),
        "location": str(event.get("LOCATION", "")),
        "availability": "FREE" if event.get("TRANSP") == "TRANSPARENT" else "BUSY",
        "status": "CONFIRMED",
        "sendInvitation": False,
        "conferences": [
            {"type": "manual", "url": str(conference)} for conference in _values(event, "CONFERENCE")
        ],
        "reminders": [_reminder(alarm) for alarm in event.walk("VALARM")],
        **_times(event),
    }
    if "RRULE" in event:
        made["recurrence"] = _recurrence(event["RRULE"])
    return made


def _times(event: Read) -> Json:
    first = event["DTSTART"].dt
    if not isinstance(first, datetime):
        last = event["DTEND"].dt - DAY if "DTEND" in event else first
        return {"allDay": True, "start": str(first), "end": str(max(first, last)), "timeZoneId": "UTC"}
    last = event["DTEND"].dt if "DTEND" in event else first
    zone: tzinfo = first.tzinfo or UTC if "RRULE" in event else UTC
    return {
        "allDay": False,
        "start": _wall(first, zone),
        "end": _wall(last, zone),
        "timeZoneId": getattr(zone, "key", "UTC"),
    }


def _wall(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).replace(tzinfo=None).isoformat()


def _changed_occurrence(event: Read) -> Json:
    """Return the JSON of a changed occurrence."""
    return {**_event(event), "occurrence": {"id": _id(event["RECURRENCE-ID"].dt)}}


def _deleted_occurrence(master: Read, at: Start) -> Json:
    """Return the JSON of a deleted occurrence: one that is CANCELLED."""
    made = {name: value for name, value in _event(master).items() if name != "recurrence"}
    first = master["DTSTART"].dt
    lasts = (master["DTEND"].dt if "DTEND" in master else first) - first
    if isinstance(at, datetime):
        moment = at.astimezone(UTC)
        made |= {"start": _wall(moment, UTC), "end": _wall(moment + lasts, UTC), "timeZoneId": "UTC"}
    else:
        made |= {"start": str(at), "end": str(at + max(lasts - DAY, timedelta()))}
    return {**made, "status": "CANCELLED", "reminders": [], "occurrence": {"id": _id(at)}}


def _id(at: Start) -> str:
    """Return how eXo names an occurrence: its start in UTC; midnight UTC for whole days."""
    moment = at.astimezone(UTC) if isinstance(at, datetime) else datetime.combine(at, time(), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _visible_days(master: Read, changed: Iterable[Json]) -> Iterator[date]:
    """Yield the days of the first unchanged occurrence and of the first changed one."""
    first = master["DTSTART"].dt
    whole = not isinstance(first, datetime)
    gone = {change["occurrence"]["id"] for change in changed}
    local = datetime.combine(first, time(), UTC) if whole else first
    starts = _starts(master["RRULE"].to_ical().decode(), local)
    yield from islice((at.date() for at in starts if _id(at.date() if whole else at) not in gone), 1)
    left = (change for change in changed if change["status"] != "CANCELLED")
    yield from (date.fromisoformat(change["start"][:10]) for change in islice(left, 1))


def _recurrence(rule: Read) -> Json:
    """Return a rule's JSON."""
    parts = dict(part.split("=", 1) for part in rule.to_ical().decode().split(";"))
    made: Json = {
        "type": "CUSTOM",
        "frequency": parts["FREQ"],
        "interval": int(parts.get("INTERVAL", "1")),
        "count": int(parts.get("COUNT", "0")),
        "until": None,
    }
    return made | {name: parts[part].split(",") for name, part in LISTS.items() if part in parts}


def _reminder(alarm: Read) -> Json:
    return {"before": int(-alarm["TRIGGER"].dt.total_seconds() // 60), "beforePeriodType": "MINUTE"}


def _deleted_starts(master: Read) -> Iterator[Start]:
    """Return the deleted occurrences of a series."""
    return (value.dt for line in _values(master, "EXDATE") for value in line.dts)


def _values(event: Read, name: str) -> list[Any]:
    """Return all values of a property."""
    value = event.get(name, [])
    return value if isinstance(value, list) else [value]


# -- what is read


def _component(event: Json, zone: tzinfo) -> Event:
    """Return a component from an event's JSON."""
    made = Event()
    first, last = _time(event, "start"), _time(event, "end")
    made.add("DTSTAMP", datetime(1970, 1, 1, tzinfo=UTC))
    if isinstance(first, datetime) and isinstance(last, datetime):
        made.add("DTSTART", first.astimezone(zone))
        made.add("DTEND", last.astimezone(zone))
    else:
        made.add("DTSTART", first, parameters={"VALUE": "DATE"})
        made.add("DTEND", last + DAY, parameters={"VALUE": "DATE"})
    for name, key in (("SUMMARY", "summary"), ("DESCRIPTION", "description"), ("LOCATION", "location")):
        if event.get(key):
            made.add(name, str(event[key]))
    made.add("TRANSP", "TRANSPARENT" if event.get("availability") == "FREE" else "OPAQUE")
    made.add("STATUS", str(event.get("status") or "CONFIRMED"))
    for entry in _objects(event, "conferences"):
        made.add("CONFERENCE", vUri(str(entry["url"])), parameters={"VALUE": "URI"})
    for entry in _objects(event, "reminders"):
        minutes = int(str(entry["before"])) * MINUTES[str(entry.get("beforePeriodType") or "MINUTE").upper()]
        alarm = Alarm()
        alarm.add("ACTION", "DISPLAY")
        alarm.add("TRIGGER", timedelta(minutes=-minutes))
        made.add_component(alarm)
    return made


def _time(event: Json, name: str) -> Start:
    """Return a time of an event."""
    text = str(event[name])
    return date.fromisoformat(text[:10]) if event.get("allDay") else _instant(text)


def _instant(text: str) -> datetime:
    """Return a time in UTC; a text without an offset is UTC."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _rule(event: Json, zone: ZoneInfo) -> str:
    """Return a rule's text from a series' JSON."""
    rule = event["recurrence"]
    if not isinstance(rule, Mapping):
        raise ValueError
    parts = [f"FREQ={rule['frequency']}", f"INTERVAL={max(1, int(rule.get('interval') or 1))}"]
    if int(rule.get("count") or 0) > 0:
        parts.append(f"COUNT={int(rule['count'])}")
    elif rule.get("until"):
        parts.append(f"UNTIL={_until(date.fromisoformat(str(rule['until'])[:10]), event, zone)}")
    for name, part in {**LISTS, **FURTHER}.items():
        if rule.get(name):
            parts.append(f"{part}={','.join(map(str, rule[name]))}")
    return ";".join(parts)


def _until(last: date, event: Json, zone: ZoneInfo) -> str:
    if event.get("allDay"):
        return f"{last:%Y%m%d}"
    return f"{datetime.combine(last, time(23, 59, 59), zone).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _objects(event: Json, name: str) -> list[Mapping[str, object]]:
    """Return a list of objects of an event."""
    objects = event.get(name) or []
    if not isinstance(objects, list) or not all(isinstance(entry, Mapping) for entry in objects):
        raise ValueError
    return objects


def _add(made: Event, name: str, at: Start) -> None:
    parameters = {} if isinstance(at, datetime) else {"VALUE": "DATE"}
    made.add(name, [at] if name == "EXDATE" else at, parameters=parameters)
