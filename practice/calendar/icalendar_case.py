"""Read an event of the practice world's data from iCalendar, as Outlook imports one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from icalendar import Calendar
from icalendar.error import BrokenCalendarProperty
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from practice.calendar.timezones import WEEKDAYS, ZONES
from practice.world.cases import Case

Table = dict[str, Any]
_ZONES = {WINDOWS_TO_OLSON[name]: name for name in ZONES if name in WINDOWS_TO_OLSON}
_DAYS = dict(zip(("MO", "TU", "WE", "TH", "FR", "SA", "SU"), WEEKDAYS, strict=True))
_INDEX = {1: "First", 2: "Second", 3: "Third", 4: "Fourth", -1: "Last"}
_CLASSES = {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential"}
_ANSWERS = {"ACCEPTED": "Accept", "DECLINED": "Decline", "TENTATIVE": "Tentative"}
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}


def icalendar(case: Case, text: str) -> Table:
    """Return the fields of an event: one, or a series with the days that differ.

    Raises:
        CaseError: the file holds no event, several, or what Exchange cannot state.
    """
    try:
        events: list[Any] = Calendar.from_ical(text).walk("VEVENT")
    except ValueError as error:
        raise case.error("", f"is no iCalendar: {error}") from None
    try:
        return _table(case, events)
    except BrokenCalendarProperty:
        raise case.error("", "has a property that cannot be read") from None


def _table(case: Case, events: Sequence[Any]) -> Table:
    masters = [one for one in events if "RECURRENCE-ID" not in one]
    if len(masters) != 1:
        raise case.error("", f"must hold one event, not {len(masters)}")
    table = _event(case, masters[0])
    if "RRULE" in masters[0]:
        table["recurrence"] = _recurrence(case, masters[0])
        table["deleted"] = [_day(moment) for moment in _excluded(masters[0])]
        others = [one for one in events if "RECURRENCE-ID" in one]
        table["changed"] = [{"day": _day(one["RECURRENCE-ID"].dt), **_changed(case, one)} for one in others]
    return table


def _event(case: Case, event: Any) -> Table:
    start = _value(case, event, "DTSTART")
    if start is None:
        raise case.error("DTSTART", "is missing")
    end = _end(case, event, start)
    table: Table = {"base": _base(case, event), "uid": str(event.get("UID", "")), **_people(event)}
    if isinstance(start, datetime):
        table |= {"start": start.replace(tzinfo=None), "end": end.replace(tzinfo=None)}
        if start.tzinfo is not None:
            table["zone"] = _zone(case, event)
    else:
        days = (end - start).days
        table |= {"start": datetime(start.year, start.month, start.day), "days": days}
    if event.get("TRANSP") == "TRANSPARENT":
        table["busy"] = "Free"
    simple = {"location": str(event.get("LOCATION", "")), "sequence": _number(case, event, "SEQUENCE")}
    return table | simple | {"cancelled": event.get("STATUS") == "CANCELLED"}


def _changed(case: Case, event: Any) -> Table:
    """Return one day of a series: all-day ones have an end, too."""
    table = _event(case, event)
    del table["uid"]
    if days := table.pop("days", 0):
        table |= {"end": table["start"] + timedelta(days=days), "all_day": True}
    return table


def _end(case: Case, event: Any, start: Any) -> Any:
    end, lasts = _value(case, event, "DTEND"), _value(case, event, "DURATION")
    if end is not None:
        if isinstance(end, datetime) != isinstance(start, datetime):
            raise case.error("DTEND", f"is a {_sort(end)}, where DTSTART is a {_sort(start)}")
        return end
    if lasts is not None:
        if not isinstance(lasts, timedelta):
            raise case.error("DURATION", "is no length of time")
        return start + lasts
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _sort(moment: date) -> str:
    return "time" if isinstance(moment, datetime) else "day"


def _value(case: Case, event: Any, name: str) -> Any:
    """Return a date, a time or a length of time; None if the event has none."""
    found = event.get(name)
    if found is None:
        return None
    if isinstance(found, list):
        raise case.error(name, "stands there several times")
    try:
        return found.dt
    except BrokenCalendarProperty:
        raise case.error(name, "cannot be read") from None


def _zone(case: Case, event: Any) -> str:
    """Return DTSTART's zone: one of the database, or a Windows name."""
    name = str(event["DTSTART"].params.get("TZID", "UTC"))
    found = _ZONES.get(name, name)
    if found not in ZONES:
        raise case.error(
            "DTSTART", f"has a zone that the practice world does not know; there are {', '.join(_ZONES)}"
        )
    return found


def _base(case: Case, event: Any) -> Table:
    base: Table = {
        "subject": str(event.get("SUMMARY", "")),
        "body": str(event.get("DESCRIPTION", "")).replace("\n", "\r\n"),
        "sensitivity": _CLASSES.get(str(event.get("CLASS")), "Normal"),
    }
    priority = _number(case, event, "PRIORITY")
    if priority:
        base["importance"] = "High" if priority < 5 else "Normal" if priority == 5 else "Low"
    if "CATEGORIES" in event:
        lines = event["CATEGORIES"]
        given = lines if isinstance(lines, list) else [lines]
        base["categories"] = [str(one) for line in given for one in line.cats]
    for alarm in event.walk("VALARM"):
        trigger = alarm.get("TRIGGER")
        if trigger is not None and isinstance(trigger.dt, timedelta):
            base["reminder"] = int(-trigger.dt.total_seconds() // 60)
    return base


def _number(case: Case, event: Any, name: str) -> int:
    try:
        return int(event.get(name, 0))
    except (TypeError, ValueError):
        raise case.error(name, "is no number") from None


def _people(event: Any) -> Table:
    attendees = event.get("ATTENDEE", [])
    found: Table = {"required": [], "optional": [], "resources": []}
    for one in attendees if isinstance(attendees, list) else [attendees]:
        kind = "optional" if one.params.get("ROLE") == "OPT-PARTICIPANT" else "required"
        kind = "resources" if one.params.get("CUTYPE") in ("ROOM", "RESOURCE") else kind
        found[kind].append(
            {**_party(one), "answer": _ANSWERS.get(str(one.params.get("PARTSTAT")), "Unknown")}
        )
    if "ORGANIZER" in event:
        found |= {"organizer": {**_party(event["ORGANIZER"]), "answer": "Organizer"}, "answer": "Accept"}
    return found


def _party(value: Any) -> Table:
    address = str(value).partition(":")[2] or str(value)
    return {"name": str(value.params.get("CN", address)), "address": address, "kind": "OneOff"}


def _recurrence(case: Case, event: Any) -> Table:
    rule = {str(key).upper(): value for key, value in event["RRULE"].items()}
    if unknown := rule.keys() - _KNOWN:
        raise case.error("RRULE", f"has what Exchange cannot say: {', '.join(sorted(unknown))}")
    ending: Table = {}
    if "COUNT" in rule:
        ending["count"] = int(rule["COUNT"][0])
    if "UNTIL" in rule:
        ending["until"] = _day(rule["UNTIL"][0])
    return {**_pattern(case, rule, event["DTSTART"].dt), **ending}


def _pattern(case: Case, rule: Table, start: date) -> Table:
    every = {"every": int(rule.get("INTERVAL", [1])[0])}
    month = {"month": int(rule.get("BYMONTH", [start.month])[0])}
    day = {"day": int(rule.get("BYMONTHDAY", [start.day])[0])}
    kind, on = str(rule["FREQ"][0]), "BYDAY" in rule
    if kind == "DAILY" and not on:
        return {"daily": every}
    if kind == "WEEKLY":
        days = [_DAYS[str(one)] for one in rule.get("BYDAY", [list(_DAYS)[start.weekday()]])]
        return {"weekly": {"weekdays": days, "first": _DAYS[str(rule.get("WKST", ["MO"])[0])], **every}}
    if kind == "MONTHLY":
        return {"monthly_on": _nth(case, rule) | every} if on else {"monthly": day | every}
    if kind == "YEARLY" and every == {"every": 1}:
        return {"yearly_on": _nth(case, rule) | month} if on else {"yearly": day | month}
    raise case.error("RRULE", "is no pattern of Exchange")


def _nth(case: Case, rule: Table) -> Table:
    """Return the pattern of 2TU, or of TU with BYSETPOS=2; sets of days are Day, Weekday and WeekendDay."""
    days = [str(one) for one in rule["BYDAY"]]
    names = [one[-2:] for one in days]
    numbers = {one[:-2] for one in days if one[:-2]} or {str(one) for one in rule.get("BYSETPOS", [])}
    sets: dict[frozenset[str], str] = {
        frozenset(_DAYS): "Day",
        frozenset(list(_DAYS)[:5]): "Weekday",
        frozenset(list(_DAYS)[5:]): "WeekendDay",
        **{frozenset({short}): long for short, long in _DAYS.items()},
    }
    index = _INDEX.get(int(next(iter(numbers), "0")))
    if frozenset(names) not in sets or len(numbers) != 1 or index is None:
        raise case.error("RRULE", "is no pattern of Exchange")
    return {"kind": sets[frozenset(names)], "index": index}


def _excluded(event: Any) -> Sequence[date]:
    found = event.get("EXDATE", [])
    return [one.dt for each in (found if isinstance(found, list) else [found]) for one in each.dts]


def _day(moment: date) -> date:
    """Return the day of a moment in its own zone."""
    return moment.date() if isinstance(moment, datetime) else moment
