"""Answer about messages over Graph: listed, by id, their MIME, and the delta of a folder."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime

from practice.exchange.properties import header_fields, received
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.delta import Tracked, delta
from practice.graph.errors import bad_filter, bad_query, not_found, unconvertible
from practice.graph.folders import NEEDS, is_mail, mail_folder, reachable
from practice.graph.query import Query, checked, paged
from practice.graph.wire import Json, instant, rest_id, streamed
from practice.graph_items.attachments import FIELD as ATTACHMENTS
from practice.graph_items.attachments import listed as attachments_of
from practice.graph_items.attachments import routes as attachment_routes
from practice.graph_items.extended import MULTI, SINGLE, expanded
from practice.harness.dice import digest
from practice.mail.letters import Correspondent
from practice.world.folders import Folder
from practice.world.messages import Message

Getter = Callable[[Context, Message], object]
_TYPES = (
    ("IPM.Schedule.Meeting.Request", "#microsoft.graph.eventMessageRequest", "meetingRequest"),
    ("IPM.Schedule.Meeting.Canceled", "#microsoft.graph.eventMessage", "meetingCancelled"),
    ("IPM.Schedule.Meeting.Resp.Pos", "#microsoft.graph.eventMessageResponse", "meetingAccepted"),
    ("IPM.Schedule.Meeting.Resp.Neg", "#microsoft.graph.eventMessageResponse", "meetingDeclined"),
    ("IPM.Schedule.Meeting.Resp", "#microsoft.graph.eventMessageResponse", "meetingTenativelyAccepted"),
)
_FLAGS = {"NotFlagged": "notFlagged", "Flagged": "flagged", "Complete": "complete"}
_SINCE = re.compile(r"receivedDateTime (ge|gt|le|lt) (\S+)")
_IS_READ = re.compile(r"isRead eq (true|false)")
_MESSAGE_ID = re.compile(r"internetMessageId eq '((?:[^']|'')*)'")
_PREVIEW = 255


def party(person: Correspondent) -> Json:
    """Somebody whom Exchange cannot resolve has a legacyExchangeDN for an address."""
    return {"emailAddress": {"name": person.name or person.address, "address": person.address}}


def etag(item: Message) -> str:
    """Return a message's ETag."""
    return f'W/"{item.change_key}"'


def _conversation(item: Message) -> str:
    return rest_id(item.folder.mailbox.ids.change_key(sum(item.subject.encode()) + 1))


def _conversation_index(item: Message) -> str:
    """Return a reserved byte, five of the time, and the conversation (MS-OXOMSG 2.2.1.3)."""
    return base64.b64encode(b"\x01" + digest("conversation", _conversation(item), size=21)).decode()


def _body(_: Context, item: Message) -> Json:
    markup = item.record is not None and item.record.common.html
    return {"contentType": "html" if markup else "text", "content": item.text}


def _headers(_: Context, item: Message) -> list[Json]:
    return [{"name": name, "value": value} for name, value in header_fields(item)]


_FIELDS: dict[str, Getter] = {
    "createdDateTime": lambda _, item: instant(item.created),
    "lastModifiedDateTime": lambda _, item: instant(item.modified),
    "changeKey": lambda _, item: item.change_key,
    "categories": lambda _, item: list(item.categories),
    "receivedDateTime": lambda _, item: instant(received(item)),
    "sentDateTime": lambda _, item: instant(item.sent or item.created),
    "hasAttachments": lambda _, item: item.has_attachments,
    "internetMessageId": lambda _, item: item.message_id,
    "subject": lambda _, item: item.subject,
    "bodyPreview": lambda _, item: item.text[:_PREVIEW],
    "importance": lambda _, item: item.importance.lower(),
    "parentFolderId": lambda _, item: rest_id(item.folder.id),
    "conversationId": lambda _, item: _conversation(item),
    "conversationIndex": lambda _, item: _conversation_index(item),
    "isDeliveryReceiptRequested": lambda _, item: False if item.message_id else None,
    "isReadReceiptRequested": lambda _, item: item.read_receipt_requested,
    "isRead": lambda _, item: item.is_read,
    "isDraft": lambda _, item: item.is_draft,
    "webLink": lambda context, item: (
        f"https://outlook.office365.com/owa/?ItemID={context.item_id(item)}"
        "&exvsurl=1&viewmodel=ReadMessageItem"
    ),
    "inferenceClassification": lambda _, item: "focused" if item.sender.address else "other",
    "body": _body,
    "sender": lambda _, item: party(item.sender),
    "from": lambda _, item: party(item.sender),
    "toRecipients": lambda _, item: [party(one) for one in item.to],
    "ccRecipients": lambda _, item: [party(one) for one in item.cc],
    "bccRecipients": lambda *_: [],
    "replyTo": lambda *_: [],
    "flag": lambda _, item: {"flagStatus": _FLAGS[item.flag_status]},
}
_ASKED: dict[str, Getter] = {"internetMessageHeaders": _headers, "uniqueBody": _body}
"""Not there unless they are selected."""
_EXPANDS = (SINGLE, MULTI, ATTACHMENTS)


def shown(context: Context, item: Message, query: Query) -> Json:
    """Return the message, or eventMessage: only what is selected of it is computed."""
    content: Json = {}
    for start, kind, _ in _TYPES:
        if item.item_class.startswith(start):
            content["@odata.type"] = kind
            break
    content |= {"@odata.etag": etag(item), "id": context.item_id(item)}
    for name, getter in _FIELDS.items():
        if query.wants(name):
            content[name] = getter(context, item)
    for name in query.select or ():
        if name in _ASKED:
            content[name] = _ASKED[name](context, item)
    if "@odata.type" in content and query.wants("meetingMessageType"):
        content["meetingMessageType"] = next(
            word for start, _, word in _TYPES if item.item_class.startswith(start)
        )
    content |= expanded(item, query)
    if ATTACHMENTS in query.expand:
        content[ATTACHMENTS] = attachments_of(context, item)
    return content


def _few(context: Context, item: Message) -> Json:
    """Return what later rows of a delta state of a message that was read, or no longer is."""
    return {
        "@odata.etag": etag(item),
        "id": context.item_id(item),
        "isRead": item.is_read,
        "parentFolderId": rest_id(item.folder.id),
    }


def check(query: Query) -> Query:
    """Return the query, if a message has what it names."""
    return checked(query, (*_FIELDS, *_ASKED, "meetingMessageType"), "message", _EXPANDS)


def _filtered(items: list[Message], text: str | None) -> list[Message]:
    """Return the items that a $filter lets through.

    Raises:
        GraphError: it is not understood; Graph understands little more.
    """
    for clause in re.split(r"\s+and\s+", text) if text else ():
        items = [item for item in items if _fits(item, clause.strip())]
        if not items:
            _fits_syntax(clause.strip())
    return items


def _fits_syntax(clause: str) -> None:
    if not any(form.fullmatch(clause) for form in (_SINCE, _IS_READ, _MESSAGE_ID)):
        raise bad_filter()


def _fits(item: Message, clause: str) -> bool:
    _fits_syntax(clause)
    if match := _IS_READ.fullmatch(clause):
        return item.is_read == (match[1] == "true")
    if match := _MESSAGE_ID.fullmatch(clause):
        return item.message_id == match[1].replace("''", "'")
    match = _SINCE.fullmatch(clause)
    when = received(item)
    if match is None or when is None:
        return False
    try:
        limit = datetime.fromisoformat(match[2])
    except ValueError:
        raise bad_filter() from None
    if limit.tzinfo is None:
        limit = limit.replace(tzinfo=UTC)
    return {"ge": when >= limit, "gt": when > limit, "le": when <= limit, "lt": when < limit}[match[1]]


def _ordered(items: list[Message], text: str | None) -> list[Message]:
    name, _, way = (text or "receivedDateTime desc").partition(" ")
    keys: dict[str, Callable[[Message], object]] = {
        "receivedDateTime": lambda item: received(item) or datetime.min.replace(tzinfo=UTC),
        "subject": lambda item: item.subject,
    }
    if name not in keys or way not in ("", "asc", "desc"):
        raise bad_query("The $orderby query option is not supported.")
    return sorted(items, key=keys[name], reverse=way == "desc")  # type: ignore[arg-type]


def _list(context: Context) -> Reply:
    query = check(context.query)
    if "folder" in context.names:
        items = mail_folder(context, context.names["folder"]).items
    else:
        items = [item for folder in context.box.folders() if _seen(folder) for item in folder.items]
    items = _ordered(_filtered(items, query.filter), query.orderby)
    count = query.top or context.ask.prefer.page or 10
    window = range(query.skip, min(query.skip + count, len(items)))
    rows: list[Json] = [shown(context, item, query) if at in window else {} for at, item in enumerate(items)]
    return context.say(paged(context.ask, rows, query))


def _seen(folder: Folder) -> bool:
    return folder.kind == "normal" and is_mail(folder)


def _found(context: Context) -> Message:
    """Return the message that the address names. Items of calendars and the like are no messages."""
    item = context.item(context.names["message"])
    if not is_mail(item.folder) or not reachable(item.folder):
        raise not_found()
    if "folder" in context.names and mail_folder(context, context.names["folder"]) is not item.folder:
        raise not_found()
    return item


def _get(context: Context) -> Reply:
    content = shown(context, _found(context), check(context.query))
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#messages/$entity", **content})


def _value(context: Context) -> Reply:
    item = _found(context)
    if context.unconvertible(item):
        raise unconvertible()
    return streamed(context.world.mime.opened(item, context.variant), "text/plain")


_TRACKED = Tracked("Messages", "#microsoft.graph.message", shown, _few)


def _delta(context: Context) -> Reply:
    folder = mail_folder(context, context.names["folder"])
    if folder.kind == "search":
        raise bad_query("Change tracking is not supported against search folders.")
    text = context.ask.query.get("$filter")
    if text is not None:
        raise bad_query("The filter is not supported with change tracking here.")
    return delta(context, folder, _TRACKED, check)


_ONE = "users/{user}/messages/{message}"
_IN_FOLDER = "users/{user}/mailFolders/{folder}/messages"
ROUTES = (
    Route("users/{user}/messages", "ListMessages", NEEDS, _list),
    Route(_ONE, "ReadItem", NEEDS, _get, "message"),
    Route(f"{_ONE}/$value", "ReadMime", NEEDS, _value, "message"),
    Route(_IN_FOLDER, "ListMessages", NEEDS, _list),
    Route(f"{_IN_FOLDER}/delta", "Delta", NEEDS, _delta),
    Route(f"{_IN_FOLDER}/{{message}}", "ReadItem", NEEDS, _get, "message"),
    Route(f"{_IN_FOLDER}/{{message}}/$value", "ReadMime", NEEDS, _value, "message"),
    *attachment_routes(_ONE, NEEDS, "message"),
)
