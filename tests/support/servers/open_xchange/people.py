"""Who takes part in a meeting: organizers and attendees as they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from servers.open_xchange.content_lines import Line, Part
from servers.open_xchange.context import Context

OPEN = "NEEDS-ACTION"
STAMP = "X-CALENDARSERVER-DTSTAMP"
AGENTS = ("SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND", "SCHEDULE-STATUS")


def address(line: Line | None) -> str:
    """The mail address in lower case; "" for anything but mailto, and without a line."""
    scheme, _, rest = line.value.partition(":") if line is not None else ("", "", "")
    return rest.strip().lower() if scheme.lower() == "mailto" else ""


def organizer(parts: Iterable[Part]) -> str:
    found = (address(part.first("ORGANIZER")) for part in parts)
    return next((one for one in found if one), "")


def attendees(part: Part) -> dict[str, Line]:
    return {address(line): line for line in part.all("ATTENDEE")}


def answer(part: Part, who: str) -> str:
    """The PARTSTAT of an attendee; "" for somebody who is none."""
    line = attendees(part).get(who)
    return (line.param("PARTSTAT") or OPEN).upper() if line is not None else ""


def is_meeting(part: Part) -> bool:
    return part.first("ORGANIZER") is not None or part.first("ATTENDEE") is not None


def named(part: Part, context: Context, now: str) -> Part:
    """Organizer and attendees as they are stored: users of the context get their name and CUTYPE, everybody
    an EMAIL. SCHEDULE-AGENT is ignored, and gone."""
    host = organizer([part])
    return part.mapped(lambda line: _named(line, context, now, host))


def _named(line: Line, context: Context, now: str, host: str) -> Line:
    if line.name not in ("ORGANIZER", "ATTENDEE"):
        return line
    who = address(line)
    user = context.by_address(who)
    kept = {name: value for name, value in line.params if name not in AGENTS}
    if user is not None:
        kept["CN"] = user.name
    if line.name == "ATTENDEE":
        kept.setdefault("PARTSTAT", OPEN)
        if user is not None:
            kept.setdefault("CUTYPE", "INDIVIDUAL")
    if who:
        kept["EMAIL"] = who
    if line.name == "ATTENDEE" and user is not None and who != host:
        kept[STAMP] = now
    return replace(line, params=tuple(kept.items()))


def with_attendee(part: Part, context: Context, who: str, now: str) -> Part:
    """The organizer is added as an attendee who ACCEPTED, where the body had none of him."""
    if who in attendees(part):
        return part
    user = context.by_address(who)
    name = (("CN", user.name),) if user is not None else ()
    params = (*name, ("PARTSTAT", "ACCEPTED"), ("CUTYPE", "INDIVIDUAL"), ("EMAIL", who), (STAMP, now))
    return part.plus(Line("ATTENDEE", f"mailto:{who}", params))


def answered(part: Part, who: str, says: str, now: str) -> Part:
    """An attendee's PARTSTAT set. Whoever's answer was set is not asked for one any more: RSVP goes."""

    def change(line: Line) -> Line:
        if line.name != "ATTENDEE" or address(line) != who:
            return line
        return line.with_param("RSVP", "").with_param("PARTSTAT", says).with_param(STAMP, now)

    return part.mapped(change)


def asked_anew(part: Part, context: Context, now: str) -> Part:
    """Every user of the context but the organizer is NEEDS-ACTION again, whatever was written: so in what
    was moved. Outsiders keep what was written."""
    host = organizer([part])
    for who in attendees(part):
        if who != host and context.by_address(who) is not None:
            part = answered(part, who, OPEN, now)
    return part


def differing_answers(part: Part, other: Part, context: Context) -> list[str]:
    """Users of the context, but the organizer, who are in both and answer differently."""
    host = organizer([part])
    both = attendees(part).keys() & attendees(other).keys()
    return sorted(
        who
        for who in both
        if who != host and context.by_address(who) is not None and answer(part, who) != answer(other, who)
    )
