"""Say what each kind of item becomes, and how two copies of it are compared: the one table the flows ask.

Formats of a Native, by kind (model.kinds.Kind):

mail      "ews-message", "graph-message", "rfc822"   see mappings.mail.mail
calendar  "ews-event", "graph-event"
contacts  "ews-contact"             a Contact or a DistributionList; "graph-contact"
tasks     "ews-task", "graph-task"
notes     "ews-note"
files     "file"                    see mappings.files.file

Records of Graph are JSON; see the mappings that read them into the elements below
(mappings.exchange.elements).

The body of an EWS record is XML, UTF-8: <m:Items> (messages namespace) with the item's own element (types
namespace) as GetItem gave it, and for a series one more <t:CalendarItem> for each modified occurrence, in the
order of their original starts. Its properties: ItemClass: str; Attachments: Mapping of AttachmentId to Body,
the content of each file attachment, and the message bytes (.eml), VCALENDAR or VCARD of each item attachment.
An attachment that could not be read is missing from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from mappings.calendar import event, task
from mappings.compare.semantic_digest import (
    calendar_differing,
    calendar_digest,
    card_differing,
    card_digest,
    card_tolerant,
    task_tolerant,
)
from mappings.compare.shared_meeting import shared
from mappings.contacts import contact
from mappings.fields.context import Context
from mappings.fields.flags import DRAFT
from mappings.files import file
from mappings.mail import mail
from mappings.mail.digest import canonical, tolerant
from mappings.notes import note
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Mapped, Native

Shared = Callable[[BinaryIO, BinaryIO, datetime, frozenset[str]], tuple[Loss, ...] | None]
Dated = tuple[datetime | None, tuple[Loss, ...]]
Flags = tuple[frozenset[str], tuple[tuple[str, str], ...], tuple[Loss, ...]]


@dataclass(frozen=True, slots=True)
class ItemForm:
    """Describe one kind of item. All functions are pure.

    Attributes:
        skip: returns a code why a record does not move by rule; None if it moves.
        map: maps a record; raises Rejected for a record that cannot move.
        digest: returns what a body at the target means: equal digests, equal meaning. The moment is
            Context.began.
        tolerant: as `digest`, but equal for two renderings of one source record.
        unsent: as `tolerant`, of an item that nobody sent yet (names.DRAFT). The attribute itself is None if
            no item of this kind is sent.
        differing: returns the names of the fields in which two bodies differ, safe to show.
        flags: returns flags, labels and losses of a record without its body; None if everything is in the
            body.
        shared: returns what is lost if the second body, somebody else's, stands for the first, whose owner
            has these addresses; None if it cannot. The attribute itself is None if no object of this kind
            stands for another's.
        date: returns the date of a record, and what is lost of it. The attribute itself is None if a target
            keeps no date beside the body.
        date_inside: True if the record must be read with its body to know its date.
    """

    skip: Callable[[Native], str | None]
    map: Callable[[Native, Context], Mapped]
    digest: Callable[[BinaryIO, datetime], bytes]
    tolerant: Callable[[BinaryIO, datetime], bytes]
    differing: Callable[[BinaryIO, BinaryIO, datetime], tuple[str, ...]]
    flags: Callable[[Native, Capabilities], Flags] | None = None
    shared: Shared | None = None
    date: Callable[[Native, Context], Dated] | None = None
    date_inside: bool = False
    unsent: Callable[[BinaryIO], bytes] | None = None

    def meaning(self, stream: BinaryIO, moment: datetime, flags: Collection[str]) -> bytes:
        """Return the tolerant digest of a body.

        Args:
            stream: the body.
            moment: Context.began.
            flags: the item's flags.
        """
        if self.unsent is not None and DRAFT in flags:
            return self.unsent(stream)
        return self.tolerant(stream, moment)


def _mail_date(native: Native, context: Context) -> Dated:
    return mail.date_of(native, context.target, context.read_at)


def _map_mail(native: Native, context: Context) -> Mapped:
    return mail.map_mail(native, context.target, context.read_at)


def _mail_digest(stream: BinaryIO, _not_after: datetime) -> bytes:
    return canonical(stream).digest


def _mail_tolerant(stream: BinaryIO, _not_after: datetime) -> bytes:
    return tolerant(stream)


def _unsent(stream: BinaryIO) -> bytes:
    return tolerant(stream, unsent=True)


def _body(_one: BinaryIO, _other: BinaryIO, _not_after: datetime) -> tuple[str, ...]:
    return ("body",)


FORMS: Mapping[Kind, ItemForm] = {
    Kind.MAIL: ItemForm(
        mail.skip_reason,
        _map_mail,
        _mail_digest,
        _mail_tolerant,
        _body,
        mail.flags_of,
        date=_mail_date,
        unsent=_unsent,
    ),
    Kind.CALENDAR: ItemForm(
        event.skip_event,
        event.map_event,
        calendar_digest,
        calendar_digest,
        calendar_differing,
        shared=shared,
    ),
    Kind.CONTACTS: ItemForm(
        contact.skip_contact, contact.map_contact, card_digest, card_tolerant, card_differing
    ),
    Kind.TASKS: ItemForm(task.skip_task, task.map_task, calendar_digest, task_tolerant, calendar_differing),
    Kind.NOTES: ItemForm(
        note.skip_note,
        note.map_note,
        _mail_digest,
        _mail_tolerant,
        _body,
        date=note.date_of,
        date_inside=True,
    ),
    Kind.FILES: ItemForm(
        file.skip_file,
        file.map_file,
        file.file_digest,
        file.file_digest,
        file.file_differing,
        date=file.date_of,
    ),
}
