"""Microsoft To Do over Graph: lists, tasks, their files, steps and links, and delta.

It knows less of a task than Exchange keeps: no percentage, no work, no owner, no sensitivity, no MAPI
property; and it gives no immutable ids. Beside the lists that people have there is one of flagged mails.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from practice.exchange.properties import attachment_id, read_attachment_id
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.delta import Token, Tracked, delta, delta_link, next_link, read_token
from practice.graph.errors import bad_filter, bad_request, malformed_id, not_found
from practice.graph.query import PAGE, Query, checked, paged
from practice.graph.wire import Json, ews_id, instant, rest_id, streamed
from practice.graph_items.extended import text_of
from practice.graph_items.mapi import NO_DAY
from practice.graph_items.recurrence import of_task
from practice.graph_items.zones import clock, precise, zone_of
from practice.harness.dice import Dice
from practice.mail.letters import Attachment
from practice.tasks.chores import Chore
from practice.world.folders import Did, Folder
from practice.world.messages import Message
from practice.world.record_elements import COMMON

NEEDS = frozenset({"Tasks.Read.All", "Tasks.Read"})
Getter = Callable[[Context, Message, Chore], object]
_TYPE, _LIST_TYPE = "#microsoft.graph.todoTask", "#microsoft.graph.todoTaskList"
_STATUS = {
    "NotStarted": "notStarted",
    "InProgress": "inProgress",
    "Completed": "completed",
    "WaitingOnOthers": "waitingOnOthers",
    "Deferred": "deferred",
}
_SIGNAL = 0x8560
_LIST_FIELDS = ("displayName", "isOwner", "isShared", "wellknownListName")
_BY_STATUS = re.compile(r"status (eq|ne) '(\w+)'")
_STEPS = ("Angebot einholen", "Unterlagen prüfen; mit Ute", "Ablegen\nund abheften")


def _plain(context: Context) -> Context:
    """Return the context without the preference for immutable ids: To Do's ids change on a move."""
    return replace(context, ask=replace(context.ask, prefer=replace(context.ask.prefer, immutable=False)))


def lists(context: Context) -> list[Folder]:
    """Return the task lists, the default one first; none that was deleted."""
    found = [
        folder
        for folder in context.box.folders()
        if folder.folder_class.startswith("IPF.Task")
        and folder.kind == "normal"
        and folder.parent is not None
        and folder.parent.role != "deleteditems"
    ]
    return sorted(found, key=lambda folder: folder.role != "tasks")


def _row(folder: Folder) -> Json:
    return {
        "@odata.type": _LIST_TYPE,
        "@odata.etag": f'W/"{folder.change_key}"',
        "displayName": folder.name,
        "isOwner": True,
        "isShared": False,
        "wellknownListName": "defaultList" if folder.role == "tasks" else "none",
        "id": rest_id(folder.id),
    }


def _flagged_id(context: Context) -> str:
    return rest_id(base64.b64encode(context.box.guid.bytes + b"flagged emails of To Do").decode())


def _flagged(context: Context) -> Json:
    return {
        "@odata.type": _LIST_TYPE,
        "@odata.etag": f'W/"{context.box.ids.change_key(1)}"',
        "displayName": "Flagged Emails",
        "isOwner": True,
        "isShared": False,
        "wellknownListName": "flaggedEmails",
        "id": _flagged_id(context),
    }


def _lists(context: Context) -> Reply:
    rows = [*map(_row, lists(context)), _flagged(context)]
    return context.say(paged(context.ask, rows, _list_query(context.query), 100))


def _list_query(query: Query) -> Query:
    return checked(query, _LIST_FIELDS, "todoTaskList", ())


def _get_list(context: Context) -> Reply:
    if context.names["list"] == _flagged_id(context):
        return context.say(_flagged(context))
    return context.say(_list_query(context.query).shown(_row(_folder(context))))


def _folder(context: Context) -> Folder:
    """Return a task list by id.

    Raises:
        GraphError: there is none.
    """
    folder = context.folder(context.names["list"])
    if folder not in lists(context):
        raise not_found()
    return folder


def _lists_delta(context: Context) -> Reply:
    token = read_token(context, "Lists") or Token("Lists")
    high = token.high or context.box.change
    rows: list[Json] = [] if token.since or token.skip else [_flagged(context)]
    known = lists(context)
    for change in context.box.folder_changes(token.since):
        if change.number > high:
            continue
        if change.did is Did.DELETED or (change.folder and change.folder not in known and token.since):
            rows.append({"id": rest_id(change.id), "@removed": {"reason": "deleted"}})
        elif change.folder in known:
            rows.append(_row(change.folder))
    size = context.ask.prefer.page or PAGE
    content: Json = {"value": rows[token.skip : token.skip + size]}
    if token.skip + size < len(rows):
        content |= next_link(context, token.later(skip=token.skip + size, high=high))
    else:
        content |= delta_link(context, token.round(high))
    return context.say(content)


def _of(item: Message) -> Chore:
    if not isinstance(item.record, Chore):
        raise not_found()
    return item.record


def _day(context: Context, moment: datetime | None) -> Json | None:
    """Return the moment when the day began where its owner was, in UTC: To Do does not state the day."""
    if moment is None or moment.astimezone(UTC) == NO_DAY:
        return None
    return clock(moment, zone_of(context.ask.prefer.zone))


def _reminder(context: Context, item: Message, one: Chore) -> Json | None:
    stored = text_of(item, (None, COMMON, str(_SIGNAL)))
    moment = datetime.fromisoformat(stored) if stored else one.common.due
    if one.common.reminder is None or moment is None:
        return None
    return clock(moment, zone_of(context.ask.prefer.zone))


def _completed(context: Context, one: Chore) -> Json | None:
    if one.completed is None:
        return None
    return clock(one.completed, zone_of(context.ask.prefer.zone))


_FIELDS: dict[str, Getter] = {
    "importance": lambda _, __, one: one.common.importance.lower(),
    "isReminderOn": lambda _, __, one: one.common.reminder is not None,
    "status": lambda _, __, one: _STATUS[one.status],
    "title": lambda _, __, one: one.common.subject,
    "createdDateTime": lambda _, __, one: precise(one.common.created),
    "lastModifiedDateTime": lambda _, __, one: precise(one.common.modified),
    "hasAttachments": lambda _, item, __: bool(_files(item)),
    "categories": lambda _, __, one: list(one.common.categories),
    "body": lambda _, __, one: {
        "content": one.common.body,
        "contentType": "html" if one.common.html else "text",
    },
}
_OFTEN_NONE: dict[str, Getter] = {
    "startDateTime": lambda context, _, one: _day(context, one.start),
    "dueDateTime": lambda context, _, one: _day(context, one.due),
    "completedDateTime": lambda context, _, one: _completed(context, one),
    "reminderDateTime": _reminder,
    "recurrence": lambda _, __, one: of_task(one.repeat) if one.repeat else None,
    "bodyLastModifiedDateTime": lambda _, __, one: precise(one.common.modified) if one.common.body else None,
}
"""Not there at all where there is nothing to say."""


def shown(context: Context, item: Message, query: Query) -> Json:
    """Return what is selected of the task."""
    one = _of(item)
    content: Json = {"@odata.etag": f'W/"{item.change_key}"'}
    content |= {name: getter(context, item, one) for name, getter in _FIELDS.items() if query.wants(name)}
    content["id"] = context.item_id(item)
    for name, getter in _OFTEN_NONE.items():
        value = getter(context, item, one) if query.wants(name) else None
        if value is not None:
            content[name] = value
    for name, rows in (("checklistItems", _steps), ("linkedResources", _links)):
        if name in query.expand:
            content[name] = rows(context, item)
    return content


def check(query: Query) -> Query:
    """Return the query, if a task has what it names."""
    return checked(query, (*_FIELDS, *_OFTEN_NONE), "todoTask", ("checklistItems", "linkedResources"))


def _tasks(context: Context) -> Reply:
    context = _plain(context)
    query = check(context.query)
    if context.names["list"] == _flagged_id(context):
        rows = [_mail(context, item) for item in context.box.messages() if item.flag_status == "Flagged"]
        return context.say(paged(context.ask, rows, query))
    found: Sequence[Message] = [item for item in _folder(context).items if isinstance(item.record, Chore)]
    if query.filter is not None:
        match = _BY_STATUS.fullmatch(query.filter)
        if match is None:
            raise bad_filter()
        found = [one for one in found if (_STATUS[_of(one).status] == match[2]) == (match[1] == "eq")]
    return context.say(paged(context.ask, [shown(context, item, query) for item in found], query))


def _mail(context: Context, item: Message) -> Json:
    """Return a flagged mail as a task: the mail itself is elsewhere."""
    return {
        "@odata.etag": f'W/"{item.change_key}"',
        "importance": item.importance.lower(),
        "isReminderOn": False,
        "status": "notStarted",
        "title": item.subject,
        "createdDateTime": instant(item.created),
        "lastModifiedDateTime": instant(item.modified),
        "hasAttachments": False,
        "categories": list(item.categories),
        "id": context.item_id(item),
        "body": {"content": "", "contentType": "text"},
    }


def _task(context: Context) -> Message:
    item = context.item(context.names["task"])
    _of(item)
    if item.folder is not _folder(context):
        raise not_found()
    return item


def _get(context: Context) -> Reply:
    context = _plain(context)
    content = shown(context, _task(context), check(context.query))
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#tasks/$entity", **content})


_TRACKED = Tracked("Tasks", _TYPE, shown, takes=lambda item: isinstance(item.record, Chore))


def _delta(context: Context) -> Reply:
    context = _plain(context)
    if context.names["list"] == _flagged_id(context):
        raise bad_request("Delta is not supported for this list.", "invalidRequest")
    return delta(context, _folder(context), _TRACKED, check)


def _files(item: Message) -> list[tuple[int, Attachment]]:
    """Return files alone: To Do shows no attached item."""
    return [(at, one) for at, one in enumerate(item.attachments) if one.item_class is None]


def _file(item: Message, at: int, one: Attachment) -> Json:
    return {
        "@odata.type": "#microsoft.graph.taskFileAttachment",
        "id": rest_id(attachment_id(item, at)),
        "lastModifiedDateTime": instant(item.modified),
        "name": one.name,
        "contentType": one.content_type,
        "size": len(one.content),
    }


def _attachments(context: Context) -> Reply:
    """Answer with the attachments without their bytes, which each one has."""
    item = _task(context)
    rows = [_file(item, at, one) for at, one in _files(item)]
    return context.say(paged(context.ask, rows, context.query, 100))


def _attachment(context: Context) -> tuple[Message, int, Attachment]:
    item = _task(context)
    try:
        owner, wanted = read_attachment_id(ews_id(context.names["attachment"]))
    except (binascii.Error, ValueError):
        raise malformed_id() from None
    for at, one in _files(item):
        if owner == item.id and at == wanted:
            return item, at, one
    raise not_found()


def _get_attachment(context: Context) -> Reply:
    item, at, one = _attachment(context)
    return context.say(_file(item, at, one) | {"contentBytes": base64.b64encode(one.content).decode()})


def _attachment_value(context: Context) -> Reply:
    one = _attachment(context)[2]
    return streamed(io.BytesIO(one.content), one.content_type)


def _steps(context: Context, item: Message) -> list[Json]:
    """Return a task's steps; some have them, if the server was made so: Exchange knows nothing of them."""
    if not context.steps:
        return []
    return list(_made_up(item))


def _made_up(item: Message) -> Iterator[Json]:
    dice = Dice(item.folder.mailbox.seed, item.folder.mailbox.address, item.seed, "steps")
    for at, text in enumerate(_STEPS[: dice.below(4)]):
        yield {
            "id": f"{dice.hex(8)}-{at:04d}",
            "displayName": text,
            "createdDateTime": precise(item.created or NO_DAY),
            "isChecked": dice.chance(0.5),
        }


def _links(context: Context, item: Message) -> list[Json]:
    if not context.steps or not list(_made_up(item)):
        return []
    dice = Dice(item.folder.mailbox.seed, item.folder.mailbox.address, item.seed, "link")
    return [
        {
            "id": dice.hex(32),
            "webUrl": f"https://akte.practice.example/{dice.hex(6)}?a=1&b=2",
            "applicationName": "E-Akte",
            "displayName": "Vorgang; Größe",
            "externalId": dice.hex(12),
        }
    ]


def _step_list(context: Context) -> Reply:
    return context.say(paged(context.ask, _steps(context, _task(context)), context.query, 100))


def _link_list(context: Context) -> Reply:
    return context.say(paged(context.ask, _links(context, _task(context)), context.query, 100))


_LISTS = "users/{user}/todo/lists"
_ONE = f"{_LISTS}/{{list}}/tasks/{{task}}"
ROUTES = (
    Route(_LISTS, "ListTaskLists", NEEDS, _lists),
    Route(f"{_LISTS}/delta", "Delta", NEEDS, _lists_delta),
    Route(f"{_LISTS}/{{list}}", "GetTaskList", NEEDS, _get_list),
    Route(f"{_LISTS}/{{list}}/tasks", "ListTasks", NEEDS, _tasks),
    Route(f"{_LISTS}/{{list}}/tasks/delta", "Delta", NEEDS, _delta),
    Route(_ONE, "ReadItem", NEEDS, _get, "task"),
    Route(f"{_ONE}/checklistItems", "ListSteps", NEEDS, _step_list, "task"),
    Route(f"{_ONE}/linkedResources", "ListLinks", NEEDS, _link_list, "task"),
    Route(f"{_ONE}/attachments", "ReadAttachment", NEEDS, _attachments, "task"),
    Route(f"{_ONE}/attachments/{{attachment}}", "ReadAttachment", NEEDS, _get_attachment, "task"),
    Route(f"{_ONE}/attachments/{{attachment}}/$value", "ReadAttachment", NEEDS, _attachment_value, "task"),
)
