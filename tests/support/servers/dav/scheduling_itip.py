"""What a scheduling server mails because of a change to one calendar object (RFC 6638 3.2, RFC 5546).

Pure: the object before and after, and who the user is, give the notices. It is quicker to mail than most
products are, so that whoever stays silent in front of it stays silent in front of them: every change but that
of a few technical properties is a change, and an answer that comes with a new object is an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import recurring_ical_events
from icalendar import Calendar, Component, vCalAddress

Method = Literal["REQUEST", "CANCEL", "REPLY"]
TECHNICAL = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED"})
CONTENT = ("VEVENT", "VTODO")
HORIZON = timedelta(days=3660)
OPEN_ANSWER = "NEEDS-ACTION"


@dataclass(frozen=True, slots=True)
class Notice:
    """One iTIP message. body: the VCALENDAR with its METHOD; future: some of it has not ended yet."""

    method: Method
    sender: str
    recipient: str
    uid: str
    summary: str
    body: bytes
    future: bool


@dataclass(frozen=True, slots=True)
class Agents:
    """The values of SCHEDULE-AGENT a server honours, on an ATTENDEE and on the ORGANIZER (RFC 6638 7.1)."""

    attendee: frozenset[str] = frozenset()
    organizer: frozenset[str] = frozenset()


def notices(
    before: bytes | None, after: bytes | None, user: str, agents: Agents, now: datetime
) -> tuple[Notice, ...]:
    """What leaves because user, an address in lower case, puts after in the place of before; None: there was
    nothing, or there is nothing any more."""
    old, new = _meeting(before), _meeting(after)
    current = new or old
    if current is None or not current.organizer:
        return ()
    if current.organizer == user:
        return tuple(_from_organizer(old, new, agents, now))
    return tuple(_from_attendee(old, new, current, user, agents, now))


@dataclass(frozen=True, slots=True)
class Meeting:
    """One object: its components by their RECURRENCE-ID, "" for the master."""

    calendar: Calendar
    components: Mapping[str, Component]
    organizer: str

    @property
    def uid(self) -> str:
        return str(next(iter(self.components.values())).get("UID", ""))

    @property
    def attendees(self) -> dict[str, vCalAddress]:
        """Of all components, without the organizer, by address."""
        found: dict[str, vCalAddress] = {}
        for component in self.components.values():
            for one in _attendees(component):
                found.setdefault(address(one), one)
        found.pop(self.organizer, None)
        return found

    def mark(self) -> frozenset[tuple[str, bytes]]:
        return frozenset((key, _mark(component)) for key, component in self.components.items())

    def answers(self, user: str) -> dict[str, str]:
        """The user's PARTSTAT by component; only components that name the user."""
        return {
            key: str(one.params.get("PARTSTAT", OPEN_ANSWER)).upper()
            for key, component in self.components.items()
            for one in _attendees(component)
            if address(one) == user
        }


def address(value: object) -> str:
    """The mail address of a CAL-ADDRESS, in lower case; "" for anything but mailto."""
    scheme, _, rest = str(value).partition(":")
    return rest.strip().lower() if scheme.lower() == "mailto" else ""


def _meeting(body: bytes | None) -> Meeting | None:
    if body is None:
        return None
    calendar = Calendar.from_ical(body)
    components = {_key(one): one for one in calendar.subcomponents if one.name in CONTENT}
    if not components:
        return None
    organizers = (address(one["ORGANIZER"]) for one in components.values() if "ORGANIZER" in one)
    return Meeting(calendar, components, next(organizers, ""))


def _key(component: Component) -> str:
    identity = component.get("RECURRENCE-ID")
    return identity.to_ical().decode() if identity is not None else ""


def _attendees(component: Component) -> list[vCalAddress]:
    found = component.get("ATTENDEE", [])
    return found if isinstance(found, list) else [found]


def _mark(component: Component) -> bytes:
    """Equal exactly for components with the same properties that matter. Alarms are everyone's own."""
    lines = [
        line for name, value in component.items() if name not in TECHNICAL for line in _lines(name, value)
    ]
    return b"\n".join(sorted(lines))


def _lines(name: str, value: Any) -> Iterator[bytes]:
    for one in value if isinstance(value, list) else [value]:
        yield f"{name}{sorted(one.params.items())}:".encode() + one.to_ical()


def _from_organizer(
    old: Meeting | None, new: Meeting | None, agents: Agents, now: datetime
) -> Iterator[Notice]:
    invited = new.attendees if new is not None else {}
    if new is not None and (old is None or old.mark() != new.mark()):
        yield from _to_each(new, "REQUEST", invited.values(), agents, now)
    if old is not None:
        left = [one for who, one in old.attendees.items() if who not in invited]
        yield from _to_each(old, "CANCEL", left, agents, now)


def _to_each(
    meeting: Meeting, method: Method, people: Iterable[vCalAddress], agents: Agents, now: datetime
) -> Iterator[Notice]:
    for one in people:
        who = address(one)
        if who and _agent(one) not in agents.attendee:
            components = list(meeting.components.values())
            yield _notice(meeting, method, meeting.organizer, who, components, now)


def _agent(one: Any) -> str:
    return str(one.params.get("SCHEDULE-AGENT", "SERVER")).upper()


def _from_attendee(
    old: Meeting | None, new: Meeting | None, current: Meeting, user: str, agents: Agents, now: datetime
) -> Iterator[Notice]:
    said = old.answers(user) if old is not None else {}
    says = new.answers(user) if new is not None else dict.fromkeys(said, "DECLINED")
    changed = [key for key, answer in says.items() if said.get(key, OPEN_ANSWER) != answer]
    organizers = [one["ORGANIZER"] for one in current.components.values() if "ORGANIZER" in one]
    if not changed or any(_agent(one) in agents.organizer for one in organizers):
        return
    components = [_answered(current.components[key], user, says[key]) for key in changed]
    yield _notice(current, "REPLY", user, current.organizer, components, now)


def _answered(component: Component, user: str, answer: str) -> Component:
    """A copy that names the user alone, with the answer."""
    copy = Component.from_ical(component.to_ical())
    one = vCalAddress(f"mailto:{user}")
    one.params["PARTSTAT"] = answer
    copy.pop("ATTENDEE", None)
    copy.add("ATTENDEE", one)
    return copy


def _notice(
    meeting: Meeting, method: Method, sender: str, recipient: str, components: list[Component], now: datetime
) -> Notice:
    sent = Calendar()
    sent.add("PRODID", "-//Practice//Scheduling//EN")
    sent.add("VERSION", "2.0")
    sent.add("METHOD", method)
    for zone in meeting.calendar.subcomponents:
        if zone.name == "VTIMEZONE":
            sent.add_component(zone)
    for component in components:
        sent.add_component(component)
    summary = str(components[0].get("SUMMARY", ""))
    future = any(lasts(one, now) for one in meeting.components.values())
    return Notice(method, sender, recipient, meeting.uid, summary, sent.to_ical(), future)


def lasts(component: Component, now: datetime) -> bool:
    """Some occurrence has not ended at now. A series without an end lasts; a VTODO always does."""
    if component.name == "VTODO" or _instant(component.get("DTEND", component.get("DTSTART")), now) > now:
        return True
    rules = component.get("RRULE", [])
    rules = rules if isinstance(rules, list) else [rules]
    if any("COUNT" not in rule and "UNTIL" not in rule for rule in rules):
        return True
    if not rules and "RDATE" not in component:
        return False
    alone = Calendar()
    alone.add_component(component)
    return bool(recurring_ical_events.of(alone).between(now, now + HORIZON))


def _instant(value: object, now: datetime) -> datetime:
    """Floating times and days count as UTC; without a time, now."""
    when = getattr(value, "dt", None)
    if isinstance(when, datetime):
        return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return datetime(when.year, when.month, when.day, tzinfo=UTC) if isinstance(when, date) else now


def uids(body: bytes) -> frozenset[str]:
    """Of the events and tasks of an object; of what is no calendar, none."""
    return frozenset(str(one.get("UID", "")) for one in _content(body))


def _content(body: bytes) -> list[Component]:
    try:
        return [one for one in Calendar.from_ical(body).subcomponents if one.name in CONTENT]
    except ValueError:
        return []
