"""Say what each record becomes, and how two copies of an item are compared: the two tables the flows ask.

FORMS has a line for each format of a Native, by kind (model.kinds.Kind):

mail      "ews-message", "graph-message", "rfc822"   see mappings.mail.mail
calendar  "ews-event", "graph-event"
          "icalendar"               a VCALENDAR with the VEVENTs of one UID; see mappings.from_ical.event
contacts  "ews-contact"             a Contact or a DistributionList; "graph-contact"
          "vcard"                   see mappings.from_ical.card
tasks     "ews-task", "graph-task"
          "icalendar"               a VCALENDAR with the VTODOs of one UID; see mappings.from_ical.task
notes     "ews-note"
files     "file"                    see mappings.files.file
settings  "ews-rule", "graph-rule"  see mappings.rules.rule_item
          "ews-reply", "graph-reply"  see mappings.rules.reply_item
permissions  "ews-right", "graph-right"  see mappings.rights.right_item

A source that comes later has a format of its own, and a line of its own in FORMS. Records of Graph are JSON;
see the mappings that read them into the elements below (mappings.exchange.elements).

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
from mappings.exchange import elements
from mappings.fields.context import Context
from mappings.fields.flags import DRAFT
from mappings.files import file
from mappings.fit.card import fit_card
from mappings.fit.event import fit_event
from mappings.fit.task import fit_task
from mappings.from_ical import card, item
from mappings.from_ical import event as ical_event
from mappings.from_ical import task as ical_task
from mappings.mail import mail
from mappings.mail.digest import canonical, tolerant
from mappings.notes import note
from mappings.rights import right_item
from mappings.rights.ews_right import ews_right
from mappings.rights.graph_right import graph_right
from mappings.rules import reply_item, rule_item
from mappings.rules.ews_reply import ews_reply
from mappings.rules.graph_reply import graph_reply
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Mapped, Native, key_of

Shared = Callable[[BinaryIO, BinaryIO, datetime, frozenset[str]], tuple[Loss, ...] | None]
Dated = tuple[datetime | None, tuple[Loss, ...]]
Flags = tuple[frozenset[str], tuple[tuple[str, str], ...], tuple[Loss, ...]]


@dataclass(frozen=True, slots=True)
class RecordForm:
    """Describe the records of one format. All functions are pure.

    Attributes:
        skip: returns a code why a record does not move by rule; None if it moves.
        map: maps a record; raises Rejected for a record that cannot move.
        title: returns what its owner calls it, for a screen; "" if it has no title. It raises Rejected for a
            record that cannot be read.
        flags: returns flags, labels and losses of a record without its body; None if everything is in the
            body.
        date: returns the date of a record, and what is lost of it; None if a target keeps no date beside the
            body.
    """

    skip: Callable[[Native], str | None]
    map: Callable[[Native, Context], Mapped]
    title: Callable[[Native], str]
    flags: Callable[[Native, Capabilities], Flags] | None = None
    date: Callable[[Native, Context], Dated] | None = None


@dataclass(frozen=True, slots=True)
class ItemForm:
    """Describe one kind of item, whatever the format of its record. All functions are pure.

    Attributes:
        kind: of the items.
        digest: returns what a body at the target means: equal digests, equal meaning. The moment is
            Context.began.
        tolerant: as `digest`, but equal for two renderings of one source record.
        differing: returns the names of the fields in which two bodies differ, safe to show.
        shared: returns what is lost if the second body, somebody else's, stands for the first, whose owner
            has these addresses; None if it cannot. The attribute itself is None if no object of this kind
            stands for another's.
        flagged: True if flags and labels stand beside the body.
        dated: True if a target keeps a date beside the body.
        date_inside: True if the record must be read with its body to know its date.
        unsent: as `tolerant`, of an item that nobody sent yet (names.DRAFT). The attribute itself is None if
            no item of this kind is sent.
    """

    kind: Kind
    digest: Callable[[BinaryIO, datetime], bytes]
    tolerant: Callable[[BinaryIO, datetime], bytes]
    differing: Callable[[BinaryIO, BinaryIO, datetime], tuple[str, ...]]
    shared: Shared | None = None
    flagged: bool = False
    dated: bool = False
    date_inside: bool = False
    unsent: Callable[[BinaryIO], bytes] | None = None

    def skip(self, native: Native) -> str | None:
        """Return a code why a record does not move by rule; None if it moves or has an unknown format."""
        form = FORMS.get((self.kind, native.format))
        return None if form is None else form.skip(native)

    def map(self, native: Native, context: Context) -> Mapped:
        """Map a record.

        Raises:
            Rejected: "unknown-format", and what the mapping of its format raises.
        """
        return self._form(native).map(native, context)

    def title(self, native: Native) -> str:
        """Return what its owner calls a record, for a screen; "" if it has no title.

        Raises:
            Rejected: it cannot be read.
        """
        return self._form(native).title(native)

    def flags(self, native: Native, target: Capabilities) -> Flags:
        """Return flags, labels and losses of a record without its body; nothing if everything is in the body.

        Raises:
            Rejected: "unknown-format", and what the mapping of its format raises.
        """
        form = self._form(native)
        return (frozenset(), (), ()) if form.flags is None else form.flags(native, target)

    def date(self, native: Native, context: Context) -> Dated:
        """Return the date of a record, and what is lost of it; None if a target keeps none beside the body.

        Raises:
            Rejected: "unknown-format", and what the mapping of its format raises.
        """
        form = self._form(native)
        return (None, ()) if form.date is None else form.date(native, context)

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

    def _form(self, native: Native) -> RecordForm:
        form = FORMS.get((self.kind, native.format))
        if form is None:
            raise Rejected("unknown-format", "no mapping for this kind of record")
        return form


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


def map_event(native: Native, context: Context) -> Mapped:
    """Map an event or a series, with its losses: what was read is fitted to the target.

    Raises:
        Rejected: what mappings.calendar.event.read_event and mappings.fit.event.fit_event raise.
    """
    return fit_event(event.read_event(native, context), context)


def map_task(native: Native, context: Context) -> Mapped:
    """Map a task, with its losses: what was read is fitted to the target.

    Raises:
        Rejected: what mappings.calendar.task.read_task and mappings.fit.task.fit_task raise.
    """
    return fit_task(task.read_task(native, context), context)


def map_contact(native: Native, context: Context) -> Mapped:
    """Map a contact or a distribution list, with its losses: what was read is fitted to the target.

    Raises:
        Rejected: what mappings.contacts.contact.read_contact and mappings.fit.card.fit_card raise.
    """
    return fit_card(contact.read_contact(native, context), key_of(native.ref.id), context)


def _map_card(native: Native, context: Context) -> Mapped:
    return fit_card(card.read_contact(native, context), key_of(native.ref.id), context)


def _map_ical_event(native: Native, context: Context) -> Mapped:
    return fit_event(ical_event.read_event(native, context), context)


def _map_ical_task(native: Native, context: Context) -> Mapped:
    return fit_task(ical_task.read_task(native, context), context)


def _event_title(native: Native) -> str:
    return elements.title(Kind.CALENDAR, native)


def _contact_title(native: Native) -> str:
    return elements.title(Kind.CONTACTS, native)


def _task_title(native: Native) -> str:
    return elements.title(Kind.TASKS, native)


def _note_title(native: Native) -> str:
    return elements.title(Kind.NOTES, native)


_MAIL = RecordForm(mail.skip_reason, _map_mail, mail.title_of, mail.flags_of, _mail_date)
_EVENT = RecordForm(event.skip_event, map_event, _event_title)
_CONTACT = RecordForm(contact.skip_contact, map_contact, _contact_title)
_TASK = RecordForm(task.skip_task, map_task, _task_title)
_EWS_RIGHT = RecordForm(right_item.skip_right, right_item.mapped_by(ews_right), right_item.title_of)
_GRAPH_RIGHT = RecordForm(right_item.skip_right, right_item.mapped_by(graph_right), right_item.title_of)
_EWS_REPLY = RecordForm(reply_item.skip_reply, reply_item.mapped_by(ews_reply), reply_item.title_of)
_GRAPH_REPLY = RecordForm(reply_item.skip_reply, reply_item.mapped_by(graph_reply), reply_item.title_of)
_RULE = RecordForm(rule_item.skip_rule, rule_item.map_rule, rule_item.title_of)

FORMS: Mapping[tuple[Kind, str], RecordForm] = {
    (Kind.MAIL, "ews-message"): _MAIL,
    (Kind.MAIL, "graph-message"): _MAIL,
    (Kind.MAIL, "rfc822"): _MAIL,
    (Kind.CALENDAR, "ews-event"): _EVENT,
    (Kind.CALENDAR, "graph-event"): _EVENT,
    (Kind.CALENDAR, "icalendar"): RecordForm(ical_event.skip_event, _map_ical_event, item.title_of),
    (Kind.CONTACTS, "ews-contact"): _CONTACT,
    (Kind.CONTACTS, "graph-contact"): _CONTACT,
    (Kind.CONTACTS, "vcard"): RecordForm(card.skip_card, _map_card, card.title_of),
    (Kind.TASKS, "ews-task"): _TASK,
    (Kind.TASKS, "graph-task"): _TASK,
    (Kind.TASKS, "icalendar"): RecordForm(ical_task.skip_task, _map_ical_task, item.title_of),
    (Kind.NOTES, "ews-note"): RecordForm(note.skip_note, note.map_note, _note_title, date=note.date_of),
    (Kind.FILES, "file"): RecordForm(file.skip_file, file.map_file, file.title_of, date=file.date_of),
    (Kind.SETTINGS, "ews-rule"): _RULE,
    (Kind.SETTINGS, "graph-rule"): _RULE,
    (Kind.SETTINGS, "ews-reply"): _EWS_REPLY,
    (Kind.SETTINGS, "graph-reply"): _GRAPH_REPLY,
    (Kind.PERMISSIONS, "ews-right"): _EWS_RIGHT,
    (Kind.PERMISSIONS, "graph-right"): _GRAPH_RIGHT,
}
"""By the kind of the item and the format of its record (Native.format)."""

ITEM_FORMS: Mapping[Kind, ItemForm] = {
    Kind.MAIL: ItemForm(
        Kind.MAIL, _mail_digest, _mail_tolerant, _body, flagged=True, dated=True, unsent=_unsent
    ),
    Kind.CALENDAR: ItemForm(
        Kind.CALENDAR, calendar_digest, calendar_digest, calendar_differing, shared=shared
    ),
    Kind.CONTACTS: ItemForm(Kind.CONTACTS, card_digest, card_tolerant, card_differing),
    Kind.TASKS: ItemForm(Kind.TASKS, calendar_digest, task_tolerant, calendar_differing),
    Kind.NOTES: ItemForm(Kind.NOTES, _mail_digest, _mail_tolerant, _body, dated=True, date_inside=True),
    Kind.FILES: ItemForm(Kind.FILES, file.file_digest, file.file_digest, file.file_differing, dated=True),
    Kind.SETTINGS: ItemForm(
        Kind.SETTINGS, rule_item.rule_digest, rule_item.rule_digest, rule_item.rule_differing
    ),
    Kind.PERMISSIONS: ItemForm(
        Kind.PERMISSIONS, right_item.right_digest, right_item.right_digest, right_item.right_differing
    ),
}
