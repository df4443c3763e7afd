"""Read an Exchange task into one VTODO (RFC 5545 section 3.6.2).

Its days are dates: nobody plans a task by the minute in Exchange. If VTODO has no property for something, it
stands in an X-KOGGE- property, so that it is there, and can be compared.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from mappings.calendar.attachments import attachments
from mappings.calendar.task_progress import completed, efforts, progress, whole
from mappings.calendar.task_series import Days, days
from mappings.calendar.text import PRIORITIES, wording
from mappings.contacts.dates import NEVER
from mappings.contacts.organization import own_fields
from mappings.exchange.elements import items, left_out
from mappings.fields.context import Reading
from mappings.fields.ews_xml import Element, altered, flag, kind, moment, text
from mappings.fit.task import TaskRead
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Text, Word
from mappings.losses.catalogue import lose
from mappings.notes.body_text import sensitivity
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Loss, Native, key_of

CLASS = "ipm.task"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def skip_task(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this record is no task; None if it is one.

    A request to take a task over (IPM.TaskRequest) is mail.
    """
    name = str(native.properties.get("ItemClass") or "").lower()
    if name == "ipm.activity" or name.startswith("ipm.activity."):
        return "journal-entry"
    return None if name == CLASS or name.startswith(CLASS + ".") else "not-a-task"


def read_task(native: Native, context: Reading) -> TaskRead:
    """Read a task.

    Raises:
        Rejected: "unknown-format", "malformed-record" or "unknown-recurrence".
    """
    element = items(Kind.TASKS, native)[0]
    if kind(element) != "Task":
        raise Rejected("malformed-record", "the record holds something that is no task")
    return _read(element, native, context)


def _read(element: Element, native: Native, context: Reading) -> TaskRead:
    key, todo = key_of(native.ref.id), Component("VTODO")
    task_days = days(element)
    task_days.add(todo)
    losses = [*task_days.losses, *left_out(element), *_shared(element, todo, native)]
    _stamps(element, todo, task_days)
    losses += [
        *_marks(element, todo),
        *progress(element, todo),
        *efforts(element, todo),
    ]
    losses += _alarm(element, todo, context)
    losses += [lose("user-defined", "left-out")] if own_fields(element) else []
    if any(altered(str(piece)) for piece in element.itertext()):
        losses.append(lose("text", "control-characters"))
    todo.add("UID", Text(context.uid_of(key)))
    of_series = [lose("reminder", "first-occurrence-only")] if task_days.rrule and todo.inner else []
    return TaskRead(key, todo, tuple(losses), task_days.once, (*task_days.of_series, *of_series))


def _shared(element: Element, todo: Component, native: Native) -> list[Loss]:
    """Add what a task has exactly as an event does; the event is only the vessel."""
    event = Component("VEVENT")
    losses = [*wording(element, event), *attachments(element, event, native)]
    todo.properties.update(event.properties)
    return losses


def _stamps(element: Element, todo: Component, task_days: Days) -> None:
    """Add DTSTAMP, which is required.

    Without any date in the record it is the task's day: no clock is read.
    """
    created = moment(text(element, "t:DateTimeCreated"))
    modified = moment(text(element, "t:LastModifiedTime"))
    day = task_days.start or task_days.due
    planned = datetime.combine(day, time(), UTC) if day else EPOCH
    todo.add("DTSTAMP", Moment(whole(modified or created or planned)))
    if created is not None:
        todo.add("CREATED", Moment(whole(created)))
    if modified is not None:
        todo.add("LAST-MODIFIED", Moment(whole(modified)))


def _marks(element: Element, todo: Component) -> list[Loss]:
    shown, more = sensitivity(element)
    if shown:
        todo.add("CLASS", Text(shown))
    priority = PRIORITIES.get(text(element, "t:Importance").strip())
    if priority is not None:
        todo.add("PRIORITY", Word(str(priority)))
    return [lose("sensitivity", "shown-as-private")] if more else []


def _alarm(element: Element, todo: Component, context: Reading) -> list[Loss]:
    """Add one VALARM at the moment itself, shown, never mailed.

    A past reminder is acknowledged (RFC 9074 section 6.1), so that nothing pops up on the first day.
    """
    if not flag(element, "t:ReminderIsSet"):
        return []
    not_after, due = context.began, moment(text(element, "t:ReminderDueBy"))
    if due is None or due.year >= NEVER:
        return [lose("reminder", "no-time")]
    if completed(element) and due > not_after:
        return [lose("reminder", "already-done")]
    alarm = Component("VALARM")
    alarm.add("ACTION", Word("DISPLAY"))
    alarm.add("DESCRIPTION", Text(todo.said("SUMMARY") or "Reminder"))
    alarm.add("TRIGGER", Moment(whole(due), {"VALUE": "DATE-TIME"}))
    if due <= not_after:
        alarm.add("ACKNOWLEDGED", Moment(whole(not_after)))
    todo.inner.append(alarm)
    return []
