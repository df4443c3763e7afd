"""Items to write to any target, and what is found there. What an item looks like is its bench's affair."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

import pytest

from mappings.compare.semantic_digest import calendar_digest, card_digest
from mappings.mail.digest import canonical
from model.kinds import Kind
from model.optional_protocols import LooksUp
from model.protocols import Container, Item, Listed, Native, Role, Stored, Target, key_of

WHEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
SEEN = frozenset({"\\Seen"})
NONE: frozenset[str] = frozenset()


class Goods(Protocol):
    """The items of one kind. flags: what a new item has. role, default: the container every account has.
    large: bytes of an item that no connector holds in memory."""

    kind: Kind
    large: int
    flags: frozenset[str]
    role: Role
    default: str

    def path(self, *names: str) -> tuple[str, ...]:
        """names as this kind's targets can hold them."""
        ...

    def raw(self, number: int, size: int = 300) -> bytes: ...

    def digest(self, raw: bytes) -> bytes: ...

    def item(self, number: int, raw: bytes | None = None, flags: frozenset[str] | None = None) -> Item: ...

    def container(self, *names: str, role: Role | None = None) -> Container: ...


@dataclass(frozen=True)
class Mails:
    kind = Kind.MAIL
    large = 3_000_000
    flags = SEEN
    role = Role.INBOX
    default = "INBOX"

    def path(self, *names: str) -> tuple[str, ...]:
        return names

    def raw(self, number: int, size: int = 300) -> bytes:
        return mail(number, size)

    def digest(self, raw: bytes) -> bytes:
        return canonical(io.BytesIO(raw)).digest

    def item(self, number: int, raw: bytes | None = None, flags: frozenset[str] | None = None) -> Item:
        return item(number, raw, SEEN if flags is None else flags)

    def container(self, *names: str, role: Role | None = None) -> Container:
        return container(*names, role=role)


@dataclass(frozen=True)
class Objects:
    """iCalendar objects or vCards: each has a UID, and there are no flags."""

    kind: Kind
    role: Role
    default: str
    template: str
    meaning: Callable[[BinaryIO, datetime], bytes]
    large = 900_000
    flags = NONE

    def path(self, *names: str) -> tuple[str, ...]:
        return (" - ".join(names),)

    def raw(self, number: int, size: int = 300) -> bytes:
        text = "abcdefghijklmnopqrstuvwxyz " * max(1, (size - 300) // 27)
        folded = "\r\n ".join(text[at : at + 70] for at in range(0, len(text), 70))
        return (
            self.template.format(number=number, text=folded.rstrip())
            .replace("\r", "")
            .replace("\n", "\r\n")
            .encode()
        )

    def digest(self, raw: bytes) -> bytes:
        return self.meaning(io.BytesIO(raw), WHEN)

    def item(self, number: int, raw: bytes | None = None, flags: frozenset[str] | None = None) -> Item:
        data = self.raw(number) if raw is None else raw
        return Item(
            kind=self.kind,
            key=key_of(f"item-{number}"),
            digest=self.digest(data) if data else b"",
            size=len(data),
            body=lambda: io.BytesIO(data),
            uid=f"{number}@example.org",
        )

    def container(self, *names: str, role: Role | None = None) -> Container:
        return Container(self.kind, f"source-{names}", self.path(*names), role)


@dataclass(frozen=True)
class Files:
    kind = Kind.FILES
    large = 3_000_000
    flags = NONE
    role = Role.FILES
    default = ""

    def path(self, *names: str) -> tuple[str, ...]:
        return names if names == ("",) else ("", *names)

    def raw(self, number: int, size: int = 300) -> bytes:
        return f"{number} ".encode() * (size // len(f"{number} "))

    def digest(self, raw: bytes) -> bytes:
        return hashlib.sha256(raw).digest()

    def item(self, number: int, raw: bytes | None = None, flags: frozenset[str] | None = None) -> Item:
        data = self.raw(number) if raw is None else raw
        return Item(
            kind=self.kind,
            key=key_of(f"item-{number}"),
            digest=self.digest(data),
            size=len(data),
            body=lambda: io.BytesIO(data),
            flags=NONE if flags is None else flags,
            date=WHEN,
            name=f"Größe {number}.bin",
        )

    def container(self, *names: str, role: Role | None = None) -> Container:
        return Container(self.kind, f"source-{names}", self.path(*names), role)


EVENT = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Conformance//EN
BEGIN:VEVENT
UID:{number}@example.org
DTSTAMP:20210304T050607Z
DTSTART:20210304T050607Z
DTEND:20210304T060607Z
SUMMARY:Number {number}
DESCRIPTION:{text}
END:VEVENT
END:VCALENDAR
"""
PLAIN = EVENT.replace("UID:{number}@example.org\n", "")
TASK = EVENT.replace("VEVENT", "VTODO").replace("DTEND", "DUE")
CARD = """\
BEGIN:VCARD
VERSION:3.0
UID:{number}@example.org
N:Number {number};Anna;;;
FN:Anna Number {number}
NOTE:{text}
END:VCARD
"""


@dataclass(frozen=True)
class Trimmed(Objects):
    """With texts that a server keeps whole which cuts them at 65,535 characters."""

    large = 50_000


@dataclass(frozen=True)
class TrimmedTasks(Trimmed):
    """With the UIDs that the mapping makes of keys."""

    def raw(self, number: int, size: int = 300) -> bytes:
        return Objects.raw(self, number, size).replace(
            b"UID:%d@example.org" % number, b"UID:" + self._uid(number)
        )

    def item(self, number: int, raw: bytes | None = None, flags: frozenset[str] | None = None) -> Item:
        return replace(Objects.item(self, number, raw, flags), uid=self._uid(number).decode())

    def _uid(self, number: int) -> bytes:
        return f"kogge-{key_of(f'item-{number}').hex()}".encode()


RECURRING = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Conformance//EN
BEGIN:VTODO
UID:{number}@example.org
DTSTAMP:20210304T050607Z
DTSTART;VALUE=DATE:20210304
DUE;VALUE=DATE:20210305
RRULE:FREQ=WEEKLY;BYDAY=TH
SUMMARY:Number {number}
DESCRIPTION:{text}
END:VTODO
END:VCALENDAR
"""


@dataclass(frozen=True)
class Lists(TrimmedTasks):
    """Distribution lists, which keep their name and their members alone."""

    def raw(self, number: int, size: int = 300) -> bytes:
        members = (f"m{one}@members.example" for one in range(max(1, (size - 200) // 70)))
        lines = [f"X-ADDRESSBOOKSERVER-MEMBER;X-CN=M {one}:mailto:{one}" for one in members]
        head = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{self._uid(number).decode()}", f"FN:Number {number}"]
        kind = [f"N:Number {number};;;;", "X-ADDRESSBOOKSERVER-KIND:group"]
        return "\r\n".join([*head, *kind, *lines, "END:VCARD", ""]).encode()


@dataclass(frozen=True)
class Events(Objects):
    """As much of events as a server keeps that holds no iCalendar objects."""

    large = 50_000

    def item(self, number: int, raw: bytes | None = None, flags: frozenset[str] | None = None) -> Item:
        return replace(Objects.item(self, number, raw, flags), uid=None)


MAILS = Mails()
FILES = Files()
EVENTS = Objects(Kind.CALENDAR, Role.CALENDAR, "Kalender", EVENT, calendar_digest)
TASKS = Objects(Kind.TASKS, Role.TASKS, "Aufgaben", TASK, calendar_digest)
AGENDA = Events(Kind.CALENDAR, Role.CALENDAR, "agenda", PLAIN, calendar_digest)
CARDS = Objects(Kind.CONTACTS, Role.CONTACTS, "Kontakte", CARD, card_digest)


SUITE_EVENTS = Trimmed(Kind.CALENDAR, Role.CALENDAR, "Kalender", EVENT, calendar_digest)
SUITE_TASKS = TrimmedTasks(Kind.TASKS, Role.TASKS, "Tasks", TASK, calendar_digest)
SUITE_SERIES = TrimmedTasks(Kind.TASKS, Role.TASKS, "Tasks", RECURRING, calendar_digest)
SUITE_LISTS = Lists(Kind.CONTACTS, Role.CONTACTS, "Contacts", "", card_digest)
SUITE_CARDS = Trimmed(Kind.CONTACTS, Role.CONTACTS, "Contacts", CARD, card_digest)


def container(*path: str, role: Role | None = None) -> Container:
    return Container(Kind.MAIL, f"source-{path}", path, role)


def mail(number: int, size: int = 300) -> bytes:
    head = (
        f"From: anna@example.org\r\nSubject: {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n".encode()
    )
    return head + b"abcdefghijklmnopqrstuvwxyz\r\n" * max(1, (size - len(head)) // 28)


def item(number: int, raw: bytes | None = None, flags: frozenset[str] = SEEN) -> Item:
    data = mail(number) if raw is None else raw
    digested = canonical(io.BytesIO(data))
    return Item(
        kind=Kind.MAIL,
        key=key_of(f"item-{number}"),
        digest=digested.digest,
        size=digested.size,
        body=lambda: io.BytesIO(data),
        flags=flags,
        date=WHEN,
    )


def only_messages(target: Target, why: str) -> None:
    """Skips what only a message has."""
    if Kind.MAIL not in target.capabilities.kinds:
        pytest.skip(why)


def ordered(target: Target, href: str) -> None:
    """Skips what needs hrefs with an order."""
    if target.position(href) == ":0":
        pytest.skip("hrefs have no order here")


def several(target: Target) -> None:
    """Skips what needs more than one container."""
    if target.capabilities.events is not None:
        pytest.skip("one calendar takes everything here")


def there(target: Target, href: str, since: str | None = None) -> list[Listed]:
    """What a container holds of these tests' items: listed, or found by name where listings are partial."""
    listed = list(target.listing(href, since))
    if not target.capabilities.lists_partly:
        return listed
    assert isinstance(target, LooksUp)
    names = {str(target.place(key_of(f"item-{number}"))) for number in range(20)}
    return [*listed, *target.look_up(href, names - {one.href for one in listed})]


def written(target: Target, href: str, items: list[Item]) -> dict[bytes, Stored]:
    results = list(target.write(href, items))
    assert len(results) == len(items), "one result for each item"
    stored = {result.key: result for result in results if isinstance(result, Stored)}
    assert stored.keys() == {one.key for one in items}
    assert len({one.href for one in stored.values()}) == len(items)
    return stored


def digests(goods: Goods, target: Target, href: str, hrefs: list[str]) -> dict[str, bytes]:
    found = {}
    for one, result in target.read(href, hrefs):
        assert isinstance(result, Native), result
        assert result.body is not None
        with result.body() as stream:
            found[one] = goods.digest(stream.read())
    return found
