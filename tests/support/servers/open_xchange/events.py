"""The events of a context. One event is one row for everybody who takes part in it, with alarms for each; a
changed occurrence of a series is a row of its own. A calendar shows rows of one UID as one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from servers.open_xchange import attachments
from servers.open_xchange.content_lines import Line, Part, text_of
from servers.open_xchange.context import NUMBER, Context, Folder, Gone, User
from servers.open_xchange.times import Range, instant, moment, occurrences, span, stamp, vtimezones

PRODID = "-//Open-Xchange//8.19//EN"


@dataclass(eq=False)
class Row:
    """part: as stored, without alarms. writer: the user in whose calendar it was made. places: in whose
    calendars it is, user -> folder. series: the id of its master, for a changed occurrence."""

    id: int
    uid: str
    filename: str
    part: Part
    writer: int
    places: dict[int, int]
    modified: int
    created: int
    series: int | None = None
    alarms: dict[int, tuple[Part, ...]] = field(default_factory=dict)

    @property
    def occurrence(self) -> datetime | None:
        """Which occurrence of its series it replaces."""
        planned = moment(self.part.first("RECURRENCE-ID"))
        return instant(planned) if planned is not None else None

    def meets(self, between: Range) -> bool:
        """A list of dates without a rule is listed by its first one, though nothing shows it."""
        rule = self.part.first("RRULE")
        return bool(occurrences(self.part, between)) if rule else span(self.part).meets(between)


@dataclass(frozen=True, slots=True)
class Resource:
    """All rows of one UID in one calendar."""

    folder: int
    uid: str
    rows: tuple[Row, ...]

    @property
    def masters(self) -> list[Row]:
        return [row for row in self.rows if row.part.first("RECURRENCE-ID") is None]

    @property
    def name(self) -> str:
        return f"{self.rows[0].filename or self.uid}.ics"

    @property
    def modified(self) -> int:
        return max(row.modified for row in self.rows)

    @property
    def master(self) -> Row | None:
        """None for a UID whose meeting is there twice, and for changed occurrences without their series."""
        return self.masters[0] if len(self.masters) == 1 else None

    @property
    def etag(self) -> str:
        """Without quotes. A meeting that is there twice has no id: "53-null-…"."""
        return f"{NUMBER}-{self.master.id if self.master else 'null'}-{self.modified}"

    def meets(self, between: Range) -> bool:
        return any(row.meets(between) for row in self.rows)

    def text(self, user: User, base: str) -> str:
        """The object as that user reads it: own alarms alone, a VTIMEZONE for each zone, attachments as URLs
        below base. Of a meeting that is there twice it is an empty VCALENDAR, with 200."""
        twice = len(self.masters) > 1
        parts = [] if twice else [shown(row, user.number, base, self.folder) for row in self.rows]
        head = (Line("VERSION", "2.0"), Line("PRODID", PRODID))
        return text_of(Part("VCALENDAR", head, (*vtimezones(parts), *parts)))


def shown(row: Row, user: int, base: str, folder: int) -> Part:
    made, changed = (stamp(datetime.fromtimestamp(at / 1000, UTC)) for at in (row.created, row.modified))
    part = row.part.put("CREATED", made).put("LAST-MODIFIED", changed).put("DTSTAMP", changed)
    part = attachments.shown(part, base, folder, row.id)
    return replace(part, parts=row.alarms.get(user, ()))


class Events:
    """The store. Everything is found by what a calendar shows, and nothing by a listing."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._rows: dict[int, Row] = {}
        self._uids: dict[int, dict[str, list[int]]] = {}
        self._names: dict[tuple[int, str], str] = {}
        self._last = 0

    def new_id(self) -> int:
        self._last += 1
        return self._last

    def add(self, row: Row) -> None:
        self._rows[row.id] = row
        for folder in row.places.values():
            self._index(row, folder)

    def enter(self, row: Row, places: dict[int, int]) -> None:
        """Shows it in more calendars."""
        row.places.update(places)
        for folder in places.values():
            self._index(row, folder)

    def _index(self, row: Row, folder: int) -> None:
        self._uids.setdefault(folder, {}).setdefault(row.uid, []).append(row.id)
        self._names[folder, row.filename or row.uid] = row.uid
        self.touch(folder, row.modified)

    def touch(self, folder: int, at: int) -> None:
        known = self.context.folders.get(folder)
        if known is not None:
            known.changed = at

    def changed(self, row: Row) -> None:
        """Stamps it, in every calendar that shows it."""
        row.modified = self.context.clock.tick()
        for folder in row.places.values():
            self.touch(folder, row.modified)

    def leave(self, row: Row, user: int, window: Range) -> None:
        """Takes it out of one user's calendar; what nobody shows any more is gone."""
        number = row.places.pop(user)
        folder = self.context.folders[number]
        before = self.resource(folder, row.uid)
        listed = before is not None and before.meets(window)
        name = before.name if before is not None else f"{row.filename or row.uid}.ics"
        ids = self._uids[number][row.uid]
        ids.remove(row.id)
        row.alarms.pop(user, None)
        folder.changed = self.context.clock.tick()
        if not ids:
            del self._uids[number][row.uid]
            self._names = {key: uid for key, uid in self._names.items() if key[0] != number or uid != row.uid}
            folder.gone.append(Gone(name, folder.changed, listed))
        if not row.places:
            del self._rows[row.id]

    def resource(self, folder: Folder, uid: str) -> Resource | None:
        ids = self._uids.get(folder.number, {}).get(uid)
        return Resource(folder.number, uid, tuple(self._in_order(ids))) if ids else None

    def _in_order(self, ids: Iterable[int]) -> Iterator[Row]:
        rows = [self._rows[one] for one in ids]
        yield from sorted(rows, key=lambda row: (row.occurrence is not None, row.id))

    def find(self, folder: Folder, name: str) -> Resource | None:
        """By the name that the PUT had, and by the UID: <UID>.ics answers too, whatever its age."""
        stem = name.removesuffix(".ics")
        uid = self._names.get((folder.number, stem), stem)
        return self.resource(folder, uid)

    def all(self, folder: Folder) -> list[Resource]:
        """In the window and out of it, in the order of their ids."""
        known = self._uids.get(folder.number, {})
        found = [Resource(folder.number, uid, tuple(self._in_order(ids))) for uid, ids in known.items()]
        return sorted(found, key=lambda one: one.rows[0].id)

    def count(self, folder: Folder) -> int:
        return len(self._uids.get(folder.number, {}))

    def holds(self, user: User, uid: str) -> list[Folder]:
        """Which of the user's own calendars have the UID."""
        calendars = self.context.own("calendar", user)
        return [one for one in calendars if self._uids.get(one.number, {}).get(uid)]

    def of_series(self, master: Row) -> list[Row]:
        """The master and its changed occurrences, in whosever calendar these are."""
        return [row for row in self._rows.values() if row is master or row.series == master.id]
