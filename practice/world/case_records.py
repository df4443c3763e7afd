"""Make contacts, lists, events, tasks and notes of the cases in practice/world/data.

What a table may have in addition to the fields of its class stands in practice/world/data/README.md.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal, cast

from practice.calendar.appointments import Changed, Event, Party
from practice.calendar.event_desk import foreign_goid, goid, home, neighbour
from practice.calendar.series import Daily, Monthly, MonthlyOn, Pattern, Recurrence, Weekly, Yearly, YearlyOn
from practice.calendar.timezones import ISLAND, REFORMED, WEEKDAYS, ZONES, Zone
from practice.contacts import photos
from practice.contacts.cards import PLAIN, Contact
from practice.mail.letters import Attachment
from practice.mail.letters_text import text
from practice.tasks.chores import Chore
from practice.tasks.stickies import YELLOW, Sticky, note
from practice.world.cases import DATA, Case, Reading
from practice.world.desk import Desk
from practice.world.people import Person, gone
from practice.world.record_elements import ADDRESS, COMMON, LOG, NOTE, TASK, named, public, tagged
from practice.world.records import Common

_SETS = {"address": ADDRESS, "common": COMMON, "log": LOG, "note": NOTE, "task": TASK}
_PATTERNS: dict[str, type] = {
    "daily": Daily,
    "weekly": Weekly,
    "monthly": Monthly,
    "monthly_on": MonthlyOn,
    "yearly": Yearly,
    "yearly_on": YearlyOn,
}
_OWN_ZONES = {zone.name: zone for zone in (ISLAND, REFORMED)}


def contact(case: Case, desk: Desk) -> Contact:
    """Return the contact of a case."""
    return reading(case, desk).of(Contact, case.table, key=desk.key)


def chore(case: Case, desk: Desk) -> Chore:
    """Return the task of a case."""
    return reading(case, desk).of(Chore, case.table, key=desk.key)


@dataclass(frozen=True, slots=True)
class _Note:
    """Hold a note.

    Attributes:
        colour: Outlook's number; None if another program made the note.
        size: in pixels.
    """

    body: str = ""
    colour: int | None = YELLOW
    size: tuple[int, int] = (200, 166)
    common: Common = PLAIN


def sticky(case: Case, desk: Desk) -> Sticky:
    """Return the note of a case.

    What stands under `common` is added to what a note of this text and colour has.
    """
    given = reading(case, desk).of(_Note, case.table)
    plain = note(desk.key, given.body, given.colour, given.size)
    body = given.common.body or plain.common.body
    return replace(plain, common=replace(given.common, body=body, properties=plain.common.properties))


def event(case: Case, desk: Desk) -> Event:
    """Return the event of a case.

    In addition to the fields of Event it may have minutes or days in place of end, and a foreign_uid that
    Exchange wraps.
    """
    reader, table = reading(case, desk), dict(case.table)
    changed = table.pop("changed", [])
    if not isinstance(changed, list):
        raise case.error("changed", "must be a list")
    made = _unchanged(reader, table, desk)
    return replace(made, changed=tuple(_changed(reader, made, row, n) for n, row in enumerate(changed)))


def _unchanged(reader: Reading, table: dict[str, object], desk: Desk) -> Event:
    if "start" not in table:
        raise reader.case.error("start", "is missing")
    start = reader.wall_clock(table["start"], "start")
    given: dict[str, object] = {}
    if "end" not in table:
        given["end"] = start + timedelta(
            minutes=cast(int, reader.value(int, table.pop("minutes", 60), "minutes"))
        )
    if "days" in table:
        days = timedelta(days=reader.one(int, table.pop("days"), "days"))
        given |= {"end": start + days, "all_day": True}
        table.setdefault("busy", "Free")
    if "foreign_uid" in table:
        given["uid"] = foreign_goid(reader.text(table.pop("foreign_uid"), "foreign_uid"))
    elif "uid" not in table:
        given["uid"] = goid(desk)
    if "zone" not in table:
        given["zone"] = home(desk)
    base = reader.of(Common, table.pop("base", {}), "base")
    return reader.of(Event, table, "", base=desk.dated(base, base.subject), **given)


def _changed(reader: Reading, series: Event, row: object, number: int) -> Changed:
    """Return a changed day: what the table has in place of what the series has on this day."""
    at = f"changed.{number}"
    table = dict(reader.table(row, at))
    if "day" not in table:
        raise reader.case.error(f"{at}.day", "is missing")
    day = reader.one(date, table.pop("day"), f"{at}.day")
    one = series.placed(day)
    base = reader.changed(one.base, table.pop("base", {}), f"{at}.base")
    return Changed(day, reader.changed(replace(one, base=base), table, at))


def reading(case: Case, desk: Desk) -> Reading:
    """Return what makes objects of a case for one desk."""
    return Reading(
        case,
        lambda name, rest: _filled(desk, name, rest),
        {
            Zone: _zone,
            Recurrence: _recurrence,
            Party: lambda reader, value, at: _party(reader, value, at, desk),
            Attachment: lambda reader, value, at: _attachment(reader, value, at, desk),
            "Common.properties": lambda reader, value, at: _properties(reader, value, at, desk),
            "Event.start": Reading.wall_clock,
            "Event.end": Reading.wall_clock,
            "Weekly.weekdays": _weekdays,
            "Weekly.first": lambda reader, value, at: _weekdays(reader, [value], at)[0],
        },
    )


def _filled(desk: Desk, name: str, rest: str) -> str:
    """Return what stands for ${name:rest}.

    Raises:
        KeyError: there is no such place.
    """
    who, _, part = name.partition(".")
    if part:
        person = _person(desk, who)
        return _PARTS[part](person)
    if name == "hex":
        purpose, _, digits = rest.rpartition(",")
        return desk.dice(purpose).hex(int(digits))
    if name == "filler":
        return text("de", desk.dice("text"), int(rest))
    return {"seed": str(desk.seed), "index": str(desk.index)}[name]


_PARTS: dict[str, Callable[[Person], str]] = {
    "name": lambda one: one.name,
    "given": lambda one: one.given,
    "family": lambda one: one.family,
    "address": lambda one: one.address,
    "local": lambda one: one.address.partition("@")[0],
    "proxy": lambda one: one.proxies[-1],
    "legacy_dn": lambda one: one.legacy_dn,
    "imceaex": lambda one: one.imceaex,
}


def _person(desk: Desk, who: str) -> Person:
    """Return the owner, one of the four neighbours, the owner's colleague, or one who has left."""
    if who.startswith("neighbour"):
        return neighbour(desk, int(who.removeprefix("neighbour")))
    if who == "gone":
        return gone(desk.person(0), desk.dice("left"))
    return {"owner": desk.owner, "colleague": desk.colleague}[who]


def _zone(reader: Reading, value: object, at: str) -> Zone:
    """Return a zone by its Windows name, or by the name of one of the practice world's own."""
    name = reader.text(value, at)
    found = ZONES.get(name) or _OWN_ZONES.get(name)
    if found is None:
        raise reader.case.error(at, f"is no zone; there are {', '.join([*ZONES, *_OWN_ZONES])}")
    return found


def _recurrence(reader: Reading, value: object, at: str) -> Recurrence:
    """Return a recurrence: a table with one of the patterns, and until or count."""
    table = dict(reader.table(value, at))
    named_ = [key for key in table if key in _PATTERNS]
    if len(named_) != 1:
        raise reader.case.error(at, f"must have one of {', '.join(_PATTERNS)}")
    pattern: object = reader.of(_PATTERNS[named_[0]], table.pop(named_[0]), f"{at}.{named_[0]}")
    return reader.of(Recurrence, table, at, pattern=cast(Pattern, pattern))


def _weekdays(reader: Reading, value: object, at: str) -> tuple[int, ...]:
    names = reader.texts(value, at)
    if not set(names) <= set(WEEKDAYS):
        raise reader.case.error(at, f"is no weekday; there are {', '.join(WEEKDAYS)}")
    return tuple(map(WEEKDAYS.index, names))


def _party(reader: Reading, value: object, at: str, desk: Desk) -> Party:
    """Return who takes part.

    `who` is a person, in place of name and address; `by` is "dn" or "imceaex", a form of the address.
    """
    table = dict(reader.table(value, at))
    if "who" not in table:
        return reader.of(Party, table, at)
    try:
        person = _person(desk, reader.text(table.pop("who"), f"{at}.who"))
    except (KeyError, ValueError):
        raise reader.case.error(
            f"{at}.who", "is no one; there are owner, neighbour1 to neighbour4, colleague, gone"
        ) from None
    forms = {"address": person.address, "dn": person.legacy_dn, "imceaex": person.imceaex}
    by = reader.word(tuple(forms), table.pop("by", "address"), f"{at}.by")
    routing = {"routing": "EX"} if by == "dn" else {}
    return reader.of(Party, {**routing, **table}, at, name=person.name, address=forms[cast(str, by)])


_FROM = ("text", "file", "base64", "jpeg", "png")


def _attachment(reader: Reading, value: object, at: str, desk: Desk) -> Attachment:
    """Return an attachment: a text, a file of the folder attachments, or a picture of so many pixels."""
    table = dict(reader.table(value, at))
    kinds = [key for key in _FROM if key in table]
    if len(kinds) != 1:
        raise reader.case.error(at, f"must have one of {', '.join(_FROM)}")
    content = _content(reader, kinds[0], table.pop(kinds[0]), f"{at}.{kinds[0]}", table, desk)
    return reader.of(Attachment, table, at, content=content)


def _content(
    reader: Reading, kind: str, value: object, at: str, table: dict[str, object], desk: Desk
) -> bytes:
    """Return the bytes.

    `picture` is what else than the item decides on it; `bytes` is how large it is at least.
    """
    if kind == "text":
        return reader.text(value, at).encode()
    if kind == "file":
        path = DATA / "attachments" / reader.text(value, at)
        if not path.is_file():
            raise reader.case.error(at, "there is no such file in the folder attachments")
        return path.read_bytes()
    if kind == "base64":
        try:
            return base64.b64decode(reader.text(value, at), validate=True)
        except binascii.Error:
            raise reader.case.error(at, "is no base64") from None
    pixels = reader.one(int, value, at)
    key = reader.text(table.pop("picture", desk.key), at)
    if kind == "png":
        return photos.png(key, pixels)
    return photos.jpeg(key, pixels, reader.one(int, table.pop("bytes", 0), at))


@dataclass(frozen=True, slots=True)
class _Property:
    """Hold an extended property: by tag; by set and id; or by name, of a field that a user made.

    Attributes:
        kind: if the type of the value does not decide it.
        random: the value is one binary of so many bytes.
    """

    value: str | bool | int | float | datetime | None = None
    tag: int | None = None
    set: Literal["address", "common", "log", "note", "task"] | None = None
    id: int | None = None
    name: str | None = None
    kind: str | None = None
    random: int | None = None


def _properties(reader: Reading, value: object, at: str, desk: Desk) -> tuple[str, ...]:
    rows = cast(tuple[_Property, ...], reader.value(tuple[_Property, ...], value, at))
    return tuple(_property(reader, one, f"{at}.{n}", desk) for n, one in enumerate(rows))


def _property(reader: Reading, one: _Property, at: str, desk: Desk) -> str:
    if one.tag is not None and one.random is not None:
        return tagged(one.tag, (desk.dice("x509").bytes(one.random),))
    if one.value is None:
        raise reader.case.error(f"{at}.value", "is missing")
    if one.tag is not None:
        return tagged(one.tag, one.value, one.kind)
    if one.set is not None and one.id is not None:
        return named(_SETS[one.set], one.id, one.value, one.kind)
    if one.name is not None:
        return public(one.name, one.value)
    raise reader.case.error(at, "must have a tag, or a set and an id, or a name")
