"""Keep the alarms that are shown, and none that would send mail, start a program or play a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mappings.compare.content_lines import Malformed
from mappings.compare.time import length
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Property, Text, Word
from mappings.losses.catalogue import lose
from model.protocols import Loss

SHOWN, SILENT = "DISPLAY", "NONE"
"""Apple's calendars write NONE for an event that has no alarm on purpose."""

_ACTING = ("ATTACH", "ATTENDEE")


def shown_alarms(component: Component, begins: datetime, ends: datetime, not_after: datetime) -> list[Loss]:
    """Change the alarms of a component in place, and return what that loses.

    An alarm of what is over is acknowledged up to not_after (RFC 9074 section 6.1), so that nothing old pops
    up on the first day.

    Args:
        component: the event or the task.
        begins: its start; for a task without one, when it is due.
        ends: its end.
        not_after: when the leg began.
    """
    kept, losses = list[Component](), list[Loss]()
    for alarm in component.inner:
        faults = list(_faults(alarm))
        losses += faults
        if faults or _action(alarm) == SILENT:
            continue
        kept.append(alarm)
        losses += _plain(alarm, component)
        over = ends <= not_after if component.name == "VEVENT" else _rings(alarm, begins, ends) <= not_after
        if over and alarm.first("ACKNOWLEDGED") is None:
            alarm.add("ACKNOWLEDGED", Moment(not_after.replace(microsecond=0)))
    component.inner = kept
    return losses


def _action(alarm: Component) -> str:
    stated = alarm.first("ACTION")
    return stated.said.strip().upper() if isinstance(stated, Word) else SHOWN


def _faults(alarm: Component) -> Iterator[Loss]:
    """Yield why an alarm is left out."""
    if _action(alarm) not in (SHOWN, SILENT):
        yield lose("reminder", "action-not-kept")
    elif not _is_time(alarm.first("TRIGGER")):
        yield lose("reminder", "no-time")


def _is_time(trigger: Property | None) -> bool:
    if isinstance(trigger, Word):
        return _length(trigger) is not None
    return isinstance(trigger, Moment) and isinstance(trigger.at, datetime)


def _length(stated: Word) -> timedelta | None:
    try:
        days, rest = length(stated.said)
    except Malformed:
        return None
    return timedelta(days=days, seconds=rest)


def _plain(alarm: Component, component: Component) -> Iterator[Loss]:
    """Complete an alarm, and take out what an alarm that is shown does not have."""
    alarm.set("ACTION", Word(SHOWN))
    if not alarm.said("DESCRIPTION"):
        alarm.set("DESCRIPTION", Text(component.said("SUMMARY") or "Reminder"))
    if any(name in alarm.properties for name in _ACTING):
        yield lose("reminder", "action-not-kept")
    for name in _ACTING:
        alarm.remove(name)


def _rings(alarm: Component, begins: datetime, ends: datetime) -> datetime:
    """Return when an alarm rings for the first time."""
    trigger = alarm.first("TRIGGER")
    if isinstance(trigger, Moment) and isinstance(trigger.at, datetime):
        return trigger.at.replace(tzinfo=trigger.at.tzinfo or UTC)
    before = _length(trigger) if isinstance(trigger, Word) else None
    from_end = trigger is not None and trigger.parameters.get("RELATED", "").upper() == "END"
    try:
        return (ends if from_end else begins) + (before or timedelta())
    except OverflowError:
        return ends
