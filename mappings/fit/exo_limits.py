"""Reduce an event to what a server without iCalendar objects holds (Capabilities.events): eXo's agenda.

Such a server holds a title, a text, a place, links, times, free or busy, reminders, and a rule in one time
zone; an occurrence that was changed or deleted stands beside its series. The object of an event is rewritten
so that it says just that, and every other thing it said is a loss. So what is written is what is read back,
and the two are compared like any other objects.

A rule says how often, never until when: COUNT needs no clock. An event that the rewritten rule could not
express is Rejected("recurrence-not-kept"): the occurrences of both are compared. The objects have no UID,
because the server keeps none; the item keeps its own, by which it is found at the source.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import chain
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, vRecur, vUri

from mappings.compare.content_lines import Malformed
from mappings.compare.rrule import TooLong, rule_of, walls
from mappings.compare.semantic_digest import calendar_digest, calendar_meaning
from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.event_limits import EventLimits
from model.icalendar_writer import PRODUCT, written
from model.protocols import Loss, Mapped

FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
PARTS = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}
)
ENDLESS_YEARS = 10
TIMES = ("start", "duration", "occurrences", "exceptions")
SAID = {
    "CATEGORIES": ("categories", "not-kept"),
    "COLOR": ("colour", "not-kept"),
    "GEO": ("location", "coordinates-not-kept"),
    "ATTACH": ("attachment", "not-kept"),
    "ORGANIZER": ("attendee", "not-kept"),
    "ATTENDEE": ("attendee", "not-kept"),
    "PRIORITY": ("priority", "not-kept"),
    "X-ALT-DESC": ("text", "formatting-not-kept"),
    "STYLED-DESCRIPTION": ("text", "formatting-not-kept"),
    "X-MICROSOFT-DISALLOW-COUNTER": ("other", "not-kept"),
    "COMMENT": ("other", "not-kept"),
    "CONTACT": ("other", "not-kept"),
    "RELATED-TO": ("other", "not-kept"),
    "RESOURCES": ("other", "not-kept"),
}
"""Properties that are left out whatever their value."""

MINUTE = timedelta(minutes=1)
_LAST = date(2200, 1, 1)
Start: TypeAlias = date | datetime
Read: TypeAlias = Any
"""A component as icalendar reads it: its values are of thirty classes."""


def within(mapped: Mapped, limits: EventLimits, not_after: datetime) -> Mapped:
    """Return the event as such a server can hold it.

    Raises:
        Rejected: "recurrence-not-kept".
    """
    with mapped.item.body() as stream:
        original = Calendar.from_ical(stream.read())
    made = _Rewriting(limits, not_after)
    body = made.rewritten(original)
    item = replace(
        mapped.item,
        digest=calendar_digest(io.BytesIO(body), not_after),
        size=len(body),
        body=lambda: io.BytesIO(body),
        invited=frozenset(),
    )
    return Mapped(item, tuple(dict.fromkeys((*mapped.losses, *made.losses))), mapped.labels)


@dataclass(slots=True)
class _Rewriting:
    """Rewrite one object, and gather what it loses."""

    limits: EventLimits
    not_after: datetime
    losses: list[Loss] = field(default_factory=list)

    def rewritten(self, original: Read) -> bytes:
        """Return the rewritten object."""
        events = original.walk("VEVENT")
        master = next((event for event in events if "RECURRENCE-ID" not in event), None)
        if master is None:  # somebody was invited to an occurrence alone
            raise _not_kept()
        calendar = Calendar()
        calendar.add("VERSION", "2.0")
        calendar.add("PRODID", PRODUCT)
        if "RRULE" not in master:
            if len(events) > 1 or master.keys() & {"RDATE", "EXRULE"}:  # a series without a rule
                raise _not_kept()
            self._fix(master)
            calendar.add_component(self._event(master, ends=_ends(master)))
            return written(calendar)
        self._add_series(calendar, master)
        for event in events:
            if event is not master:
                calendar.add_component(self._changed(event, "DTSTART" in master and _is_day(master)))
        body = written(calendar)
        self._check(original, master, body)
        return body

    def _fix(self, event: Read) -> None:
        """Let an event that floats take place in the zone to which the target is set."""
        for name in ("DTSTART", "DTEND"):
            stated = event.get(name)
            if stated is not None and isinstance(stated.dt, datetime) and stated.dt.tzinfo is None:
                stated.dt = stated.dt.replace(tzinfo=ZoneInfo(self.limits.zone))
                self.losses.append(lose("time-zone", "zone-of-target"))

    def _add_series(self, calendar: Calendar, master: Read) -> None:
        rule, last = self._rule(master)
        lasts = _ends(master) - _moment(master["DTSTART"].dt)
        event = self._event(master, ends=_moment(last) + lasts, series=True)
        event.add("RRULE", vRecur.from_ical(rule))
        for at in _excluded(master):
            _add_time(event, "EXDATE", at)
        calendar.add_component(event)

    def _changed(self, event: Read, whole_days: bool) -> Event:
        made = self._event(event, ends=_ends(event))
        stands_for = event["RECURRENCE-ID"].dt
        if isinstance(stands_for, datetime) == whole_days:
            raise _not_kept()
        _add_time(made, "RECURRENCE-ID", stands_for)
        return made

    def _rule(self, master: Read) -> tuple[str, Start]:
        """Return the rule with COUNT, and the start of its last occurrence."""
        text_of_rule: str = master["RRULE"].to_ical().decode()
        parts = dict(part.split("=", 1) for part in text_of_rule.upper().split(";"))
        unknown = parts.keys() - PARTS or master.keys() & {"RDATE", "EXRULE"}
        if unknown or parts["FREQ"] not in FREQUENCIES:
            raise _not_kept()
        starts = self._starts(text_of_rule, master, parts)
        if not starts:
            raise _not_kept()
        kept = {name: text for name, text in parts.items() if name not in ("COUNT", "UNTIL", "WKST")}
        kept["COUNT"] = str(len(starts))
        return ";".join(f"{name}={text}" for name, text in kept.items()), starts[-1]

    def _starts(self, rule: str, master: Read, parts: dict[str, str]) -> list[Start]:
        """Return every start, up to ten years from now on if there is no end."""
        start = master["DTSTART"].dt
        days = not isinstance(start, datetime)
        zone = UTC if days else start.tzinfo
        if not days and zone is None:
            raise _not_kept()
        end: Start | None = None
        if "UNTIL" in parts:
            end = master["RRULE"]["UNTIL"][0]
        elif "COUNT" not in parts:
            self.losses.append(lose("series", "end-added"))
            end = _later(max(self.not_after, _moment(start)), ENDLESS_YEARS)
        most = int(parts["COUNT"]) if "COUNT" in parts else None
        starts: list[Start] = []
        for wall in _walls(rule, start):
            at = wall.date() if days else wall.replace(tzinfo=zone)
            if (end is not None and _after(at, end)) or len(starts) == most:
                break
            starts.append(at)
        return starts

    def _check(self, original: Read, master: Read, body: bytes) -> None:
        """Refuse the rewritten object unless both happen at the same moments."""
        rule = master["RRULE"]
        if "UNTIL" not in rule and "COUNT" not in rule:
            rule["COUNT"] = [len(self._starts(rule.to_ical().decode(), master, {}))]
        meant = calendar_meaning(io.BytesIO(original.to_ical()), self.not_after).fields
        made = calendar_meaning(io.BytesIO(body), self.not_after).fields
        if any(meant[name] != made[name] for name in TIMES):
            raise _not_kept()

    def _event(self, event: Read, *, ends: datetime, series: bool = False) -> Event:
        made = Event()
        zone = ZoneInfo(self.limits.zone) if series else UTC
        for name in ("DTSTART", "DTEND"):
            if name in event:
                _add_time(made, name, event[name].dt, zone)
        made.add("DTSTAMP", event["DTSTAMP"].dt)
        self._texts(event, made)
        self._links(event, made)
        made.add("TRANSP", str(event.get("TRANSP", "OPAQUE")))
        self._alarms(event, made, ends)
        self.losses += self._left(event)
        return made

    def _texts(self, event: Read, made: Event) -> None:
        limits = self.limits
        for name, field_name, most in (
            ("SUMMARY", "title", limits.title),
            ("LOCATION", "location", limits.place),
        ):
            written = str(event.get(name, ""))
            if len(written) > most:
                self.losses.append(lose(field_name, "shortened"))
            if written:
                made.add(name, written[:most])
        text = str(event.get("DESCRIPTION", ""))
        whole = text.encode()
        if len(whole) > limits.text:
            self.losses.append(lose("text", "shortened"))
            text = whole[: limits.text].decode(errors="ignore")
        if text:
            made.add("DESCRIPTION", text)

    def _links(self, event: Read, made: Event) -> None:
        links = [str(value) for name in ("CONFERENCE", "URL") for value in _listed(event, name)]
        for link in dict.fromkeys(links):
            if len(link) > self.limits.link:
                self.losses.append(lose("links", "too-long"))
            else:
                made.add("CONFERENCE", vUri(link), parameters={"VALUE": "URI"})

    def _alarms(self, event: Read, made: Event, ends: datetime) -> None:
        for alarm in event.walk("VALARM"):
            trigger = alarm["TRIGGER"].dt if "TRIGGER" in alarm else None
            if ends <= self.not_after:
                self.losses.append(lose("reminder", "past"))
            elif not isinstance(trigger, timedelta) or _from_elsewhere(alarm, trigger):
                self.losses.append(lose("reminder", "not-kept"))
            else:
                part = Alarm()
                part.add("ACTION", "DISPLAY")
                part.add("DESCRIPTION", str(event.get("SUMMARY", "")) or "Reminder")
                part.add("TRIGGER", trigger)
                made.add_component(part)

    def _left(self, event: Read) -> Iterator[Loss]:
        for name in event:
            if name in SAID:
                yield lose(*SAID[name])
        if str(event.get("CLASS", "PUBLIC")) != "PUBLIC":
            yield lose("sensitivity", "not-marked")
        if str(event.get("STATUS", "CONFIRMED")) != "CONFIRMED":
            yield lose("state", "shown-as-confirmed")
        implied = "FREE" if event.get("TRANSP") == "TRANSPARENT" else "BUSY"
        if str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", implied)) != implied:
            yield lose("show-as", "free-or-busy")


def _from_elsewhere(alarm: Read, trigger: timedelta) -> bool:
    """Return True unless an alarm rings whole minutes before the start."""
    at_start = alarm["TRIGGER"].params.get("RELATED", "START").upper() == "START"
    return not at_start or trigger > timedelta() or bool(trigger % MINUTE)


def _not_kept() -> Rejected:
    return Rejected("recurrence-not-kept", "the target cannot repeat it so")


def _is_day(event: Read) -> bool:
    return not isinstance(event["DTSTART"].dt, datetime)


def _moment(at: Start) -> datetime:
    """Return a moment in UTC; of a day, its midnight there."""
    return at.astimezone(UTC) if isinstance(at, datetime) else datetime(at.year, at.month, at.day, tzinfo=UTC)


def _ends(event: Read) -> datetime:
    start = event["DTSTART"].dt
    if "DTEND" in event:
        return _moment(event["DTEND"].dt)
    return _moment(start) + (timedelta() if isinstance(start, datetime) else timedelta(days=1))


def _later(at: datetime, years: int) -> datetime:
    return at.replace(year=at.year + years, day=min(at.day, 28))


def _after(at: Start, end: Start) -> bool:
    if isinstance(at, datetime) and isinstance(end, datetime):
        return at > (end if end.tzinfo is not None else end.replace(tzinfo=at.tzinfo))
    return _day(at) > _day(end)


def _day(at: Start) -> date:
    return at.date() if isinstance(at, datetime) else at


def _walls(rule: str, start: Start) -> Iterator[datetime]:
    """Yield local times, ascending."""
    first = start.replace(tzinfo=None) if isinstance(start, datetime) else datetime.combine(start, time())
    try:
        times = chain.from_iterable(walls(rule_of(rule), first, _LAST.toordinal()))
        yield from (datetime(1970, 1, 1) + timedelta(seconds=wall) for wall in times)
    except (Malformed, TooLong):
        raise _not_kept() from None


def _excluded(master: Read) -> Iterator[Start]:
    for line in _listed(master, "EXDATE"):
        for entry in line.dts:
            if isinstance(entry.dt, datetime) == _is_day(master):
                raise _not_kept()
            yield entry.dt


def _listed(event: Read, name: str) -> list[Any]:
    lines = event.get(name, [])
    return lines if isinstance(lines, list) else [lines]


def _add_time(made: Event, name: str, at: Start, zone: tzinfo = UTC) -> None:
    if not isinstance(at, datetime):
        made.add(name, [at] if name == "EXDATE" else at, parameters={"VALUE": "DATE"})
    else:
        moved = at.astimezone(zone)
        made.add(name, [moved] if name == "EXDATE" else moved)
