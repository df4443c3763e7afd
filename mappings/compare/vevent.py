"""Read the meaning of a VEVENT or a VTODO, field by field: see mappings.compare.semantic_digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from urllib.parse import unquote, unquote_to_bytes

from mappings.compare.content_lines import Block, ContentLine, Malformed, texts, tidy, unescaped
from mappings.compare.series import ComparedSeries, ComponentSpan, expand, span_of, sum_of
from mappings.compare.time import DATE, DAY, UTC, Moment, length
from mappings.compare.zones import Clock

FIELDS: Mapping[str, str] = {
    "component": "Event or task.",
    "uid": "UID.",
    "start": "The moment it starts, the first time.",
    "duration": "How long it lasts.",
    "due": "When a task is due, the first time.",
    "occurrences": "Every moment it happens.",
    "exceptions": "Occurrences that were moved, and where to.",
    "range": "RANGE=THISANDFUTURE of exceptions.",
    "title": "SUMMARY.",
    "text": "DESCRIPTION.",
    "formatted-text": "The HTML beside it (X-ALT-DESC, STYLED-DESCRIPTION).",
    "place": "LOCATION and GEO.",
    "links": "URL and CONFERENCE.",
    "state": "STATUS.",
    "progress": "PERCENT-COMPLETE and COMPLETED.",
    "busy": "TRANSP and X-MICROSOFT-CDO-BUSYSTATUS.",
    "privacy": "CLASS.",
    "priority": "PRIORITY.",
    "categories": "CATEGORIES, as a set.",
    "colour": "COLOR.",
    "organizer": "The address of the ORGANIZER.",
    "attendees": "The address of each ATTENDEE with ROLE and CUTYPE.",
    "answers": "PARTSTAT of each ATTENDEE.",
    "reminders": "ACTION, moment and repetition of each VALARM, and whether it was acknowledged.",
    "attachments": "The content of each ATTACH that stands inside or that a server manages (RFC 8607), the "
    "URI of another; their names.",
    "other": "COMMENT, CONTACT, RELATED-TO, RESOURCES, X-MICROSOFT-DISALLOW-COUNTER and X-KOGGE- properties.",
}
"""Every field and what it compares, in the order in which differences are named."""

MOST_COMPONENTS = 20_000
Fields = dict[str, object]

_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_FILE_NAMES = ("FILENAME", "X-FILENAME", "X-APPLE-FILENAME", "X-LABEL")
_OTHERS = ("COMMENT", "CONTACT", "RESOURCES", "RELATED-TO", "X-MICROSOFT-DISALLOW-COUNTER")


def calendar_fields(calendar: Block, not_after: datetime) -> Fields:
    """Return the fields of a VCALENDAR.

    Raises:
        Malformed: it cannot be read, or it exceeds the bounds.
    """
    clock = Clock(calendar.within("VTIMEZONE"))
    components = [block for block in calendar.blocks if block.name in ("VEVENT", "VTODO")]
    masters = [block for block in components if "RECURRENCE-ID" not in block.lines]
    changed = [block for block in components if "RECURRENCE-ID" in block.lines]
    if len({(block.name, block.text("UID").strip()) for block in components}) != 1 or len(masters) > 1:
        raise Malformed
    if len(components) > MOST_COMPONENTS:
        raise Malformed
    head: Fields = {"component": components[0].name, "uid": components[0].text("UID").strip()}
    if masters:
        return head | _master(masters[0], changed, clock, not_after)
    return head | _orphans(changed, clock)


def _master(master: Block, changed: list[Block], clock: Clock, not_after: datetime) -> Fields:
    span = span_of(master, clock)
    if span is None:
        if changed or master.name == "VEVENT":
            raise Malformed
        return _fields(master, clock, None, alone=True)
    exceptions = _exceptions(changed, clock)
    series = expand(master, span, clock, [stands for stands, _, _ in exceptions], not_after)
    series.change([(stands_for, own) for stands_for, own, _ in exceptions], span.lasts)
    alone = not changed and not any(name in master.lines for name in ("RRULE", "RDATE"))
    fields = _fields(master, clock, span, alone=alone)
    _overlay(fields, exceptions, clock)
    return fields | _times(master, span, series, clock)


def _times(master: Block, span: ComponentSpan, series: ComparedSeries, clock: Clock) -> Fields:
    due = master.first("DUE")
    return {
        "start": span.start if "DTSTART" in master.lines else (),
        "duration": span.lasts,
        "due": clock.moment(due.value, due.parameter("TZID")) if due else (),
        "occurrences": series.canonical(),
        "exceptions": tuple(sorted(series.moved)),
    }


Exception_ = tuple[Moment, ComponentSpan, Block]


def _exceptions(changed: Iterable[Block], clock: Clock) -> list[Exception_]:
    """Return each exception with the moment it stands for."""
    exceptions = []
    for block in changed:
        line = block.lines["RECURRENCE-ID"][0]
        stands_for = clock.moment(line.value, line.parameter("TZID"))
        span = span_of(block, clock)
        if span is None:
            raise Malformed
        exceptions.append((stands_for, span, block))
    return sorted(exceptions, key=lambda each: each[0])


def _overlay(fields: Fields, exceptions: list[Exception_], clock: Clock) -> None:
    """Add, field by field, where the exceptions differ from the master."""
    if not exceptions:
        return
    others: dict[str, list[tuple[Moment, object]]] = {}
    for stands_for, span, block in exceptions:
        for name, value in _fields(block, clock, span, alone=False).items():
            if fields.get(name) != value:
                others.setdefault(name, []).append((stands_for, value))
    for name, values in others.items():
        fields[name] = (fields.get(name), tuple(values))


def _orphans(changed: list[Block], clock: Clock) -> Fields:
    """Return the fields of exceptions alone: somebody was asked to come to some occurrences only."""
    exceptions = _exceptions(changed, clock)
    fields: Fields = {}
    _overlay(fields, exceptions, clock)
    times = tuple((stands_for, span.start, span.lasts) for stands_for, span, _ in exceptions)
    return fields | {"occurrences": times}


def _fields(block: Block, clock: Clock, span: ComponentSpan | None, *, alone: bool) -> Fields:
    """Return everything but the times.

    `alone`: it is no series, so that a reminder's moment says how long before it is.
    """
    organizer = block.first("ORGANIZER")
    attendees = _attendees(block, address(organizer) if organizer else "")
    fields = {name: read(block) for name, read in _SIMPLE.items()}
    return fields | {
        "organizer": address(organizer) if organizer else "",
        "attendees": tuple(sorted({who for who, _ in attendees})),
        "answers": tuple(sorted({(who[0], answer) for who, answer in attendees})),
        "reminders": tuple(
            sorted({_reminder(alarm, clock, span, alone) for alarm in block.within("VALARM")})
        ),
    }


def _range(block: Block) -> str:
    line = block.first("RECURRENCE-ID")
    return line.parameter("RANGE").upper() if line else ""


def _state(block: Block) -> str:
    return block.value("STATUS").upper() or ("CONFIRMED" if block.name == "VEVENT" else "NEEDS-ACTION")


def _busy(block: Block) -> tuple[str, str]:
    shown = block.value("TRANSP").upper() or "OPAQUE"
    implied = "FREE" if shown == "TRANSPARENT" else "TENTATIVE" if _state(block) == "TENTATIVE" else "BUSY"
    return shown, block.value("X-MICROSOFT-CDO-BUSYSTATUS").upper() or implied


def _progress(block: Block) -> tuple[str, str]:
    implied = "100" if _state(block) == "COMPLETED" else "0"
    return _number(block.value("PERCENT-COMPLETE") or implied), _completed(block.value("COMPLETED"))


def _completed(value: str) -> str:
    return value.upper().replace("-", "").replace(":", "")


def _number(value: str) -> str:
    return str(int(value)) if _NUMBER.fullmatch(value) else value


def _place(block: Block) -> tuple[str, object]:
    return block.text("LOCATION"), _geo(block.value("GEO"))


def _geo(value: str) -> object:
    try:
        return tuple(round(float(part), 6) for part in value.split(";")) if value else ()
    except ValueError:
        return value


def _formatted(block: Block) -> str:
    for line in (*block.all("X-ALT-DESC"), *block.all("STYLED-DESCRIPTION")):
        if line.parameter("FMTTYPE").lower() in ("text/html", ""):
            return tidy(line.text())
    return ""


def _links(block: Block) -> tuple[str, ...]:
    lines = (*block.all("URL"), *block.all("CONFERENCE"))
    return tuple(sorted({line.text().strip() for line in lines} - {""}))


def _others(block: Block) -> tuple[tuple[str, str], ...]:
    names = [name for name in block.lines if name in _OTHERS or name.startswith("X-KOGGE-")]
    return tuple(sorted({(name, tidy(line.text())) for name in names for line in block.lines[name]}))


def _attachments(block: Block) -> tuple[tuple[str, str, str], ...]:
    return tuple(sorted(_attachment(line) for line in block.all("ATTACH")))


def _attachment(line: ContentLine) -> tuple[str, str, str]:
    """Return how it is there, its hash or address, its name."""
    name = next((value for key in _FILE_NAMES if (value := line.parameter(key))), "")
    content = decoded(line)
    if content is None:
        return "link", line.text().strip(), tidy(name)
    return "content", hashlib.sha256(content).hexdigest(), tidy(name)


def decoded(line: ContentLine) -> bytes | None:
    """Return the bytes that stand in a property, by ENCODING=BASE64 (or b) or as a data: URI.

    Returns:
        None for what is elsewhere. Damaged base64 stands for itself.
    """
    value = line.value.strip()
    if line.parameter("ENCODING").upper() in ("BASE64", "B"):
        return _base64(value)
    if value[:5].lower() != "data:":
        return None
    kind, _, content = unescaped(value[5:]).partition(",")
    if kind.lower().endswith(";base64"):
        return _base64(content)
    return unquote_to_bytes(content.encode("utf-8", "surrogateescape"))


def _base64(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()).encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        return b"damaged " + value.encode("utf-8", "surrogateescape")


def address(line: ContentLine) -> str:
    """Return the lower-case e-mail address of a calendar user; another URI as it stands."""
    value = line.text().strip()
    if value[:7].lower() != "mailto:" and (email := line.parameter("EMAIL")):
        value = email
    return unquote(value[7:]).lower() if value[:7].lower() == "mailto:" else value.lower()


def _attendees(block: Block, organizer: str) -> list[tuple[tuple[str, str, str], str]]:
    """Return ((address, role, kind), answer) of each attendee.

    An organizer who comes is left out, because some servers add the organizer.
    """
    attendees = []
    for line in block.all("ATTENDEE"):
        role = line.parameter("ROLE").upper() or "REQ-PARTICIPANT"
        kind = line.parameter("CUTYPE").upper() or "INDIVIDUAL"
        answer = line.parameter("PARTSTAT").upper() or "NEEDS-ACTION"
        who = address(line)
        comes = answer in ("ACCEPTED", "NEEDS-ACTION") and role in ("CHAIR", "REQ-PARTICIPANT")
        if not (who == organizer and comes):
            attendees.append(((who, role, kind), answer))
    return attendees


def _reminder(alarm: Block, clock: Clock, span: ComponentSpan | None, alone: bool) -> tuple[object, ...]:
    """Return action, moment, repetition, and True if it is acknowledged."""
    action = alarm.value("ACTION").upper() or "DISPLAY"
    again = (alarm.value("REPEAT") or "0", alarm.value("DURATION")) if alarm.value("REPEAT") else ("0", "")
    return action, _trigger(alarm.first("TRIGGER"), clock, span, alone), again, "ACKNOWLEDGED" in alarm.lines


def _trigger(
    line: ContentLine | None, clock: Clock, span: ComponentSpan | None, alone: bool
) -> tuple[str, int]:
    if line is None:
        return "none", 0
    try:
        if "P" in line.value.upper():
            return _relative(line, span)
        kind, number = clock.moment(line.value, line.parameter("TZID"))
    except Malformed:
        return f"damaged {line.value}", 0
    if alone and span is not None and kind == span.start[0] == UTC:
        return "start", number - span.start[1]
    return f"moment {kind}", number


def _relative(line: ContentLine, span: ComponentSpan | None) -> tuple[str, int]:
    offset = sum_of(length(line.value))
    if line.parameter("RELATED").upper() != "END":
        return "start", offset
    if span is None:
        return "end", offset
    return "start", offset + span.lasts * (DAY if span.start[0] == DATE else 1)


_SIMPLE: Mapping[str, Callable[[Block], object]] = {
    "range": _range,
    "title": lambda block: block.text("SUMMARY"),
    "text": lambda block: block.text("DESCRIPTION"),
    "formatted-text": _formatted,
    "place": _place,
    "links": _links,
    "state": _state,
    "progress": _progress,
    "busy": _busy,
    "privacy": lambda block: block.value("CLASS").upper() or "PUBLIC",
    "priority": lambda block: _number(block.value("PRIORITY") or "0"),
    "categories": lambda block: texts(block.all("CATEGORIES")),
    "colour": lambda block: block.value("COLOR").lower(),
    "attachments": _attachments,
    "other": _others,
}
