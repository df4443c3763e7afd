"""Records that are iCalendar objects, as a server or an export gives them, and what becomes of them."""

from __future__ import annotations

import io
from collections.abc import Iterable

from event_native import context

from mappings.registry import ITEM_FORMS
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native, Ref

KINDS = {"VEVENT": Kind.CALENDAR, "VTODO": Kind.TASKS}
WHOLE = Capabilities(frozenset(KINDS.values()))
OWNER = "inge@land.example"


def record(data: str | bytes) -> Native:
    """The record with these bytes; a text has CRLFs then."""
    raw = data if isinstance(data, bytes) else data.replace("\n", "\r\n").encode()
    return Native(Ref("id-1", "v1"), "icalendar", {}, lambda: io.BytesIO(raw))


def framed(inner: str) -> str:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\n{inner.strip()}\nEND:VCALENDAR\n"


def event(lines: str = "", start: str = "DTSTART:20270105T090000Z", zones: str = "") -> str:
    """An object with one event."""
    return framed(f"{zones}\n{component(lines, start)}")


def component(lines: str = "", start: str = "DTSTART:20270105T090000Z", name: str = "VEVENT") -> str:
    inner = "\n".join(line for line in (start, *lines.strip().split("\n")) if line)
    return f"BEGIN:{name}\nUID:u@land.example\nDTSTAMP:20260101T000000Z\n{inner}\nEND:{name}\n"


def task(lines: str = "", zones: str = "") -> str:
    """An object with one task."""
    return framed(f"{zones}\n{component(lines, '', 'VTODO')}")


def mapped(
    data: str | bytes, name: str = "VEVENT", target: Capabilities = WHOLE, owner: Iterable[str] = (OWNER,)
) -> Mapped:
    return ITEM_FORMS[KINDS[name]].map(record(data), context(owner, {}, target))


def lines_of(found: Mapped) -> list[str]:
    """The unfolded lines of what was made."""
    return found.item.body().read().decode().replace("\r\n ", "").split("\r\n")


def losses_of(found: Mapped) -> set[str]:
    return {f"{loss.field}/{loss.reason}" for loss in found.losses}


def outcome(data: str | bytes, name: str = "VEVENT", target: Capabilities = WHOLE) -> str:
    """ "read", or the code of the refusal."""
    try:
        mapped(data, name, target)
    except Rejected as refused:
        return refused.code
    return "read"


def zone(name: str, offset: str = "+0100", daylight: str = "+0200") -> str:
    """A VTIMEZONE with Europe's rules and any distance from UTC."""
    return (
        f"BEGIN:VTIMEZONE\nTZID:{name}\nBEGIN:DAYLIGHT\nDTSTART:19810329T020000\n"
        f"RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{daylight}\n"
        "END:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:19961027T030000\n"
        f"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nTZOFFSETFROM:{daylight}\nTZOFFSETTO:{offset}\n"
        "END:STANDARD\nEND:VTIMEZONE"
    )
