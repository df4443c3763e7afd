"""Read tasks of Microsoft To Do into the <t:Task> of EWS.

The record: {"item": the task, with checklistItems and linkedResources; "textBody": the text of its HTML;
"attachments": what is attached, without contents}. To Do has no word for the percentage, work, mileage,
billing, owner, companies and people of a task, its sensitivity, its fields of the user's own, and for coming
back only when it was done. Graph gives no MAPI property of it either.

Its steps, which Exchange does not know, become lines of the text; its links become attachments that are
links.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from mappings.exchange.graph_json import (
    Json,
    add,
    attachments,
    body,
    common,
    inner,
    instant,
    record,
    rows,
    said,
    started,
    told,
)
from mappings.exchange.graph_recurrence import recurrence
from mappings.fields.ews_xml import Element
from model.protocols import Native

STATES: Mapping[str, str] = {
    "notstarted": "NotStarted",
    "inprogress": "InProgress",
    "completed": "Completed",
    "waitingonothers": "WaitingOnOthers",
    "deferred": "Deferred",
}
DATES = (
    ("StartDate", "startDateTime"), ("DueDate", "dueDateTime"), ("CompleteDate", "completedDateTime"),
    ("ReminderDueBy", "reminderDateTime"),
)  # fmt: skip


def items(native: Native) -> list[Element]:
    """Return the task's element.

    Raises:
        Rejected: "malformed-record".
    """
    fields = record(native)
    return [_task(fields["item"], fields.get("textBody"), rows(fields.get("attachments")))]


def _task(task: Json, plain: object, attached: list[Json]) -> Element:
    element = started("Task")
    add(element, "ItemId", Id=said(task.get("id")))
    common(element, task, "title")
    _body(element, task, plain if isinstance(plain, str) else None)
    attachments(element, [*attached, *(_link(resource) for resource in rows(task.get("linkedResources")))])
    told(element, "ReminderIsSet", task.get("isReminderOn"))
    for name, key in DATES:
        told(element, name, instant(task.get(key)))
    state = said(task.get("status"))
    told(element, "Status", STATES.get(state.lower(), state))
    if state.lower() == "notstarted":
        add(element, "PercentComplete", 0)  # the two go together in Exchange (MS-OXOTASK 2.2.2.2.3)
    if isinstance(task.get("recurrence"), dict):
        recurrence(element, task["recurrence"])
    return element


def _body(element: Element, task: Json, plain: str | None) -> None:
    """Write steps as a list that programs show with boxes to tick (GitHub's Markdown), below the text."""
    steps = rows(task.get("checklistItems"))
    if not steps:
        body(element, task, plain, typed_plain=False)
        return
    lines = [f"- [{'x' if step.get('isChecked') is True else ' '}] {_line(step)}" for step in steps]
    content_of = inner(task.get("body"))
    content, listed = said(content_of.get("content")), "\n".join(lines)
    formatted = said(content_of.get("contentType")).lower() == "html"
    below = f"<pre>{html.escape(listed)}</pre>" if formatted else listed
    whole = {**task, "body": {**content_of, "content": _joined(content, below, formatted=formatted)}}
    body(element, whole, None if plain is None else _joined(plain, listed), typed_plain=False)
    add(element, "Lost", field="steps", reason="in-text")


def _line(step: Json) -> str:
    return " ".join(said(step.get("displayName")).split())


def _joined(text: str, below: str, *, formatted: bool = False) -> str:
    if not text.strip():
        return below
    at = text.lower().rfind("</body>") if formatted else -1
    return f"{text[:at]}{below}{text[at:]}" if at >= 0 else f"{text.rstrip()}\n\n{below}"


def _link(link: Json) -> Json:
    """Return a link to what the task is about, in another program, as an attachment."""
    name = said(link.get("displayName")) or said(link.get("applicationName"))
    kind = "#microsoft.graph.referenceAttachment"
    return {"@odata.type": kind, "id": said(link.get("id")), "name": name, "sourceUrl": link.get("webUrl")}
