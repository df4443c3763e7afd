"""Show an item that is no mail as a letter, for listings and as MIME."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP

from practice.mail.letters import Correspondent, Letter, correspondent
from practice.world.messages import UNMARKED, Message
from practice.world.people import Person
from practice.world.records import Record, Renders

_ITEM_BYTES = 420
MESSAGE = "message/rfc822"


def message_of(record: Record, owner: Person, seed: str) -> Message:
    """Return a new item of this content, in no folder yet."""
    item = Message("record", seed, by_owner=True)
    dress(item, record, owner)
    return item


def dress(item: Message, record: Record, owner: Person) -> None:
    """Give an item this content in place of what it had."""
    common = record.common
    item.record = record
    item.made = _letter(record, correspondent(owner))
    item.marks = replace(item.marks, categories=common.categories, importance=common.importance)
    if item.marks == UNMARKED:
        item.marks = UNMARKED


def _letter(record: Record, owner: Correspondent) -> Letter:
    common = record.common
    bytes_ = sum(len(each.content) for each in common.attachments)
    return Letter(
        subject=common.subject,
        sender=owner,
        to=(),
        sent=common.created,
        received=common.created,
        write=lambda _: (rendered(record)[1],),
        size=_ITEM_BYTES + len(common.subject) + len(common.body) + bytes_,
        item_class=record.item_class,
        has_attachments=any(not each.inline for each in common.attachments),
        words=lambda: common.body,
        attachments=lambda: common.attachments,
    )


def rendered(record: Record) -> tuple[str, bytes]:
    """Return content type and MimeContent: what the record's own kind has, else a message of its text."""
    if isinstance(record, Renders):
        return record.mime()
    message = EmailMessage(policy=SMTP)
    message["Subject"] = " ".join(record.common.subject.split())
    message.set_content(record.common.body, subtype="html" if record.common.html else "plain")
    return MESSAGE, message.as_bytes()
