"""Write an item: its properties in the schema's order, and their values for sorting."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime

from practice.exchange.folders import folder_id
from practice.exchange.permissions import effective_rights
from practice.exchange.records import RecordWriter, body_writer, photo_mark, text_body
from practice.exchange.shape import ExtendedField, Shape
from practice.exchange.soap import Dialect, EwsError, boolean, escape, stamp
from practice.mail.letters import Correspondent
from practice.world.messages import Message
from practice.world.records import Searchable

Getter = Callable[[Message], object]
Writer = Callable[[Message, Dialect], str]

_HEADER_BYTES = 65536
READ, UNMODIFIED, UNSENT, ATTACHED, FROM_ME, ASSOCIATED = 0x01, 0x02, 0x08, 0x10, 0x20, 0x40
_CLASS_TAGS = (
    ("IPM.Schedule.Meeting.Request", "MeetingRequest"),
    ("IPM.Schedule.Meeting.Resp", "MeetingResponse"),
    ("IPM.Schedule.Meeting.Canceled", "MeetingCancellation"),
    ("IPM.Schedule.Meeting", "MeetingMessage"),
    ("IPM.Appointment", "CalendarItem"),
    ("IPM.Contact", "Contact"),
    ("IPM.DistList", "DistributionList"),
    ("IPM.Task", "Task"),
    ("IPM.Post", "PostItem"),
)


def tag_of(item_class: str) -> str:
    """Return the element of an item; everything without one of its own is a Message."""
    for start, tag in _CLASS_TAGS:
        if item_class.startswith(start):
            return tag
    return "Message"


def item_id(item: Message, dialect: Dialect) -> str:
    """Return the element of an item's id."""
    key = item.series_key if dialect.habits.keys_stay and item.day is None else item.change_key
    return f'<t:ItemId Id="{item.id}" ChangeKey="{key}"/>'


def attachment_id(item: Message, index: int) -> str:
    """Return an attachment's id: the item's id, extended, as the real ones are."""
    return base64.b64encode(base64.b64decode(item.id) + index.to_bytes(3, "big")).decode()


def read_attachment_id(text: str) -> tuple[str, int]:
    """Return the item id and the index of an attachment's id.

    Raises:
        ValueError: it is none.
    """
    data = base64.b64decode(text, validate=True)
    return base64.b64encode(data[:-3]).decode(), int.from_bytes(data[-3:], "big")


def from_me(item: Message) -> bool:
    """Return whether the mailbox's owner sent the item."""
    return item.sender.address.lower() == item.folder.mailbox.address


def received(item: Message) -> datetime | None:
    """Return when an item was received; a draft never was, and Exchange states when it was made."""
    return item.received or item.created


def message_flags(item: Message) -> int:
    """PR_MESSAGE_FLAGS."""
    return (
        READ * item.is_read
        | UNMODIFIED * (not item.is_draft)
        | UNSENT * item.is_draft
        | ATTACHED * item.has_attachments
        | FROM_ME * from_me(item)
        | ASSOCIATED * item.is_associated
    )


def headers(item: Message) -> str:
    """Return the header block of the message as it is stored."""
    with item.open() as stream:
        head = stream.read(_HEADER_BYTES)
    ends = [at for at in (head.find(b"\r\n\r\n"), head.find(b"\n\n")) if at >= 0]
    return head[: min(ends, default=len(head))].decode("utf-8", "replace") + "\r\n"


def header_fields(item: Message) -> list[tuple[str, str]]:
    """Return (name, value) of each header, unfolded; an item that is no mail has none."""
    if item.record is not None:
        return []
    lines = headers(item).replace("\r\n ", " ").replace("\r\n\t", " ").splitlines()
    pairs = [line.partition(":") for line in lines]
    return [(name, value.strip()) for name, colon, value in pairs if colon and " " not in name]


def header(item: Message, wanted: str) -> str | None:
    """Return the value of a header; None if there is none."""
    return next((value for name, value in header_fields(item) if name.lower() == wanted.lower()), None)


def _names(people: tuple[Correspondent, ...]) -> str:
    return "; ".join(person.name or person.address for person in people)


# value getters: a uri, its element, how to read it. The order is the schema's.
_ITEM_HEAD: tuple[tuple[str, Getter], ...] = (
    ("item:ItemClass", lambda item: item.item_class),
    ("item:Subject", lambda item: item.subject or None),
    ("item:Sensitivity", lambda item: item.sensitivity),
)
_ITEM_MIDDLE: tuple[tuple[str, Getter], ...] = (
    ("item:DateTimeReceived", received),
    ("item:Size", lambda item: item.size),
    ("item:Categories", lambda item: item.categories),
    ("item:Importance", lambda item: item.importance),
    ("item:InReplyTo", lambda item: header(item, "In-Reply-To")),
    ("item:IsSubmitted", lambda _: False),
    ("item:IsDraft", lambda item: item.is_draft),
    ("item:IsFromMe", from_me),
    ("item:IsResend", lambda _: False),
    ("item:IsUnmodified", lambda item: not item.is_draft),
)
_ITEM_DATES: tuple[tuple[str, Getter], ...] = (
    ("item:DateTimeSent", lambda item: item.sent),
    ("item:DateTimeCreated", lambda item: item.created),
    ("item:ReminderDueBy", lambda item: item.due),
    ("item:ReminderIsSet", lambda item: item.reminder is not None),
    ("item:ReminderMinutesBeforeStart", lambda item: item.reminder or 0),
    ("item:DisplayCc", lambda item: _names(item.cc)),
    ("item:DisplayTo", lambda item: _names(item.to)),
    ("item:HasAttachments", lambda item: item.has_attachments),
)
_ITEM_TAIL: tuple[tuple[str, Getter], ...] = (
    ("item:LastModifiedName", lambda item: item.folder.mailbox.owner.name),
    ("item:LastModifiedTime", lambda item: item.modified),
    ("item:IsAssociated", lambda item: item.is_associated),
)
_MESSAGE_TAIL: tuple[tuple[str, Getter], ...] = (
    ("message:InternetMessageId", lambda item: item.message_id),
    ("message:IsRead", lambda item: item.is_read),
    ("message:IsResponseRequested", lambda _: False),
    ("message:References", lambda item: header(item, "References")),
)
_RECEIPTS: tuple[tuple[str, Getter], ...] = (
    ("message:IsReadReceiptRequested", lambda item: item.read_receipt_requested),
    ("message:IsDeliveryReceiptRequested", lambda _: False),
)
_MEETING: tuple[tuple[str, Getter], ...] = (
    ("meeting:IsDelegated", lambda _: False),
    ("meeting:IsOutOfDate", lambda _: False),
    ("meeting:HasBeenProcessed", lambda _: False),
    ("meeting:ResponseType", lambda _: "NoResponseReceived"),
)
MAPI: dict[int, Getter] = {
    0x001A: lambda item: item.item_class,
    0x0017: lambda item: {"Low": 0, "Normal": 1, "High": 2}[item.importance],
    0x0029: lambda item: item.read_receipt_requested,
    0x0037: lambda item: item.subject,
    0x0039: lambda item: item.sent,
    0x007D: headers,
    0x0C1A: lambda item: item.sender.name,
    0x0C1E: lambda item: item.sender.routing,
    0x0C1F: lambda item: item.sender.address,
    0x0E06: received,
    0x0E07: message_flags,
    0x0E08: lambda item: item.size,
    0x1035: lambda item: item.message_id,
    0x1081: lambda item: item.last_verb,
    0x1090: lambda item: {"Flagged": 2, "Complete": 1}.get(item.flag_status),
    0x3007: lambda item: item.created,
    0x3008: lambda item: item.modified,
}
_VALUES: dict[str, Getter] = {
    **dict(_ITEM_HEAD + _ITEM_MIDDLE + _ITEM_DATES + _ITEM_TAIL + _RECEIPTS + _MESSAGE_TAIL),
    "item:ItemId": lambda item: item.id,
    "item:Body": lambda item: item.text,
    "message:From": lambda item: (item.sender.name, item.sender.address),
    "message:Sender": lambda item: (item.sender.name, item.sender.address),
    "message:ToRecipients": lambda item: tuple(one.address for one in item.to),
    "message:CcRecipients": lambda item: tuple(one.address for one in item.cc),
}


def value_of(item: Message, field: str | ExtendedField) -> object:
    """Return a property to sort by; None if the item does not have it.

    Raises:
        EwsError: items cannot be sorted by it.
    """
    if isinstance(field, ExtendedField):
        getter = MAPI.get(field.tag or 0)
        return getter(item) if getter else None
    if field not in _VALUES and isinstance(item.record, Searchable):
        return item.record.value(field)
    if field not in _VALUES:
        raise EwsError(
            "ErrorUnsupportedPathForQuery", "The property can not be used with this type of restriction."
        )
    return _VALUES[field](item)


def _simple(uri: str, getter: Getter) -> tuple[str, Writer]:
    tag = uri.partition(":")[2]

    def write(item: Message, dialect: Dialect) -> str:
        value = getter(item)
        if value is None:
            return ""
        if isinstance(value, str):
            text = escape(value)
        elif isinstance(value, bool):
            text = boolean(value)
        elif isinstance(value, datetime):
            text = stamp(value, dialect.fraction)
        elif isinstance(value, tuple):
            text = "".join(f"<t:String>{escape(one)}</t:String>" for one in value)
            return f"<t:{tag}>{text}</t:{tag}>" if value else ""
        else:
            text = str(value)
        return f"<t:{tag}>{text}</t:{tag}>"

    return uri, write


def _parent(item: Message, dialect: Dialect) -> str:
    return folder_id(item.folder, "ParentFolderId", change_key=dialect.parent_change_key)


def _mailbox(person: Correspondent) -> str:
    kind = "Mailbox" if person.routing == "EX" or person.address.endswith("practice.example") else "OneOff"
    return (
        f"<t:Mailbox><t:Name>{escape(person.name)}</t:Name><t:EmailAddress>{escape(person.address)}"
        f"</t:EmailAddress><t:RoutingType>{person.routing}</t:RoutingType><t:MailboxType>{kind}"
        "</t:MailboxType></t:Mailbox>"
    )


def _people(tag: str, getter: Callable[[Message], tuple[Correspondent, ...]]) -> Writer:
    def write(item: Message, _: Dialect) -> str:
        inner = "".join(map(_mailbox, getter(item)))
        return f"<t:{tag}>{inner}</t:{tag}>" if inner else ""

    return write


def _attachments(item: Message, _: Dialect) -> str:
    parts = []
    for index, one in enumerate(item.attachments if item.has_attachments or item.record else ()):
        tag = "ItemAttachment" if one.item_class else "FileAttachment"
        content_id = f"<t:ContentId>{escape(one.content_id)}</t:ContentId>" if one.content_id else ""
        parts.append(
            f'<t:{tag}><t:AttachmentId Id="{attachment_id(item, index)}"/><t:Name>{escape(one.name)}</t:Name>'
            f"<t:ContentType>{escape(one.content_type)}</t:ContentType>{content_id}<t:Size>{len(one.content)}"
            f"</t:Size><t:IsInline>{boolean(one.inline)}</t:IsInline>{photo_mark(one)}</t:{tag}>"
        )
    return f"<t:Attachments>{''.join(parts)}</t:Attachments>" if parts else ""


def _internet_headers(item: Message, _: Dialect) -> str:
    each = "".join(
        f'<t:InternetMessageHeader HeaderName="{escape(name)}">{escape(value)}</t:InternetMessageHeader>'
        for name, value in header_fields(item)
    )
    return f"<t:InternetMessageHeaders>{each}</t:InternetMessageHeaders>" if each else ""


def _flag(item: Message, _: Dialect) -> str:
    return f"<t:Flag><t:FlagStatus>{item.flag_status}</t:FlagStatus></t:Flag>"


_ID: Writer = lambda item, dialect: item_id(item, dialect)  # noqa: E731 (a row of the table below)
_RIGHTS: Writer = lambda item, _: effective_rights(item.folder)  # noqa: E731 (typed by its name)
_BEFORE: tuple[tuple[str, Writer], ...] = (
    ("item:ItemId", _ID),
    ("item:ParentFolderId", _parent),
    *(_simple(*row) for row in _ITEM_HEAD),
    ("item:Body", body_writer("Best")),
    ("item:Attachments", _attachments),
    *(_simple(*row) for row in _ITEM_MIDDLE),
    ("item:InternetMessageHeaders", _internet_headers),
    *(_simple(*row) for row in _ITEM_DATES),
)
_AFTER: tuple[tuple[str, Writer], ...] = (
    ("item:EffectiveRights", _RIGHTS),
    *(_simple(*row) for row in _ITEM_TAIL),
    ("item:Flag", _flag),
    ("item:TextBody", text_body),
    ("message:Sender", _people("Sender", lambda item: (item.sender,))),
    ("message:ToRecipients", _people("ToRecipients", lambda item: item.to)),
    ("message:CcRecipients", _people("CcRecipients", lambda item: item.cc)),
    *(_simple(*row) for row in _RECEIPTS),
    ("message:From", _people("From", lambda item: (item.sender,))),
    *(_simple(*row) for row in _MESSAGE_TAIL),
    *(_simple(*row) for row in _MEETING),
)
# Silently left out of listings
_UNLISTED = frozenset({"message:ToRecipients", "message:CcRecipients"})
# Not to be had by FindItem and SyncFolderItems
ONLY_GET = frozenset(
    {
        "item:MimeContent",
        "item:Body",
        "item:TextBody",
        "item:Attachments",
        "item:InternetMessageHeaders",
    }
)
_ONLY_ASKED = frozenset(
    {
        "item:InReplyTo",
        "item:References",
        "item:TextBody",
        "message:References",
        "item:InternetMessageHeaders",
    }
)
_DEFAULT = frozenset(
    [
        "item:ItemId",
        "item:Attachments",
        "item:Subject",
        "item:Sensitivity",
        "item:HasAttachments",
        "item:IsAssociated",
        "item:Size",
        "item:DateTimeSent",
        "item:DateTimeCreated",
        "item:Body",
        "message:ToRecipients",
        "message:CcRecipients",
        "message:From",
        "message:IsReadReceiptRequested",
        "message:IsDeliveryReceiptRequested",
        "message:IsRead",
        "meeting:IsOutOfDate",
        "meeting:HasBeenProcessed",
        "meeting:ResponseType",
    ]
)
_BASES = {
    "IdOnly": frozenset({"item:ItemId"}),
    "Default": _DEFAULT,
    "AllProperties": frozenset(uri for uri, _ in _BEFORE + _AFTER) - _ONLY_ASKED,
}
_NO_MESSAGE = frozenset({"CalendarItem", "Contact", "DistributionList", "Task"})
_POSTED = (
    "message:From",
    "message:InternetMessageId",
    "message:IsRead",
    "message:References",
    "message:Sender",
)
"""What a post has of a message, in an order of its own."""


class ItemWriter:
    """Write items by one shape.

    Attributes:
        listing: True for FindItem and SyncFolderItems.

    Raises:
        EwsError: a listing cannot give a property.
    """

    def __init__(self, shape: Shape, dialect: Dialect, *, listing: bool) -> None:
        wanted = _BASES[shape.base] | shape.uris
        if listing:
            for uri in sorted(shape.uris & ONLY_GET):
                raise EwsError(
                    "ErrorInvalidPropertyRequest",
                    "Property is not valid for this object type.",
                    detail=f'<t:FieldURI FieldURI="{uri}"/>',
                )
            wanted = (wanted | dialect.listed_always) - ONLY_GET - _UNLISTED
        self._records = RecordWriter(shape, dialect, listing=listing)
        self._dialect = dialect
        self._extended = shape.extended
        self._before = [
            body_writer(shape.body_type) if uri == "item:Body" else write
            for uri, write in _BEFORE
            if uri in wanted or uri == "item:ItemId"
        ]
        self._item_after = [write for uri, write in _AFTER if uri in wanted and uri.startswith("item:")]
        message_after = {uri: write for uri, write in _AFTER if uri in wanted and uri.startswith("message:")}
        self._message_after = list(message_after.values())
        self._post_after = [message_after[uri] for uri in _POSTED if uri in message_after]
        self._meeting_after = [write for uri, write in _AFTER if uri in wanted and uri.startswith("meeting:")]

    def properties(self, item: Message, tag: str) -> str:
        """Return everything between the item's tags but the MimeContent."""
        dialect = self._dialect
        parts = [write(item, dialect) for write in self._before]
        for field in self._extended:
            getter = MAPI.get(field.tag or 0)
            parts.append(field.write(getter(item)) if getter else self._records.extended(item, field))
        parts += [write(item, dialect) for write in self._item_after]
        if tag in _NO_MESSAGE:
            parts.append(self._records.elements(item))
        elif item.record is None:
            after = self._post_after if tag == "PostItem" else self._message_after
            parts += [write(item, dialect) for write in after]
        if tag.startswith("Meeting"):
            parts += [write(item, dialect) for write in self._meeting_after]
        return "".join(parts)

    def write(self, item: Message) -> str:
        """Return the element of an item."""
        tag = tag_of(item.item_class)
        return f"<t:{tag}>{self.properties(item, tag)}</t:{tag}>"
