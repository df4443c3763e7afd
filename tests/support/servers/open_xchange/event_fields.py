"""What is cut, changed, dropped or added when an event is stored, all of it with 201 and without a word."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import replace

from servers.open_xchange.content_lines import Line, Part, escaped, plain

LONGEST = {"SUMMARY": 255, "LOCATION": 255, "DESCRIPTION": 65535}
DROPPED = {"X-MICROSOFT-CDO-BUSYSTATUS", "X-MOZ-LASTACK"}
"""Out of office, tentative and elsewhere become busy. The other one is the server's own."""
VOLATILE = ("DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE")


def stored(event: Part, alarms: Iterable[Part]) -> Part:
    """An event as it is kept, without its alarms. Everything that is not named here is kept as it came, X-
    properties, COLOR, URL and PRIORITY too. CREATED, LAST-MODIFIED and SEQUENCE are the caller's."""
    kept = replace(event, parts=()).mapped(_kept)
    rules = kept.all("RRULE")[1:]
    kept = replace(kept, lines=tuple(line for line in kept.lines if line not in rules))
    if kept.first("CLASS") is None:
        kept = kept.put("CLASS", "PUBLIC")
    acknowledged = [one.value("ACKNOWLEDGED") for one in alarms if one.first("ACKNOWLEDGED") is not None]
    return kept.put("X-MOZ-LASTACK", max(acknowledged)) if acknowledged else kept


def _kept(line: Line) -> Line | None:
    if line.name in DROPPED or line.name in VOLATILE:
        return None
    if line.name in LONGEST:
        text = plain(line.value)[: LONGEST[line.name]]
        return replace(line, value=escaped(text))
    if line.name == "GEO":  # rounded to six digits
        return replace(line, value=";".join(_rounded(one) for one in line.value.split(";")))
    if line.name == "CATEGORIES":  # a comma in a name ends it, escaped or not; blanks around go
        names = (one.replace("\\", "").strip() for one in re.split(r"\\?,", line.value))
        return replace(line, value=",".join(one for one in names if one))
    if line.name == "RDATE" and line.param("VALUE").upper() == "PERIOD":
        return None
    return line


def _rounded(number: str) -> str:
    try:
        return f"{round(float(number), 6):g}" if len(number) < 8 else f"{float(number):.6f}"
    except ValueError:
        return number


def alarms_of(event: Part) -> tuple[Part, ...]:
    """An event's alarms as they are kept: each has a UID, and X-MOZ-LASTACK where it was acknowledged."""
    return tuple(_alarm(one) for one in event.of("VALARM"))


def _alarm(alarm: Part) -> Part:
    if alarm.first("UID") is None:
        alarm = alarm.put("UID", str(uuid.uuid4()))
    seen = alarm.value("ACKNOWLEDGED")
    return alarm.put("X-MOZ-LASTACK", seen) if seen else alarm.without("X-MOZ-LASTACK")


def meaning(event: Part) -> frozenset[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Equal exactly for events that the server takes for the same: an attendee's stamp and RSVP, what it sets
    itself, and what is of the alarms do not count."""
    return frozenset(
        (line.name, line.value, frozenset(one for one in line.params if one[0] not in _UNSEEN))
        for line in event.lines
        if line.name not in VOLATILE and line.name not in ("TRANSP", "X-MOZ-LASTACK")
    ) | {("TRANSP", event.value("TRANSP") or "OPAQUE", frozenset())}


_UNSEEN = {"X-CALENDARSERVER-DTSTAMP", "RSVP"}


def alarm_meaning(alarms: Iterable[Part]) -> list[list[str]]:
    return [sorted(f"{one.name}:{one.value}" for one in alarm.without("UID").lines) for alarm in alarms]


def sequence(event: Part) -> int:
    """0 without one."""
    value = event.value("SEQUENCE")
    return int(value) if value.isdigit() else 0
