"""Provide the parts of made-up events: ids, zones and the people of a mailbox's neighbourhood."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from practice.calendar.appointments import Answer, Event, Party
from practice.calendar.timezones import BERLIN, LONDON, PARIS, Zone
from practice.world.desk import NEIGHBOURS, Desk
from practice.world.people import Person
from practice.world.records import Common

Make = Callable[[Desk], Event]
GOID = "040000008200E00074C5B7101A82E008"
_FOREIGN = "7643616C2D55696401000000"  # "vCal-Uid" and a version, before somebody else's id
_ZONES = {"de": BERLIN, "fr": PARIS, "en": LONDON}
PLAIN = Common()


def home(desk: Desk) -> Zone:
    """Return the zone where the owner lives."""
    return _ZONES[desk.owner.locale]


def goid(desk: Desk) -> str:
    """Return a global object id as Exchange makes one: creation time, the size 16, and 16 own bytes."""
    made = desk.dice("goid")
    return f"{GOID}00000000{made.hex(16).upper()}000000000000000010000000{made.hex(32).upper()}"


def foreign_goid(uid: str) -> str:
    """Return a foreign UID inside of a global object id, as clients see it that do not unpack it."""
    data = uid.encode() + b"\0"
    size = (len(data) + 12).to_bytes(4, "little").hex().upper()
    return f"{GOID}{'0' * 40}{size}{_FOREIGN}{data.hex().upper()}"


def at(day: date | tuple[int, int, int], hour: int = 9, minute: int = 0) -> datetime:
    """Return a wall clock time on a day."""
    year, month, of_month = day if isinstance(day, tuple) else (day.year, day.month, day.day)
    return datetime(year, month, of_month, hour, minute)


def timed(
    desk: Desk,
    subject: str,
    start: datetime,
    minutes: int = 60,
    zone: Zone | None = None,
    base: Common = PLAIN,
) -> Event:
    """Return an ordinary appointment of the owner's."""
    return Event(
        base=desk.dated(base, subject),
        uid=goid(desk),
        start=start,
        end=start + timedelta(minutes=minutes),
        zone=zone or home(desk),
    )


def person(one: Person, answer: Answer = "Unknown", replied: datetime | None = None) -> Party:
    """Return a person as somebody who takes part."""
    return Party(one.name, one.address, answer=answer, replied=replied)


def neighbour(desk: Desk, step: int) -> Person:
    """Return another of the five: never the owner for a step of 1 to 4."""
    block = desk.index // NEIGHBOURS * NEIGHBOURS
    return desk.person(block + (desk.index - block + step) % NEIGHBOURS)
