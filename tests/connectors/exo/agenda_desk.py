"""What a test of eXo's agenda works with: targets that are closed in the end, items, what the server has."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from servers.dav.faults import Fault, Faults
from servers.exo.agenda import ExoAgenda

from connectors.exo.target import AgendaSettings, AgendaTarget
from connectors.settings import Account
from mappings.compare.semantic_digest import calendar_digest
from model.kinds import Kind
from model.protocols import Guard, Item, Native, key_of

PASSWORD_ENV = "KOGGE_AGENDA_PASSWORD"
NOW = datetime(2026, 1, 15, tzinfo=UTC)
HREF = "agenda"
SINGLE = "DTSTART:20260310T090000Z\nDTEND:20260310T100000Z"
WEEKLY = (
    "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T103000\n"
    "RRULE:FREQ=WEEKLY;COUNT=40;BYDAY=MO"
)
DAYS = "DTSTART;VALUE=DATE:20260302\nDTEND;VALUE=DATE:20260304\nRRULE:FREQ=MONTHLY;COUNT=12;BYMONTHDAY=2"
MOVED = (
    "BEGIN:VEVENT\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:20260309T080000Z\nDTSTART:20260310T120000Z\n"
    "DTEND:20260310T130000Z\nSUMMARY:Moved\nEND:VEVENT\n"
)


def item(number: int, *lines: str, beside: str = "") -> Item:
    """An event of these lines; beside: further components."""
    said = "\n".join(lines or (SINGLE,))
    text = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Test//EN\nBEGIN:VEVENT\nDTSTAMP:20260101T000000Z\n"
        f"SUMMARY:Number {number}\n{said}\nEND:VEVENT\n{beside}END:VCALENDAR\n"
    )
    body = text.replace("\n", "\r\n").encode()
    return Item(
        kind=Kind.CALENDAR,
        key=key_of(f"event-{number}"),
        digest=digest(io.BytesIO(body)),
        size=len(body),
        body=lambda: io.BytesIO(body),
    )


def series(number: int) -> Item:
    """One with a moved and two deleted occurrences, its first among these."""
    return item(number, WEEKLY, "EXDATE:20260302T080000Z,20260406T070000Z", beside=MOVED)


def digest(stream: BinaryIO) -> bytes:
    return calendar_digest(stream, NOW)


@dataclass
class Desk:
    exo: ExoAgenda
    opened: list[AgendaTarget] = field(default_factory=list)

    def target(
        self, guard: Guard = lambda: None, *, live: bool = False, user: str = "anna", **settings: object
    ) -> AgendaTarget:
        given = {
            "kind": "exo-agenda",
            "url": self.exo.url,
            "password": {"env": PASSWORD_ENV},
            "patience_seconds": 5,
            "timeout_seconds": 10,
        }
        made = AgendaTarget(
            AgendaSettings.model_validate({**given, **settings}),
            Account(login=user),
            guard,
            digest=digest,
            live=live,
        )
        self.opened.append(made)
        return made

    def close(self) -> None:
        for one in self.opened:
            one.close()

    def faults(self, script: dict[tuple[str, int], Fault]) -> Faults:
        """From the next request on."""
        made = Faults(script, retry_after=0)
        self.exo.layers = (made,)
        return made

    def titles(self) -> list[str]:
        """Of every event, what stands beside a series included."""
        return sorted(str(one.told["summary"]) for one in self.exo.agenda.events.values())

    def sent(self, method: str) -> list[bytes]:
        return [request.body for request in self.exo.requests if request.method == method]


def read(target: AgendaTarget, href: str) -> bytes:
    ((_, found),) = target.read(HREF, [href])
    assert isinstance(found, Native), found
    assert found.body is not None
    with found.body() as stream:
        return digest(stream)
