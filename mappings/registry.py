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
          "ews-hours", "graph-hours"  see mappings.hours.hours_item
          "ews-reply", "graph-reply"  see mappings.rules.reply_item
permissions  "ews-right", "graph-right", "listed-right"  see mappings.rights.right_item

A source that comes later has a format of its own, and a line of its own in FORMS. Records of Graph are JSON;
see the mappings that read them into the elements below (mappings.exchange.elements).

The body of an EWS record is XML, UTF-8: <m:Items> (messages namespace) with the item's own element (types
namespace) as GetItem gave it, and for a series one more <t:CalendarItem> for each modified occurrence, in the
order of their original starts. Its properties: ItemClass: str; Attachments: Mapping of AttachmentId to Body,
the content of each file attachment, and the message bytes (.eml), VCALENDAR or VCARD of each item attachment.
An attachment that could not be read is missing from it.

What maps or compares an item of the other kinds is imported when it is asked for the first time: most passes
of a night find nothing new, and need none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any, BinaryIO

from mappings.fields.context import Context
from mappings.fields.flags import DRAFT
from mappings.files import file
from mappings.mail import mail
from mappings.mail.digest import canonical, tolerant
from model.errors import Rejected
from model.kinds import Kind
from model.listed_rights import FORMAT as LISTED
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
    from mappings.calendar.event import read_event
    from mappings.fit.event import fit_event

    return fit_event(read_event(native, context), context)


def map_task(native: Native, context: Context) -> Mapped:
    """Map a task, with its losses: what was read is fitted to the target.

    Raises:
        Rejected: what mappings.calendar.task.read_task and mappings.fit.task.fit_task raise.
    """
    from mappings.calendar.task import read_task
    from mappings.fit.task import fit_task

    return fit_task(read_task(native, context), context)


def map_contact(native: Native, context: Context) -> Mapped:
    """Map a contact or a distribution list, with its losses: what was read is fitted to the target.

    Raises:
        Rejected: what mappings.contacts.contact.read_contact and mappings.fit.card.fit_card raise.
    """
    from mappings.contacts.contact import read_contact
    from mappings.fit.card import fit_card

    return fit_card(read_contact(native, context), key_of(native.ref.id), context)


def _map_card(native: Native, context: Context) -> Mapped:
    from mappings.fit.card import fit_card
    from mappings.from_ical.card import read_contact

    return fit_card(read_contact(native, context), key_of(native.ref.id), context)


def _map_ical_event(native: Native, context: Context) -> Mapped:
    from mappings.fit.event import fit_event
    from mappings.from_ical.event import read_event

    return fit_event(read_event(native, context), context)


def _map_ical_task(native: Native, context: Context) -> Mapped:
    from mappings.fit.task import fit_task
    from mappings.from_ical.task import read_task

    return fit_task(read_task(native, context), context)


def _later(module: str, name: str) -> partial[Any]:
    """Return a function of a mapping that is imported when the function is called."""
    return partial(_called, module, name)


def _called(module: str, name: str, *given: Any) -> Any:
    return getattr(import_module(f"mappings.{module}"), name)(*given)


def _compare(name: str) -> partial[Any]:
    return _later("compare.semantic_digest", name)


def _title(kind: Kind) -> Callable[[Native], str]:
    return partial(_called, "exchange.elements", "title", kind)


def _map_ews_reply(native: Native, context: Context) -> Mapped:
    from mappings.rules.ews_reply import ews_reply
    from mappings.rules.reply_item import mapped_by

    return mapped_by(ews_reply)(native, context)


def _map_graph_reply(native: Native, context: Context) -> Mapped:
    from mappings.rules.graph_reply import graph_reply
    from mappings.rules.reply_item import mapped_by

    return mapped_by(graph_reply)(native, context)


def _map_ews_hours(native: Native, context: Context) -> Mapped:
    from mappings.hours.ews_hours import ews_hours
    from mappings.hours.hours_item import mapped_by

    return mapped_by(ews_hours)(native, context)


def _map_graph_hours(native: Native, context: Context) -> Mapped:
    from mappings.hours.graph_hours import graph_hours
    from mappings.hours.hours_item import mapped_by

    return mapped_by(graph_hours)(native, context)


_MAIL = RecordForm(mail.skip_reason, _map_mail, mail.title_of, mail.flags_of, _mail_date)
_EVENT = RecordForm(_later("calendar.event", "skip_event"), map_event, _title(Kind.CALENDAR))
_CONTACT = RecordForm(_later("contacts.contact", "skip_contact"), map_contact, _title(Kind.CONTACTS))
_TASK = RecordForm(_later("calendar.task", "skip_task"), map_task, _title(Kind.TASKS))
_NOTE = RecordForm(
    _later("notes.note", "skip_note"),
    _later("notes.note", "map_note"),
    _title(Kind.NOTES),
    date=_later("notes.note", "date_of"),
)
_ITEM_TITLE = _later("from_ical.item", "title_of")
_ICAL_EVENT = RecordForm(_later("from_ical.event", "skip_event"), _map_ical_event, _ITEM_TITLE)
_ICAL_TASK = RecordForm(_later("from_ical.task", "skip_task"), _map_ical_task, _ITEM_TITLE)
_VCARD = RecordForm(_later("from_ical.card", "skip_card"), _map_card, _later("from_ical.card", "title_of"))
_RULE = RecordForm(
    _later("rules.rule_item", "skip_rule"),
    _later("rules.rule_item", "map_rule"),
    _later("rules.rule_item", "title_of"),
)
_SKIP_REPLY, _REPLY_TITLE = _later("rules.reply_item", "skip_reply"), _later("rules.reply_item", "title_of")
_SKIP_HOURS, _HOURS_TITLE = _later("hours.hours_item", "skip_hours"), _later("hours.hours_item", "title_of")
_RIGHT = RecordForm(*(_later("rights.right_item", name) for name in ("skip_right", "map_right", "title_of")))

FORMS: Mapping[tuple[Kind, str], RecordForm] = {
    (Kind.MAIL, "ews-message"): _MAIL,
    (Kind.MAIL, "graph-message"): _MAIL,
    (Kind.MAIL, "rfc822"): _MAIL,
    (Kind.CALENDAR, "ews-event"): _EVENT,
    (Kind.CALENDAR, "graph-event"): _EVENT,
    (Kind.CALENDAR, "icalendar"): _ICAL_EVENT,
    (Kind.CONTACTS, "ews-contact"): _CONTACT,
    (Kind.CONTACTS, "graph-contact"): _CONTACT,
    (Kind.CONTACTS, "vcard"): _VCARD,
    (Kind.TASKS, "ews-task"): _TASK,
    (Kind.TASKS, "graph-task"): _TASK,
    (Kind.TASKS, "icalendar"): _ICAL_TASK,
    (Kind.NOTES, "ews-note"): _NOTE,
    (Kind.FILES, "file"): RecordForm(file.skip_file, file.map_file, file.title_of, date=file.date_of),
    (Kind.SETTINGS, "ews-rule"): _RULE,
    (Kind.SETTINGS, "graph-rule"): _RULE,
    (Kind.SETTINGS, "ews-reply"): RecordForm(_SKIP_REPLY, _map_ews_reply, _REPLY_TITLE),
    (Kind.SETTINGS, "graph-reply"): RecordForm(_SKIP_REPLY, _map_graph_reply, _REPLY_TITLE),
    (Kind.SETTINGS, "ews-hours"): RecordForm(_SKIP_HOURS, _map_ews_hours, _HOURS_TITLE),
    (Kind.SETTINGS, "graph-hours"): RecordForm(_SKIP_HOURS, _map_graph_hours, _HOURS_TITLE),
    (Kind.PERMISSIONS, "ews-right"): _RIGHT,
    (Kind.PERMISSIONS, "graph-right"): _RIGHT,
    (Kind.PERMISSIONS, LISTED): _RIGHT,
}
"""By the kind of the item and the format of its record (Native.format)."""

ITEM_FORMS: Mapping[Kind, ItemForm] = {
    Kind.MAIL: ItemForm(
        Kind.MAIL, _mail_digest, _mail_tolerant, _body, flagged=True, dated=True, unsent=_unsent
    ),
    Kind.CALENDAR: ItemForm(
        Kind.CALENDAR,
        _compare("calendar_digest"),
        _compare("calendar_digest"),
        _compare("calendar_differing"),
        shared=_later("compare.shared_meeting", "shared"),
    ),
    Kind.CONTACTS: ItemForm(
        Kind.CONTACTS, _compare("card_digest"), _compare("card_tolerant"), _compare("card_differing")
    ),
    Kind.TASKS: ItemForm(
        Kind.TASKS, _compare("calendar_digest"), _compare("task_tolerant"), _compare("calendar_differing")
    ),
    Kind.NOTES: ItemForm(Kind.NOTES, _mail_digest, _mail_tolerant, _body, dated=True, date_inside=True),
    Kind.FILES: ItemForm(Kind.FILES, file.file_digest, file.file_digest, file.file_differing, dated=True),
    Kind.SETTINGS: ItemForm(
        Kind.SETTINGS,
        _later("hours.setting_item", "setting_digest"),
        _later("hours.setting_item", "setting_digest"),
        _later("hours.setting_item", "setting_differing"),
    ),
    Kind.PERMISSIONS: ItemForm(
        Kind.PERMISSIONS,
        _later("rights.right_item", "right_digest"),
        _later("rights.right_item", "right_digest"),
        _later("rights.right_item", "right_differing"),
    ),
}
