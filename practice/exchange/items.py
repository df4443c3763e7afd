"""GetItem, FindItem and GetAttachment. Bodies are streamed: base64 in pieces, never whole."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from lxml import etree

from practice.exchange.calendar import View, Wanted, parse_view, viewed, wanted_ids
from practice.exchange.context import ITEM_NOT_FOUND, Context
from practice.exchange.folders import id_elements
from practice.exchange.properties import (
    ItemWriter,
    attachment_id,
    read_attachment_id,
    tag_of,
    value_of,
)
from practice.exchange.records import photo_mark
from practice.exchange.search import (
    Field,
    Page,
    ordered,
    page_of,
    parse_order,
    parse_page,
    refuse_restriction,
)
from practice.exchange.shape import Shape, ids, parse_shape
from practice.exchange.soap import Call, Dialect, EwsError, M, T, escape, failure, message, schema_fault
from practice.mail.letters import Attachment
from practice.mail.letters_record import MESSAGE, rendered
from practice.world.folders import Folder
from practice.world.messages import Message

CHUNK = 49152 * 3  # a multiple of 3, so that the pieces' base64 joins without padding
_GIVEN = {"CalendarItem": "text/calendar; charset=utf-8"}
_MIME_OPEN = b'<t:MimeContent CharacterSet="UTF-8">'
_MIME_CLOSE = b"</t:MimeContent>"
_SUCCESS = (
    '<m:GetItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Items>'
)
_END = "</m:Items></m:GetItemResponseMessage>"


def get_item(context: Context, call: Call) -> Iterator[bytes]:
    """Parse a GetItem at once, so that a fault comes before any answer; the answer is lazy."""
    shape = parse_shape(call.element.find(f"{M}ItemShape"))
    wanted = wanted_ids(call.element.find(f"{M}ItemIds"))
    writer = ItemWriter(shape, context.dialect, listing=False)
    return _items(context, writer, wanted, shape)


def _items(context: Context, writer: ItemWriter, wanted: list[Wanted], shape: Shape) -> Iterator[bytes]:
    for each in wanted:
        try:
            with context.world.lock:
                item = each.of(context.item(each.id), context.dialect.habits)
                tag = tag_of(item.item_class)
                properties = writer.properties(item, tag)
                body = _opened(context, item) if shape.mime else None
                head = _mail_head(item, context.dialect) if shape.mime else b""
        except EwsError as error:
            yield failure("GetItem", error, "<m:Items/>").encode()
            continue
        if body is None:
            yield f"{_SUCCESS}<t:{tag}>{properties}</t:{tag}>{_END}".encode()
            continue
        yield f"{_SUCCESS}<t:{tag}>".encode()
        yield from mime_element(body, head)
        yield f"{properties}</t:{tag}>{_END}".encode()


def _opened(context: Context, item: Message) -> BinaryIO:
    """Return the MIME of an item; an event's and a contact's are rendered from their records alone."""
    variant = int(context.dialect.habits.rerenders and bool(item.categories)) or context.variant
    return context.world.mime.opened(item, variant) if item.record is None else item.open(variant)


def _mail_head(item: Message, dialect: Dialect) -> bytes:
    """Return the header that makes a message of an iCalendar object or a vCard."""
    kind = rendered(item.record)[0] if item.record else _GIVEN.get(tag_of(item.item_class), MESSAGE)
    if not dialect.mail_wrapped or kind == MESSAGE:
        return b""
    return f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n".encode()


def mime_element(body: BinaryIO, head: bytes = b"") -> Iterator[bytes]:
    """MimeContent of a stream, which is closed at the end. head goes before the stream's bytes."""
    with body:
        data = head + body.read(CHUNK - len(head))
        yield _MIME_OPEN + binascii.b2a_base64(data, newline=False)
        while len(data) == CHUNK:
            data = body.read(CHUNK)
            yield binascii.b2a_base64(data, newline=False)
    yield _MIME_CLOSE


@dataclass(frozen=True, slots=True)
class _Search:
    """Hold what a FindItem asks of each folder."""

    traversal: str
    order: list[tuple[Field, bool]]
    page: Page
    view: View | None


def _search(context: Context, element: etree._Element) -> _Search:
    traversal = element.get("Traversal")
    if traversal not in ("Shallow", "SoftDeleted", "Associated"):
        raise schema_fault("The required attribute 'Traversal' is missing or invalid.")
    return _Search(
        traversal,
        parse_order(element.find(f"{M}SortOrder")),
        parse_page(element, "Item", context.limits.page),
        parse_view(element),
    )


def find_item(context: Context, call: Call) -> Iterator[bytes]:
    """Answer FindItem."""
    element = call.element
    shape = parse_shape(element.find(f"{M}ItemShape"))
    refuse_restriction(element)
    search = _search(context, element)
    for parent in id_elements(element.find(f"{M}ParentFolderIds")):
        try:
            if element.find(f"{M}QueryString") is not None:
                raise EwsError("ErrorInvalidOperation", "Content indexing is not enabled.")
            writer = ItemWriter(shape, context.dialect, listing=True)
            folder = context.folder(parent)
            if search.view is not None:
                chosen, attributes = viewed(folder, search.view, context.dialect)
            else:
                chosen, attributes = _paged(context, folder, search)
            items = "".join(map(writer.write, chosen))
        except EwsError as error:
            yield failure("FindItem", error).encode()
            continue
        yield _found(context, items, attributes)


def _paged(context: Context, folder: Folder, search: _Search) -> tuple[Sequence[Message], str]:
    rows: Sequence[Message] = _rows(folder, search.traversal)
    if search.order:
        rows = ordered(rows, search.order, value_of)
    partial = _partial(context, search.page.offset)
    return page_of(rows, search.page, partial=partial, most=context.dialect.habits.rows_most)


def _found(context: Context, items: str, attributes: str) -> bytes:
    inner = f"<m:RootFolder {attributes}><t:Items>{items}</t:Items>{context.dialect.groups}</m:RootFolder>"
    return message("FindItem", inner).encode()


def _rows(folder: Folder, traversal: str) -> list[Message]:
    """Newest first, as Exchange lists a folder that was never sorted."""
    if traversal == "SoftDeleted":
        return []
    return (folder.associated if traversal == "Associated" else folder.items)[::-1]


def _partial(context: Context, offset: int) -> bool:
    """Return whether a page has fewer rows than asked for: real servers do it when a page costs too much.

    Here it is every third page.
    """
    return context.limits.partial and hashlib.blake2b(b"page%d" % offset).digest()[0] % 3 == 0


def get_attachment(context: Context, call: Call) -> Iterator[bytes]:
    """Answer GetAttachment."""
    shape = call.element.find(f"{M}AttachmentShape")
    mime = shape is not None and (
        (shape.findtext(f"{T}IncludeMimeContent") or "").strip().lower() in ("true", "1")
        or any(uri.get("FieldURI") == "item:MimeContent" for uri in shape.iter(f"{T}FieldURI"))
    )
    wanted = [each for each, _ in ids(call.element.find(f"{M}AttachmentIds"), "AttachmentId")]
    if not wanted:
        raise schema_fault("At least one attachment id is required.")
    for each in wanted:
        try:
            item, index, attachment = _attachment(context, each)
        except EwsError as error:
            yield failure("GetAttachment", error, "<m:Attachments/>").encode()
            continue
        content = _attachment_xml(attachment_id(item, index), attachment, mime=mime)
        yield message("GetAttachment", f"<m:Attachments>{content}</m:Attachments>").encode()


def _attachment(context: Context, wanted: str) -> tuple[Message, int, Attachment]:
    try:
        item_id, index = read_attachment_id(wanted)
    except ValueError:
        raise EwsError("ErrorInvalidAttachmentId", "The specified attachment Id is invalid.") from None
    item = context.item(item_id)
    attachments = item.attachments
    if index >= len(attachments):
        raise EwsError("ErrorItemNotFound", ITEM_NOT_FOUND)
    if attachments[index].unreadable:
        raise EwsError("ErrorCannotOpenFileAttachment", "The specified attachment could not be opened.")
    return item, index, attachments[index]


def _attachment_xml(id_: str, attachment: Attachment, *, mime: bool) -> str:
    head = (
        f'<t:AttachmentId Id="{id_}"/><t:Name>{escape(attachment.name)}</t:Name>'
        f"<t:ContentType>{escape(attachment.content_type)}</t:ContentType>"
    )
    if attachment.content_id:
        head += f"<t:ContentId>{escape(attachment.content_id)}</t:ContentId>"
    content = binascii.b2a_base64(attachment.content, newline=False).decode()
    if attachment.item_class is None:
        head += photo_mark(attachment)
        return f"<t:FileAttachment>{head}<t:Content>{content}</t:Content></t:FileAttachment>"
    tag = tag_of(attachment.item_class)
    body = f'<t:MimeContent CharacterSet="UTF-8">{content}</t:MimeContent>' if mime else ""
    inner = f"{body}<t:ItemClass>{escape(attachment.item_class)}</t:ItemClass>"
    inner += f"<t:Subject>{escape(attachment.name)}</t:Subject>"
    return f"<t:ItemAttachment>{head}<t:{tag}>{inner}</t:{tag}></t:ItemAttachment>"
