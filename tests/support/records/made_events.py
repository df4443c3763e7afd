"""Events that tests make, what becomes of them, and when they take place."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from practice.calendar.appointments import Event, Party, Window, instances
from practice.calendar.event_desk import PLAIN, at, timed
from practice.calendar.timezones import Zone
from practice.world.desk import Desk
from practice.world.diary import edit
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.records import Common


def whole_days(
    desk: Desk, subject: str, day: date, days: int = 1, zone: Zone | None = None, base: Common = PLAIN
) -> Event:
    """Return an all-day event, from midnight to midnight in its zone."""
    event = timed(desk, subject, at(day, 0), days * 1440, zone, base)
    return replace(event, all_day=True, busy="Free")


def occurrences(event: Event, start: datetime, end: datetime) -> list[Window]:
    """Return when an event takes place between two moments, in UTC, in their order.

    Moved occurrences of a series are where they are now, deleted ones nowhere.

    Returns:
        (begins, finishes) of what overlaps [start, end).
    """
    return [(each.begins, each.finishes) for each in instances(event, start, end)]


def answer(mailbox: Mailbox, item: Message, at: int, party: Party) -> None:
    """Put this party in the place of the required attendee number `at`: an answer came."""

    def answered(event: Event) -> Event:
        required = (*event.required[:at], party, *event.required[at + 1 :])
        return replace(event, required=required)

    edit(mailbox, item, answered)


def cancel(mailbox: Mailbox, item: Message) -> None:
    """Cancel an event."""
    edit(mailbox, item, lambda event: replace(event, cancelled=True, sequence=event.sequence + 1))
