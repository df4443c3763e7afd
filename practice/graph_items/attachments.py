"""Answer about attachments of messages, events, contacts and tasks.

They are listed with their bytes, by id, raw, and as items.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default

from practice.exchange.properties import attachment_id, read_attachment_id
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.errors import GraphError, bad_request, malformed_id, not_found
from practice.graph.wire import Json, ews_id, instant, rest_id, streamed
from practice.mail.letters import Attachment
from practice.world.messages import Message

FIELD = "attachments"
ITEM = "microsoft.graph.itemattachment/item"
_FIELDS = frozenset(
    ["id", "name", "contentType", "size", "isInline", "lastModifiedDateTime"]
    + [f"microsoft.graph.fileAttachment/{name}" for name in ("contentId", "contentBytes")]
)
"""What may be selected: of what only files have, with their type."""
_ITEM_TYPES = {
    "IPM.Contact": "#microsoft.graph.contact",
    "IPM.Appointment": "#microsoft.graph.event",
}


def listed(context: Context, item: Message) -> list[Json]:
    """Return an item's attachments."""
    return [_shown(context, item, at) for at in range(len(attachments(item)))]


def attachments(item: Message) -> tuple[Attachment, ...]:
    """Return all that the item has, but a contact's picture, which has an address of its own."""
    found = item.attachments if item.has_attachments or item.record else ()
    return tuple(one for one in found if not one.contact_photo)


def _shown(context: Context, item: Message, at: int) -> Json:
    one = attachments(item)[at]
    content: Json = {
        "@odata.type": "#microsoft.graph.itemAttachment"
        if one.item_class
        else "#microsoft.graph.fileAttachment",
        "id": _id(item, at),
        "lastModifiedDateTime": instant(item.modified),
        "name": one.name,
        "contentType": None if one.item_class else one.content_type,
        "size": len(one.content),
        "isInline": one.inline,
    }
    if one.item_class is None:
        content |= {"@odata.mediaContentType": one.content_type, "contentId": one.content_id}
        content |= {"contentLocation": None}
        if FIELD not in context.ask.path or context.query.wants(
            "microsoft.graph.fileAttachment/contentBytes"
        ):
            content["contentBytes"] = base64.b64encode(_readable(one)).decode()
    return context.query.shown(content) if FIELD in context.ask.path else content


def _id(item: Message, at: int) -> str:
    """Return an attachment's id: the item's id, extended, also where ids are immutable."""
    return rest_id(attachment_id(item, at))


def _readable(one: Attachment) -> bytes:
    if one.unreadable:
        raise GraphError(500, "ErrorInternalServerError", "An internal server error occurred.")
    return one.content


def _list(context: Context) -> Reply:
    """Graph fails as a whole when one of them cannot be read."""
    item = _item(context)
    _check(context)
    rows = listed(context, item)
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#attachments", "value": rows})


def _check(context: Context) -> None:
    unknown = (context.query.select or frozenset()) - _FIELDS
    if unknown:
        name = min(unknown)
        raise bad_request(f"Could not find a property named '{name}' on type 'microsoft.graph.attachment'.")


def _item(context: Context) -> Message:
    return context.item(next(context.names[name] for name in ("message", "event") if name in context.names))


def _index(context: Context, item: Message) -> int:
    try:
        owner, at = read_attachment_id(ews_id(context.names["attachment"]))
    except (binascii.Error, ValueError):
        raise malformed_id() from None
    if owner != item.id or at >= len(attachments(item)):
        raise not_found()
    return at


def _get(context: Context) -> Reply:
    item = _item(context)
    _check(context)
    at = _index(context, item)
    content = _shown(context, item, at)
    if any(name.lower() == ITEM for name in context.query.expand):
        content["item"] = _inner(attachments(item)[at])
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#attachments/$entity", **content})


def _inner(one: Attachment) -> Json:
    """Return what an itemAttachment holds, as JSON: little of it, since the MIME is at /$value."""
    if one.item_class is None:
        raise bad_request("The attachment is no item.")
    kind = _ITEM_TYPES.get(one.item_class, "#microsoft.graph.message")
    parsed = message_from_bytes(one.content, policy=default) if kind.endswith("message") else None
    content: Json = {"@odata.type": kind, "id": "", "hasAttachments": False}
    if parsed is not None:
        content |= {
            "subject": str(parsed.get("Subject", "")),
            "internetMessageId": parsed.get("Message-ID"),
            "isDraft": False,
        }
    return content


def _value(context: Context) -> Reply:
    item = _item(context)
    one = attachments(item)[_index(context, item)]
    return streamed(io.BytesIO(_readable(one)), one.content_type if one.item_class is None else "text/plain")


def routes(of: str, needs: frozenset[str], name: str) -> tuple[Route, ...]:
    """Return the addresses of the attachments of one kind of item.

    Args:
        of: the item's address.
        needs: the permissions.
        name: the segment of `of` that is the item.
    """
    rows: tuple[tuple[str, Callable[[Context], Reply]], ...] = (
        ("", _list),
        ("/{attachment}", _get),
        ("/{attachment}/$value", _value),
    )
    return tuple(Route(f"{of}/attachments{tail}", "ReadAttachment", needs, way, name) for tail, way in rows)
