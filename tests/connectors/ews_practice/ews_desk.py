"""A practice mailbox with appointments, contacts, tasks and notes, and what a source must make of them."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from lxml import etree
from made_events import occurrences, whole_days

from connectors.ews.source import EwsSource
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Ref, key_of
from practice.calendar.appointments import Changed, Event
from practice.calendar.event_desk import timed
from practice.calendar.series import Daily, MonthlyOn, Recurrence, Weekly
from practice.calendar.timezones import NEW_YORK
from practice.contacts.cards_made import sample_cards
from practice.contacts.groups import sample_groups
from practice.mail.letters import Attachment
from practice.tasks.notes import sample_stickies
from practice.tasks.tasks import sample_chores
from practice.world.desk import Desk
from practice.world.folders import Folder
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.records import Common, Record

T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
KINDS = {
    Kind.CALENDAR: "calendar",
    Kind.CONTACTS: "contacts",
    Kind.TASKS: "tasks",
    Kind.NOTES: "notes",
}
START = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2030, 1, 1, tzinfo=UTC)
_PLAN = Attachment("plan.bin", "application/octet-stream", bytes(range(256)) * 800)
_LOCKED = Attachment("zu.bin", "application/octet-stream", b"x", unreadable=True)
_LOST = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")  # what the practice Exchange leaves out of its XML
_MAIL = Attachment(
    "Angebot", "message/rfc822", b"Subject: Angebot\r\n\r\nIm Anhang.\r\n", item_class="IPM.Note"
)


def fill(mailbox: Mailbox, count: int = 12) -> None:
    """Puts records into the default folders; contacts before the lists that name them."""
    cards = sample_cards(mailbox.seed, mailbox.owner.index, count)
    groups = sample_groups(mailbox.seed, mailbox.owner.index, cards)
    put(mailbox, "calendar", events(mailbox))
    put(mailbox, "contacts", [*cards, *groups])
    put(mailbox, "tasks", sample_chores(mailbox.seed, mailbox.owner.index, count))
    put(mailbox, "notes", sample_stickies(mailbox.seed, mailbox.owner.index, count))


def put(mailbox: Mailbox, role: str, records: Sequence[Record]) -> None:
    folder = mailbox.distinguished(role)
    for record in records:
        mailbox.put(folder, record)


def events(mailbox: Mailbox) -> list[Record]:
    desk = Desk(mailbox.seed, mailbox.owner.index, "c")
    base = Common(body="<p>Gr&uuml;&szlig;e</p>", html=True, attachments=(_PLAN, _LOCKED, _MAIL))
    return [
        named(timed(desk, "Einzeln", datetime(2024, 3, 5, 9), base=base), "u1"),
        named(whole_days(desk, "Ganztags", date(2024, 5, 1), 2), "u2"),
        named(weekly(desk), "u3"),
        named(replace(timed(desk, "Endlos", datetime(2021, 1, 4, 18)), recurrence=Recurrence(Daily())), "u4"),
        named(monthly(desk), "u5"),
    ]


def named(event: Event, uid: str) -> Event:
    return replace(event, uid=uid)


def weekly(desk: Desk) -> Event:
    """Over both changes of the clocks, with two changed dates, in no order, and a deleted one."""
    start = datetime(2024, 2, 6, 10)
    event = timed(desk, "Wöchentlich", start, zone=NEW_YORK, base=Common(body="Text", attachments=(_MAIL,)))
    base = Common(subject="Verlegt", body="Anders", attachments=(_PLAN,))
    moved = replace(
        event, base=base, start=start + timedelta(days=29), end=start + timedelta(days=29, hours=2)
    )
    late = replace(
        event, location="Saal 2", start=start + timedelta(days=14), end=start + timedelta(days=14, hours=1)
    )
    return replace(
        event,
        recurrence=Recurrence(Weekly((1,)), count=60),
        changed=(Changed(date(2024, 3, 5), moved), Changed(date(2024, 2, 20), late)),
        deleted=(date(2024, 2, 27),),
    )


def monthly(desk: Desk) -> Event:
    event = timed(desk, "Monatlich", datetime(2022, 1, 11, 8))
    return replace(
        event,
        recurrence=Recurrence(MonthlyOn("Tuesday", "Second"), until=date(2023, 1, 1)),
        changed=(Changed(date(2022, 3, 8), replace(event, busy="OOF")),),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says, in as far as every kind has it: of each element its subject and its plain text, and
    its readable attachments."""

    class_: str
    version: str
    subjects: tuple[str, ...]
    texts: tuple[str, ...]
    contents: tuple[bytes, ...]


def truth(mailbox: Mailbox, role: str) -> dict[str, Said]:
    """By item id, by the world's own word."""
    return held(mailbox.distinguished(role))


def held(folder: Folder) -> dict[str, Said]:
    return {item.id: _true(item) for item in folder.items}


def _true(item: Message) -> Said:
    record = item.record
    assert record is not None
    parts = [record]
    if isinstance(record, Event):
        parts += [each.event for each in sorted(record.changed, key=lambda each: each.day)]
    return Said(
        class_=record.item_class,
        version=item.change_key,
        subjects=tuple(_LOST.sub("", part.common.subject) for part in parts),
        texts=tuple(_words(part.common.body) for part in parts),
        contents=tuple(a.content for p in parts for a in p.common.attachments if not a.unreadable),
    )


def said(native: Native) -> Said:
    assert native.body is not None
    with native.body() as stream:
        elements = list(etree.fromstring(stream.read()))
    held = native.properties["Attachments"]
    assert isinstance(held, dict)
    ids = [str(one.get("Id")) for e in elements for one in e.iterfind(f"{T}Attachments/*/{T}AttachmentId")]
    return Said(
        class_=str(native.properties["ItemClass"]),
        version=native.ref.version,
        subjects=tuple(one.findtext(T + "Subject") or "" for one in elements),
        texts=tuple(_words(one.findtext(T + "Body") or "") for one in elements),
        contents=tuple(held[id_]().read() for id_ in ids if id_ in held),
    )


def _words(text: str) -> str:
    """Without tags, references and spacing."""
    return "".join(html.unescape(re.sub(r"<[^>]*>", " ", _LOST.sub("", text))).split())


def container(source: EwsSource, kind: Kind) -> Container:
    """The default one of its kind."""
    return next(one for one in source.containers() if one.role is not None and one.role.value == kind.value)


def listed(source: EwsSource, box: Container) -> list[Ref]:
    return [ref for page in source.changes(box, None) for ref in page.refs]


def told(source: EwsSource, kind: Kind) -> dict[str, Said | str]:
    """What the source gives of every item, or the code it failed with."""
    return given(source, container(source, kind))


def given(source: EwsSource, box: Container) -> dict[str, Said | str]:
    refs = listed(source, box)
    return dict(outcomes(source.fetch(box, refs), refs))


def outcomes(results: Iterator[Native | Failed], refs: Sequence[Ref]) -> Iterator[tuple[str, Said | str]]:
    ids = {key_of(ref.id): ref.id for ref in refs}
    for one in results:
        key = one.key if isinstance(one, Failed) else key_of(one.ref.id)
        yield ids.pop(key), one.error.code if isinstance(one, Failed) else said(one)
    assert not ids


def expanded(folder: Folder) -> Counter[tuple[str, datetime, datetime]]:
    """Every occurrence in a calendar, by the world's own arithmetic."""
    found: Counter[tuple[str, datetime, datetime]] = Counter()
    for item in folder.items:
        if isinstance(item.record, Event) and item.record.item_class.startswith("IPM.Appointment"):
            found.update((item.record.uid, *when) for when in occurrences(item.record, START, END))
    return found
