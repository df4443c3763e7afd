"""Write and delete events: what becomes of an object that is put, for its organizer, for an attendee and for
whoever else takes part. Everything is told in Change, for those who mail it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from servers.open_xchange import event_fields, people
from servers.open_xchange.attachments import Attachments
from servers.open_xchange.content_lines import Part
from servers.open_xchange.context import Context, Folder, User
from servers.open_xchange.event_rules import Refused, check, check_exception, events_of, is_moved
from servers.open_xchange.events import Events, Resource, Row
from servers.open_xchange.times import Range, instant, moment, span, stamp, zones_replaced

Verb = Literal["new", "changed", "canceled", "declined"]
MASTER = None
"""The occurrence that a master replaces."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a meeting. parts: as it is now, or was before it went; before: who took part then."""

    verb: Verb
    actor: User
    organizer: str
    parts: tuple[Part, ...]
    before: frozenset[str] = frozenset()


class EventChanges:
    """window: what listings see, for the deletions that they tell."""

    def __init__(
        self, context: Context, events: Events, attachments: Attachments, window: Callable[[], Range]
    ) -> None:
        self.context = context
        self.events = events
        self.attachments = attachments
        self.window = window

    def put(self, user: User, folder: Folder, name: str, calendar: Part) -> Change | None:
        """Stores an object. Returns what there is to mail about; None for nothing. Raises Refused."""
        check(events_of(calendar), user)
        events = events_of(zones_replaced(calendar))
        known = self.events.find(folder, name)
        if known is None:
            self._refuse_taken(user, folder, events[0].value("UID"))
            return self.create(user, folder, name.removesuffix(".ics"), events)
        if known.uid != events[0].value("UID"):
            raise Refused(409)  # not measured
        if _is_guest(known, user):
            self._answer(user, known, events)
            return None
        return self._update(user, folder, known, events)

    def _refuse_taken(self, user: User, folder: Folder, uid: str) -> None:
        """A UID is unique over a user's calendars, in the window or out of it: the same one under another
        name is 403 no-uid-conflict in its calendar, unique-scheduling-object-resource in another one. Another
        user may have it."""
        taken = self.events.holds(user, uid)
        if folder in taken:
            raise Refused(403, "no-uid-conflict")
        if taken:
            raise Refused(403, "unique-scheduling-object-resource")

    def create(self, user: User, folder: Folder, stem: str, events: Sequence[Part]) -> Change | None:
        """An object that is new keeps the SEQUENCE it comes with; each changed occurrence in it has one more
        than its master. TRANSP is OPAQUE where it says nothing."""
        master = self._prepared_master(user, events[0])
        parts = [master or self._prepared(events[0])]
        for event in events[1:]:
            prepared = self._prepared(event)
            parts.append(self._exception(master, prepared, user) if master else prepared)
        first = event_fields.sequence(events[0])
        rows: list[Row] = []
        for part in parts:
            number = first + 1 if master is not None and rows else first
            if not rows and part.first("TRANSP") is None:
                part = part.put("TRANSP", "OPAQUE")
            rows.append(self._row(user, folder, stem, _numbered(part, number)))
        for row in rows[1:] if master is not None else ():
            row.series = rows[0].id
        return self._change("new", user, rows)

    def _prepared_master(self, user: User, event: Part) -> Part | None:
        """None for a changed occurrence that comes without its series."""
        if event.first("RECURRENCE-ID") is not None:
            return None
        part = self._prepared(event)
        if people.organizer([part]) == user.address:
            return people.with_attendee(part, self.context, user.address, self._now())
        return part

    def _prepared(self, event: Part) -> Part:
        """An event as it is stored, its alarms still inside."""
        alarms = event_fields.alarms_of(event)
        part = self.attachments.kept(event_fields.stored(event, alarms), self.context.clock.tick())
        return replace(people.named(part, self.context, self._now()), parts=alarms)

    def _exception(self, master: Part, exception: Part, user: User) -> Part:
        """A changed occurrence that is new. One that is moved asks every user of the context anew, also where
        the answers are the master's; one that is not keeps them."""
        check_exception(master, exception, self.context, user)
        hosted = people.organizer([master]) == user.address
        moved = hosted and is_moved(master, exception)
        return people.asked_anew(exception, self.context, self._now()) if moved else exception

    def _row(self, user: User, folder: Folder, stem: str, part: Part) -> Row:
        now, uid = self.context.clock.tick(), part.value("UID")
        bare = replace(part, parts=())
        places = self._places(user, folder, bare)
        row = Row(self.events.new_id(), uid, "" if stem == uid else stem, bare, user.number, places, now, now)
        if user.number in places:
            row.alarms[user.number] = part.parts
        self.events.add(row)
        return row

    def _places(self, user: User, folder: Folder, part: Part) -> dict[int, int]:
        """One event for all: what an organizer writes is at once in the default calendar of every user who is
        an attendee of that very component, and in the organizer's own only if he is one too. So a changed
        occurrence that does not name its organizer vanishes from his calendar alone. Whoever is no organizer
        writes for himself."""
        if people.organizer([part]) != user.address:
            return {user.number: folder.number}
        guests = (self.context.by_address(who) for who in people.attendees(part))
        places = {one.number: self.context.default("calendar", one).number for one in guests if one}
        if user.number in places:
            places[user.number] = folder.number
        return places

    def _update(self, user: User, folder: Folder, known: Resource, events: Sequence[Part]) -> Change | None:
        series = self.events.of_series(known.master or known.rows[0])
        rows = {row.occurrence: row for row in series}
        _refuse_behind(rows, events)
        before = frozenset(who for row in series for who in people.attendees(row.part))
        sent = self._prepared_master(user, events[0])
        parts = [sent or self._prepared(events[0]), *(self._prepared(event) for event in events[1:])]
        plans: list[tuple[Row | None, Part]] = []
        for event, part in zip(events, parts, strict=True):
            row = rows.get(_occurrence(event))
            number = event_fields.sequence(event)
            planned = self._planned(user, part, number, row, sent or series[0].part)
            plans.append((row, planned))  # and raises before anything is written
        written = {_occurrence(event) for event in events}
        gone = [row for row in series if row.occurrence not in written and row.occurrence is not MASTER]
        for row in gone:
            self._erase(row)
            self.events.changed(series[0])
        changed = [self._write(user, folder, series[0], row, part) for row, part in plans]
        if not any(changed) and not gone:
            return None  # what is the same is not stored anew (not measured)
        return self._change("changed", user, self.events.of_series(series[0]), before)

    def _planned(self, user: User, part: Part, sent: int, row: Row | None, master: Part) -> Part:
        """What an event becomes. After a change the server stores its own SEQUENCE plus one, whatever higher
        one was sent; in a copy of another organizer's meeting, the one that was sent. TRANSP is none where
        none was sent."""
        hosted = people.organizer([part]) == user.address
        if row is None:
            if _occurrence(part) is MASTER:
                return _numbered(part, sent)
            return _numbered(self._exception(master, part, user), sent + 1)
        if hosted and _is_rescheduled(row.part, part):
            part = people.asked_anew(part, self.context, self._now())
        elif hosted and people.differing_answers(part, row.part, self.context):
            raise Refused(403)  # nobody answers for another user of the context
        number = event_fields.sequence(row.part)
        if event_fields.meaning(part) != event_fields.meaning(row.part):
            number = number + 1 if hosted or not people.is_meeting(part) else sent
        if not hosted and people.answer(part, user.address) != people.answer(row.part, user.address):
            part = people.answered(part, user.address, people.answer(part, user.address), self._now())
        return _numbered(part, number)

    def _write(self, user: User, folder: Folder, first: Row, row: Row | None, part: Part) -> bool:
        """Whether it is another event than before. Alarms are the user's own, and tell nobody anything."""
        bare = replace(part, parts=())
        if row is None:
            added = self._row(user, folder, first.filename or first.uid, part)
            added.series = first.id
            return True
        own = row.alarms.get(user.number, ())
        alike = event_fields.alarm_meaning(own) == event_fields.alarm_meaning(part.parts)
        same = event_fields.meaning(row.part) == event_fields.meaning(bare)
        if alike and same:
            return False
        row.part = bare
        places = self._places(user, folder, bare)
        for number in row.places.keys() - places.keys():
            self.events.leave(row, number, self.window())
        self.events.enter(row, {number: places[number] for number in places.keys() - row.places.keys()})
        if user.number in row.places and not alike:
            row.alarms[user.number] = part.parts
        self.events.changed(row)
        return not same

    def _answer(self, user: User, known: Resource, events: Sequence[Part]) -> None:
        """An attendee writes another user's meeting: 201, and only the attendee's own PARTSTAT and alarms are
        taken. That sets an answer that the organizer cannot set. No mail of it was seen."""
        rows = {row.occurrence: row for row in known.rows}
        _refuse_behind(rows, events)
        for event in events:
            row = rows.get(_occurrence(event))
            says = people.answer(event, user.address)
            if row is None:
                continue
            alarms = event_fields.alarms_of(event)
            own = row.alarms.get(user.number, ())
            changed = event_fields.alarm_meaning(own) != event_fields.alarm_meaning(alarms)
            if changed:
                row.alarms[user.number] = alarms
            if says and says != people.answer(row.part, user.address):
                row.part = people.answered(row.part, user.address, says, self._now())
                changed = True
            if changed:
                self.events.changed(row)

    def delete(self, user: User, known: Resource) -> Change | None:
        """Takes an object out of the user's calendar: for the organizer, for everybody; for a guest, with
        the answer DECLINED in what the others keep."""
        rows = list(known.rows)
        before = frozenset(who for row in rows for who in people.attendees(row.part))
        parts = tuple(row.part for row in rows)
        host = people.organizer(parts)
        if host in ("", user.address):
            for row in self.events.of_series(known.master) if known.master else rows:
                self._erase(row)
            return Change("canceled", user, host, parts, before) if host else None
        for row in rows:
            self.events.leave(row, user.number, self.window())
            if row.places:
                row.part = people.answered(row.part, user.address, "DECLINED", self._now())
                self.events.changed(row)
        return Change("declined", user, host, parts, before) if user.address in before else None

    def _erase(self, row: Row) -> None:
        for number in list(row.places):
            self.events.leave(row, number, self.window())

    def _change(
        self, verb: Verb, user: User, rows: Iterable[Row], before: frozenset[str] = frozenset()
    ) -> Change | None:
        parts = tuple(row.part for row in rows)
        host = people.organizer(parts)
        return Change(verb, user, host, parts, before) if host == user.address else None

    def _now(self) -> str:
        return stamp(self.context.clock.now())


def _is_guest(known: Resource, user: User) -> bool:
    """Some of the object is another user's meeting that the user takes part in."""
    return any(row.writer != user.number for row in known.rows)


def _refuse_behind(rows: dict[datetime | None, Row], events: Iterable[Part]) -> None:
    """SEQUENCE decides about an overwrite: one that is behind the stored one is 409 and an empty body, with
    the right If-Match too. None counts as 0."""
    for event in events:
        row = rows.get(_occurrence(event))
        if row is not None and event_fields.sequence(event) < event_fields.sequence(row.part):
            raise Refused(409)


def _occurrence(event: Part) -> datetime | None:
    planned = moment(event.first("RECURRENCE-ID"))
    return instant(planned) if planned is not None else MASTER


def _is_rescheduled(before: Part, after: Part) -> bool:
    return span(before) != span(after) or before.value("RRULE") != after.value("RRULE")


def _numbered(part: Part, number: int) -> Part:
    return part.put("SEQUENCE", str(number))
