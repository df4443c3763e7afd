"""What eXo's agenda keeps of events, and how it shows them, as its source has it (master of October 2024).

An offset in a time is dropped: what stands before it is the clock of timeZoneId. The zone itself is never
told again: times are shown in the zone that is asked for. What is not CONFIRMED is not listed; a series
without end is listed for ten years from its start. Of a rule the parts alone count, never its text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

Json = dict[str, Any]
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ENDLESS_YEARS = 10
SHORT, LONG, LINK = 2000, 65_535, 500
NEAR = 43_200
PERIODS = {"MINUTE", "HOUR", "DAY", "WEEK"}
PARTS = {
    "byDay": "BYDAY",
    "byMonthDay": "BYMONTHDAY",
    "byMonth": "BYMONTH",
    "bySetPos": "BYSETPOS",
}
KEPT = ("summary", "description", "location", "color", "availability", "status", "conferences", "reminders")


class Refused(Exception):
    """status, and the words of the answer."""

    def __init__(self, status: int, words: str = "") -> None:
        super().__init__(words)
        self.status, self.words = status, words


@dataclass
class Kept:
    """One event. start, end: in UTC; of whole days, midnight and the last second."""

    number: int
    owner: str
    told: Json
    zone: ZoneInfo
    start: datetime
    end: datetime
    all_day: bool
    guests: frozenset[str]
    recurrence: Json | None = None
    parent: int = 0
    occurrence: datetime | None = None

    def starts(self) -> Iterator[datetime]:
        """Of every occurrence, in UTC."""
        place = UTC if self.all_day else self.zone
        local = self.start.astimezone(place)
        rule = rrulestr(self._rule(), dtstart=local.replace(tzinfo=None))
        return (wall.replace(tzinfo=place).astimezone(UTC) for wall in rule)

    def _rule(self) -> str:
        told = self.recurrence or {}
        parts = [f"FREQ={told['frequency']}", f"INTERVAL={told['interval']}"]
        parts += [f"COUNT={told['count']}"] if told.get("count") else []
        parts += [f"{part}={','.join(told[name])}" for name, part in PARTS.items() if told.get(name)]
        if told.get("until") and not told.get("count"):
            parts.append(f"UNTIL={told['until'].replace('-', '')}T235959")
        return ";".join(parts)

    def over(self) -> datetime:
        """When the last of it ends, for a listing."""
        if self.recurrence is None:
            return self.end
        if not self.recurrence.get("count") and not self.recurrence.get("until"):
            year, day = min(9000, self.start.year + ENDLESS_YEARS), min(28, self.start.day)
            return self.start.replace(year=year, day=day)
        *_, last = itertools.chain((self.start,), self.starts())
        return last + (self.end - self.start)


@dataclass
class Agenda:
    """Everybody's events. mails: who was sent one, in order."""

    people: Mapping[str, str]
    events: dict[int, Kept] = field(default_factory=dict)
    mails: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(101))

    def create(self, owner: str, told: Json) -> Kept:
        kept = self._read(next(self._numbers), owner, told)
        self.events[kept.number] = kept
        self._invite(kept, told)
        return kept

    def replace(self, owner: str, told: Json) -> Kept:
        """What stands beside a series is gone."""
        old = self.mine(owner, int(told.get("id") or 0))
        kept = self._read(old.number, owner, told)
        for one in self.beside(old.number):
            del self.events[one.number]
        self.events[old.number] = kept
        self._invite(kept, told)
        return kept

    def remove(self, owner: str, number: int) -> Kept:
        """Guests are told, whatever was said when it was made."""
        gone = self.mine(owner, number)
        for one in [*self.beside(number), gone]:
            del self.events[one.number]
        self.mails += sorted(gone.guests - {owner})
        return gone

    def mine(self, owner: str, number: int) -> Kept:
        kept = self.events.get(number)
        if kept is None:
            raise Refused(404, "Event not found")
        if kept.owner != owner:
            raise Refused(401, "not allowed")
        return kept

    def beside(self, number: int) -> list[Kept]:
        return [one for one in self.events.values() if one.parent == number]

    def listed(self, owner: str, start: datetime, end: datetime, zone: ZoneInfo) -> list[Json]:
        if not start < end:
            raise Refused(400, "Start date must be before end date")
        found = []
        for kept in list(self.events.values()):
            shown = kept.owner == owner and kept.told["status"] == "CONFIRMED"
            if shown and kept.start < end + DAY and kept.over() >= start - DAY:
                found += list(self._occurrences(kept, start, end, zone))
        return sorted(found, key=lambda one: str(one["start"]))

    def occurrence(self, kept: Kept, at: datetime, zone: ZoneInfo) -> Json:
        """By the day, whatever the time."""
        beside = next((one for one in self.beside(kept.number) if one.occurrence == at), None)
        if beside is not None:
            return self.shown(beside, zone)
        for start in kept.starts():
            if start.date() == at.date():
                return self._occurrence(kept, start, zone)
            if start > at + DAY:
                break
        raise Refused(404)

    def shown(self, kept: Kept, zone: ZoneInfo) -> Json:
        parent = self.events.get(kept.parent)
        told = {
            **kept.told,
            "id": kept.number,
            "parent": self.shown(parent, zone) if parent is not None else None,
            "calendar": {"owner": {"providerId": "organization", "remoteId": kept.owner}},
            "timeZoneId": str(zone),
            "allDay": kept.all_day,
            **_times(kept.start, kept.end, kept.all_day, zone),
        }
        if kept.recurrence is not None:
            told["recurrence"] = {**kept.recurrence, "rrule": "FREQ=" + kept.recurrence["frequency"]}
        if kept.occurrence is not None:
            told["occurrence"] = {"id": _stamp(kept.occurrence), "exceptional": True}
        return told

    # -- internals

    def _occurrences(self, kept: Kept, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Json]:
        lasts = kept.end - kept.start
        if kept.recurrence is None:
            if kept.start < end and kept.end > start:
                yield self.shown(kept, zone)
            return
        beside = [one.occurrence for one in self.beside(kept.number) if one.occurrence is not None]
        for at in kept.starts():
            if at >= end:
                return
            hidden = any(at.date() == one.date() or abs((at - one).total_seconds()) < NEAR for one in beside)
            if at + lasts > start and not hidden:
                yield self._occurrence(kept, at, zone)

    def _occurrence(self, kept: Kept, at: datetime, zone: ZoneInfo) -> Json:
        told = self.shown(kept, zone)
        times = _times(at, at + (kept.end - kept.start), kept.all_day, zone)
        occurrence = {"id": _stamp(at), "exceptional": False}
        return {**told, **times, "id": 0, "parent": told, "recurrence": None, "occurrence": occurrence}

    def _read(self, number: int, owner: str, told: Json) -> Kept:
        self._check(owner, told)
        zone, all_day = ZoneInfo(told["timeZoneId"]), bool(told.get("allDay"))
        start, end = (_moment(told[name], all_day, zone) for name in ("start", "end"))
        if all_day:
            end += DAY - SECOND
        if start > end:
            raise Refused(500, "endDate:agenda.endDateMustBeAfterStartDate")
        occurrence = told.get("occurrence") or {}
        at = _occurrence_moment(occurrence["id"]) if occurrence.get("id") else None
        guests = {one["identity"]["remoteId"] for one in told.get("attendees") or []}
        kept = {name: told.get(name) for name in KEPT} | {"status": told.get("status") or "CONFIRMED"}
        return Kept(
            number=number,
            owner=owner,
            told=kept,
            zone=zone,
            start=start,
            end=end,
            all_day=all_day,
            guests=frozenset(guests),
            recurrence=None if at is not None else _recurrence(told.get("recurrence"), zone),
            parent=int((told.get("parent") or {}).get("id") or 0),
            occurrence=at,
        )

    def _check(self, owner: str, told: Json) -> None:
        named = ((told.get("calendar") or {}).get("owner") or {}).get("remoteId")
        if not named:
            raise Refused(400, "calendarOwner:agenda.calendarOwnerNotFound")
        if not told.get("timeZoneId"):
            raise Refused(500, "zoneId")
        if named not in self.people:
            raise Refused(500, "calendarOwner:agenda.calendarOwnerNotFound")
        if named != owner:
            raise Refused(401, "can't create an event in this calendar")
        missing = next((name for name in ("start", "end") if not told.get(name)), None)
        if missing is not None:
            raise Refused(500, f"{missing}Date:agenda.{missing}DateMandatory")
        if any(one["identity"]["remoteId"] not in self.people for one in told.get("attendees") or []):
            raise Refused(500, "eventAttendee:agenda.eventAttendeeIdentityMandatory")
        if _overflows(told):
            raise Refused(500, "could not execute statement")
        if any(one["beforePeriodType"].upper() not in PERIODS for one in told.get("reminders") or []):
            raise Refused(500, "No enum constant ReminderPeriodType")

    def _invite(self, kept: Kept, told: Json) -> None:
        """All but who wrote it, unless it is asked not to."""
        if told.get("sendInvitation") is not False:
            self.mails += sorted(kept.guests - {kept.owner})


def _overflows(told: Json) -> bool:
    """Whether a column of the database is too narrow."""
    links = [len(one["url"]) for one in told.get("conferences") or []]
    short = [len(told.get(name) or "") for name in ("summary", "location")]
    text = len((told.get("description") or "").encode())
    return max(short) > SHORT or text > LONG or max(links, default=0) > LINK


def window(text: str, zone: ZoneInfo) -> datetime:
    """What a query names."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def _moment(text: str, all_day: bool, zone: ZoneInfo) -> datetime:
    if all_day:
        return datetime.combine(date.fromisoformat(text[:10]), time(), UTC)
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def _occurrence_moment(text: str) -> datetime:
    return window(text, ZoneInfo("UTC"))


def _times(start: datetime, end: datetime, all_day: bool, zone: ZoneInfo) -> Json:
    if all_day:
        return {"start": str(start.date()), "end": str(end.date())}
    return {"start": _stamp(start.astimezone(zone)), "end": _stamp(end.astimezone(zone))}


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _recurrence(told: Json | None, zone: ZoneInfo) -> Json | None:
    if told is None:
        return None
    if not told.get("frequency"):
        raise Refused(500, "recurrenceFrequency:agenda.recurrenceFrequencyMandatory")
    if int(told.get("interval") or 0) < 1:
        raise Refused(500, "recurrenceInterval:agenda.recurrenceIntervalMandatory")
    until = told.get("until")
    day = datetime.fromisoformat(until).replace(tzinfo=zone).astimezone(UTC).date() if until else None
    names = ("type", "frequency", "interval", "count", *PARTS)
    return {name: told.get(name) for name in names} | {"until": str(day) if day else None}
