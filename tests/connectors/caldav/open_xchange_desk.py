"""Events as the source tells them, written into a practice Open-Xchange and read there by everybody."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import count
from pathlib import Path

from event_native import NOT_AFTER, context, native
from icalendar import Calendar
from recurring_ical_events import of
from results import stored
from servers.open_xchange.server import OpenXchangeServer

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account, Secret
from mappings.compare.semantic_digest import calendar_digest
from mappings.registry import map_event
from model.kinds import Kind
from model.protocols import Container, Mapped, Native, Role, Stored

ANNA, BERT = "anna@ox.test", "bert@ox.test"
CALENDAR = Container(Kind.CALENDAR, "source-1", ("Kalender",), Role.CALENDAR)
PASSWORD_ENV = "KOGGE_TEST_OPEN_XCHANGE_EVENTS"
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2110, 1, 1, tzinfo=UTC)
_numbers = count(1)


@dataclass(frozen=True)
class Rewritten:
    """What is read back, and whether it means what the writer says is there."""

    body: bytes
    means_what_is_stated: bool


@dataclass
class OpenXchangeDesk:
    """A person's account, as Kogge opens it."""

    server: OpenXchangeServer
    target: DavTarget
    href: str
    user: str

    def mapped(self, xml: str | Native) -> Mapped:
        """What an event becomes for this target; every XML is another item, with a UID of its own."""
        if isinstance(xml, str):
            xml = native(xml.replace("u@kogge.example", f"u{next(_numbers)}@kogge.example"))
        return map_event(xml, context({self.user}, target=self.target.capabilities))

    def write(self, xml: str | Native) -> tuple[Mapped, bytes]:
        """Write an event and read it back: it must mean what was written."""
        made = self.mapped(xml)
        item = replace(made.item, key=next(_numbers).to_bytes(16, "big"))
        (result,) = stored(self.target.write(self.href, [item]))
        body = self.read(result)
        assert calendar_digest(io.BytesIO(body), NOT_AFTER) == item.digest
        return made, body

    def rewritten(self, versions: list[str]) -> list[Rewritten]:
        """Write one event again and again, each time as another version."""
        number = next(_numbers)
        made, result = [], None
        for xml in versions:
            item = self.mapped(xml.replace("u@kogge.example", f"v{number}@kogge.example")).item
            item = replace(item, key=number.to_bytes(16, "big"), replaces=result)
            (written,) = stored(self.target.write(self.href, [item]))
            body = self.read(written)
            means = calendar_digest(io.BytesIO(body), NOT_AFTER)
            made.append(Rewritten(body, means == (written.digest or item.digest)))
            result = replace(written, version="", digest=b"", losses=None)
        return made

    def read(self, result: Stored) -> bytes:
        ((_, found),) = self.target.read(self.href, [result.href])
        assert isinstance(found, Native)
        assert found.body is not None
        with found.body() as stream:
            return stream.read()

    def seen_by(self, user: str, uid: str | None) -> bytes | None:
        """The object in that user's calendars; None if it is in none."""
        owner, events = self.server.context.users[user], self.server.suite.events
        for folder in self.server.context.own("calendar", owner):
            for one in events.all(folder):
                if one.uid == uid:
                    return one.text(owner, "/").encode()
        return None


def desk_on(server: OpenXchangeServer, spool: Path, user: str = ANNA) -> OpenXchangeDesk:
    settings = DavSettings(
        kind="caldav",
        url=server.url,
        profile="open-xchange",
        password=Secret(env=PASSWORD_ENV),
        patience_seconds=5,
    )
    digest = partial(calendar_digest, not_after=NOT_AFTER)
    target = DavTarget(settings, Account(login=user), _may, spool, kind=Kind.CALENDAR, digest=digest)
    return OpenXchangeDesk(server, target, target.ensure(CALENDAR), user)


def _may() -> None:
    """The write fence of a test."""


def occurrences(body: bytes | None) -> list[tuple[datetime | date, datetime | date]]:
    """Start and end of everything that takes place, in UTC, by a reader that is not Kogge's."""
    if body is None:
        return []
    found = of(Calendar.from_ical(body)).between(EARLIEST, LATEST)
    return sorted((_utc(one["DTSTART"].dt), _utc(one["DTEND"].dt)) for one in found)


def _utc(at: datetime | date) -> datetime | date:
    return at.astimezone(UTC) if isinstance(at, datetime) else at
