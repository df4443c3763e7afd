"""Task lists: a VTODO is stored under <UID>.ics whatever name the PUT had, and little of it is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from servers.open_xchange import people
from servers.open_xchange.content_lines import Line, Part, escaped, text_of
from servers.open_xchange.context import NUMBER, Context, Folder, Gone
from servers.open_xchange.event_rules import Refused
from servers.open_xchange.times import instant, moment, stamp, vtimezones, zones_replaced

KEPT = (
    "SUMMARY",
    "DESCRIPTION",
    "DTSTART",
    "DUE",
    "CLASS",
    "COMPLETED",
    "CATEGORIES",
    "STATUS",
    "PERCENT-COMPLETE",
    "PRIORITY",
    "UID",
)
"""LOCATION, URL, COLOR, RELATED-TO, CONTACT and X- are lost, with 201."""
SERIES = re.compile(r"FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)", re.IGNORECASE)


@dataclass(eq=False)
class Task:
    """recurrence is of series, which the HTTP API made: CalDAV lists none. fields: as the API got them."""

    id: int
    uid: str
    part: Part
    modified: int
    recurrence: dict[str, int] | None = None
    fields: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.uid}.ics"

    @property
    def etag(self) -> str:
        return f"{NUMBER}-{self.id}-{self.modified}"

    def text(self) -> str:
        changed = stamp(datetime.fromtimestamp(self.modified / 1000, UTC))
        part = self.part.put("LAST-MODIFIED", changed).put("DTSTAMP", changed)
        head = (Line("PRODID", "Open-Xchange"), Line("VERSION", "2.0"), Line("CALSCALE", "GREGORIAN"))
        return text_of(Part("VCALENDAR", head, (*vtimezones([part]), part)))


@dataclass(frozen=True, slots=True)
class Discarded:
    """A task with attendees: it was answered with 201, cannot be read, and is mailed of."""

    summary: str
    recipients: tuple[str, ...]


class Tasks:
    """The tasks of all lists. No window: listings show what was due in 2020, too."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._known: dict[int, dict[str, Task]] = {}
        self._last = 0

    def all(self, folder: Folder) -> list[Task]:
        """What CalDAV lists."""
        return [task for task in self.everything(folder) if task.recurrence is None]

    def everything(self, folder: Folder) -> list[Task]:
        """With the series."""
        return list(self._known.get(folder.number, {}).values())

    def find(self, folder: Folder, name: str) -> Task | None:
        task = self._known.get(folder.number, {}).get(name.removesuffix(".ics"))
        return task if task is not None and task.recurrence is None else None

    def put(self, folder: Folder, name: str, calendar: Part) -> Discarded | None:
        """Stores a task. A UID that is there already under <UID>.ics, put by any other name: 409, the first
        PUT's name included. Raises Refused."""
        todos = calendar.of("VTODO")
        if len(todos) != 1:
            raise Refused(400)  # a VEVENT in a task list
        todo = zones_replaced(replace(calendar, parts=tuple(todos))).parts[0]
        if todo.first("DTSTART") is not None and SERIES.search(todo.value("RRULE")):
            raise Refused(400)  # without DTSTART, and for HOURLY, the rule alone is dropped
        uid = todo.value("UID")
        here = self._known.get(folder.number, {})
        known = here.get(uid)
        if known is not None and name.removesuffix(".ics") != uid:
            raise Refused(409)
        guests = tuple(people.attendees(todo))
        if guests:
            return Discarded(todo.value("SUMMARY"), guests)
        part = _stored(_progressed(todo), self.context.clock.now())
        if known is not None:
            known.part, known.modified = part, self._touch(folder)
        else:
            self.add(folder, uid, part)
        return None

    def add(self, folder: Folder, uid: str, part: Part, recurrence: dict[str, int] | None = None) -> Task:
        self._last += 1
        task = Task(self._last, uid, part, self._touch(folder), recurrence)
        here = self._known.setdefault(folder.number, {})
        here[uid if uid not in here else f"{uid} {task.id}"] = task
        return task

    def add_by_api(self, folder: Folder, uid: str, fields: dict[str, Any]) -> Task:
        """As the HTTP API makes one. Where its UID is there already, it is there twice: not measured."""
        task = self.add(folder, uid, Part("VTODO", ()))
        self.change_by_api(folder, task, fields)
        return task

    def change_by_api(self, folder: Folder, task: Task, fields: dict[str, Any]) -> None:
        names: tuple[str, ...] = ("recurrence_type", "days", "interval")
        series = {name: int(fields[name]) for name in names if name in fields}
        lines = (Line("UID", task.uid), Line("SUMMARY", escaped(str(fields.get("title", "")))))
        task.part, task.fields, task.modified = Part("VTODO", lines), fields, self._touch(folder)
        task.recurrence = series if series.get("recurrence_type") else None

    def delete(self, folder: Folder, task: Task) -> None:
        here = self._known[folder.number]
        del here[next(key for key, one in here.items() if one is task)]
        folder.gone.append(Gone(task.name, self._touch(folder), True))

    def _touch(self, folder: Folder) -> int:
        folder.changed = self.context.clock.tick()
        return folder.changed


def _progressed(todo: Part) -> Part:
    """100 % is completed, whatever STATUS says. Less, of a task that needs action: 400. CONFIDENTIAL becomes
    PRIVATE."""
    state, percent = todo.value("STATUS").upper(), todo.value("PERCENT-COMPLETE")
    if todo.value("CLASS").upper() == "CONFIDENTIAL":
        todo = todo.put("CLASS", "PRIVATE")
    if percent == "100" and state in ("IN-PROCESS", "NEEDS-ACTION"):
        return todo.put("STATUS", "COMPLETED")
    if state == "NEEDS-ACTION" and percent not in ("", "0"):
        raise Refused(400)
    return todo


def _stored(todo: Part, now: datetime) -> Part:
    """CREATED is what came as DTSTAMP; CLASS is PUBLIC where there is none."""
    created = todo.value("CREATED") or todo.value("DTSTAMP") or stamp(now)
    lines = tuple(line for name in KEPT for line in todo.all(name)[:1])
    alarms = tuple(_alarm(todo, alarm) for alarm in todo.of("VALARM") if not _is_done(todo, alarm, now))
    part = Part("VTODO", lines, alarms).put("CREATED", created)
    return part if part.first("CLASS") is not None else part.put("CLASS", "PUBLIC")


def _is_done(todo: Part, alarm: Part, now: datetime) -> bool:
    """An acknowledged alarm of a task that was due in the past is dropped."""
    due = moment(todo.first("DUE"))
    return alarm.first("ACKNOWLEDGED") is not None and due is not None and instant(due) < now


def _alarm(todo: Part, alarm: Part) -> Part:
    """It gets the task's own description."""
    kept = alarm.without("DESCRIPTION", "UID", "ACKNOWLEDGED")
    return kept.put("DESCRIPTION", todo.value("DESCRIPTION") or todo.value("SUMMARY"))
