"""Journal entries (IPM.Activity), served as messages: what a migration must count and skip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from practice.contacts.cards import PLAIN
from practice.mail.letters import Attachment, moment
from practice.world.desk import Desk
from practice.world.record_elements import LOG, named
from practice.world.records import Common, Element, Record

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

KINDS = ("Phone call", "Microsoft Word", "E-mail Message", "Meeting", "Task")


@dataclass(frozen=True, slots=True)
class Activity:
    """Hold a journal entry: kind, start and duration are extended properties."""

    key: str
    common: Common = PLAIN
    item_class: str = "IPM.Activity"

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:  # noqa: ARG002
        """Return no elements: a journal entry has none of its own."""
        return ()


def sample_journal(seed: int, index: int, count: int) -> list[Record]:
    """Return `count` entries of a mailbox: kinds in turn, some with the document that they are about."""
    return [_entry(Desk(seed, index, f"journal/{n}"), KINDS[(n + index) % len(KINDS)]) for n in range(count)]


def _entry(desk: Desk, kind: str) -> Activity:
    dice = desk.dice("entry")
    start, minutes = moment(dice), dice.below(240)
    properties = (
        named(LOG, 0x8700, kind),
        named(LOG, 0x8706, start),
        named(LOG, 0x8707, minutes),
        named(LOG, 0x8708, start + timedelta(minutes=minutes)),
        named(LOG, 0x8712, kind),
    )
    link = Attachment("Angebot.docx.lnk", "application/octet-stream", dice.bytes(200))
    attachments = (link,) if kind == "Microsoft Word" else ()
    common = Common(body=f"{kind}\r\n{minutes} min", attachments=attachments, properties=properties)
    return Activity(desk.key, desk.dated(common, f"{kind}: {desk.colleague.name}"))
