"""Change calendars as people do while they are moved. Each change moves the item's change key.

Hold World.lock while a server runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from practice.calendar.appointments import Changed, Event
from practice.world.mailbox import NOW, Mailbox
from practice.world.messages import Message
from practice.world.records import Common


def event_of(item: Message) -> Event:
    """Return the event of an item.

    Raises:
        ValueError: the item is no event.
    """
    if not isinstance(item.record, Event):
        raise ValueError("not an event")
    return item.record


def rewrite(mailbox: Mailbox, item: Message, *, subject: str | None = None, body: str | None = None) -> None:
    """Give an item another subject or text. An occurrence becomes a modified one."""
    base = event_of(item).base
    subject = base.subject if subject is None else subject
    base = replace(base, subject=subject, body=base.body if body is None else body)
    edit(mailbox, item, lambda event: replace(event, base=base))


def shift(mailbox: Mailbox, item: Message, by: timedelta) -> None:
    """Move an event by the wall clock.

    A series moves with all its occurrences when `by` is less than a day and the day stays the same; changes
    of single ones are lost, as in Exchange.
    """

    def shifted(event: Event) -> Event:
        moved = replace(event, start=event.start + by, end=event.end + by, sequence=event.sequence + 1)
        if event.recurrence is None:
            return moved
        if moved.start.date() != event.start.date():
            raise ValueError("a series keeps its days")
        return replace(moved, changed=(), deleted=())

    edit(mailbox, item, shifted)


def edit(mailbox: Mailbox, item: Message, change: Callable[[Event], Event]) -> None:
    """Change an event. Of an occurrence (Mailbox.occurrence), its series is changed.

    Raises:
        ValueError: the item is no event.
        KeyError: the series no longer knows the occurrence.
    """
    if item.day is None:
        mailbox.replace(item, _stamped(mailbox, change(event_of(item))))
        return
    master = master_of(mailbox, item)
    modify_occurrence(mailbox, master, item.day, change)


def modify_occurrence(mailbox: Mailbox, master: Message, day: date, change: Callable[[Event], Event]) -> None:
    """Change the occurrence of this original day, and no other.

    Raises:
        KeyError: there is none.
    """
    series = event_of(master)
    one = _stamped(mailbox, change(series.instance(day)))
    others = tuple(each for each in series.changed if each.day != day)
    changed = tuple(sorted((*others, Changed(day, one)), key=lambda each: each.day))
    mailbox.replace(master, _stamped(mailbox, replace(series, changed=changed)), occurrence=True)


def delete_occurrence(mailbox: Mailbox, master: Message, day: date) -> None:
    """Delete the occurrence of this original day.

    Raises:
        KeyError: there is none.
        ValueError: it is the last one left: Exchange refuses to delete it.
    """
    series = event_of(master)
    series.instance(day)
    changed = tuple(each for each in series.changed if each.day != day)
    left = replace(series, changed=changed, deleted=tuple(sorted((*series.deleted, day))))
    if next(left.days(), None) is None:
        raise ValueError("the last occurrence")
    mailbox.replace(master, _stamped(mailbox, left), occurrence=True)


def master_of(mailbox: Mailbox, item: Message) -> Message:
    """Return the series of an occurrence."""
    return mailbox.item(mailbox.ids.item(item.folder.number, item.number))


def remove(mailbox: Mailbox, item: Message) -> None:
    """Remove an item for good; of a series the one occurrence, and with the last one the series."""
    if item.day is None:
        mailbox.delete(item, hard=True)
        return
    master = master_of(mailbox, item)
    try:
        delete_occurrence(mailbox, master, item.day)
    except ValueError:
        mailbox.delete(master, hard=True)


def _stamped(mailbox: Mailbox, event: Event) -> Event:
    """LastModifiedTime goes on with every change."""
    base: Common = replace(event.base, modified=_now(mailbox))
    return replace(event, base=base)


def _now(mailbox: Mailbox) -> datetime:
    return NOW + timedelta(seconds=mailbox.change + 1)
