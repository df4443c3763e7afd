"""Read tasks: the lists of Microsoft To Do, what changed in them, and each task with steps, links and files.

To Do gives no MAPI properties, and only files as attachments. A task's id changes when it moves to another
list, also with immutable ids.

Source:
    https://learn.microsoft.com/graph/api/resources/todo-overview
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from connectors.graph.attachments import TASK_LISTED, Attached, attachments, contents
from connectors.graph.calendar import SHARED
from connectors.graph.events import AS_TEXT, written
from connectors.graph_api.batch import PARTS_MOST, BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.fields import TASK, TASK_EXPAND
from connectors.graph_api.item_errors import first_read, refused
from connectors.graph_api.reader import pages
from model.kinds import Kind
from model.protocols import Body, Container, Failed, Native, Page, Ref, Role

FORMAT = "graph-task"
TASK_CLASS = "IPM.Task"
DEFAULT, FLAGGED = "defaultList", "flaggedEmails"
FLAGGED_EMAILS = "flagged-emails"
"""The code of the list that shows flagged mails; the mails move with their folders."""


class TaskReader:
    """Read tasks. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def containers(self) -> Iterator[Container]:
        """List every list, the default one first."""
        listed = self._client.rows(f"{self._client.home}/todo/lists", query(top=100))
        rows = [row for row in listed if row.get("id")]
        for row in sorted(rows, key=lambda row: row.get("wellknownListName") != DEFAULT):
            well_known = row.get("wellknownListName")
            omit = (
                FLAGGED_EMAILS if well_known == FLAGGED else SHARED if row.get("isOwner") is False else None
            )
            yield Container(
                kind=Kind.TASKS,
                id=str(row["id"]),
                path=(str(row.get("displayName") or ""),),
                role=Role.TASKS if well_known == DEFAULT else None,
                omit=omit,
            )

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Yield a page for each page of the server; see `connectors.graph_api.reader.pages`."""
        path = f"{self._path(container.id)}/tasks/delta"
        return pages(self._client, path, "", cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read tasks; see `model.protocols.Source.fetch`."""
        rest = iter(refs)
        while batch := list(islice(rest, PARTS_MOST)):
            yield from self._read(self._path(container.id), batch, bodies=bodies)

    def _read(self, list_: str, refs: Sequence[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read one batch of tasks."""
        refs_by_id = {ref.id: ref for ref in refs}
        asks = self._asks(list_, refs_by_id, query(select=TASK, expand=TASK_EXPAND))
        tasks: dict[str, tuple[Ref, Json]] = {}
        for result in first_read(self._client, refs_by_id, asks, list_):
            if isinstance(result, Failed):
                yield result
            else:
                tasks[result[0].id] = result
        if not bodies:
            yield from (Native(ref, FORMAT, _properties({})) for ref, _ in tasks.values())
            return
        yield from self._complete(list_, tasks)

    def _asks(self, list_: str, ids: Iterable[str], options: str) -> dict[str, str]:
        return {id_: f"{_in(list_, id_)}?{options}" for id_ in ids}

    def _complete(self, list_: str, tasks: Mapping[str, tuple[Ref, Json]]) -> Iterator[Native | Failed]:
        """Add texts and attachments, and yield the tasks."""
        texts = self._texts(list_, {id_: task for id_, (_, task) in tasks.items()})
        owners = {id_: _in(list_, id_) for id_, (_, task) in tasks.items() if task.get("hasAttachments")}
        attached: dict[str, list[Attached]] = {}
        for id_, outcome in attachments(self._client, owners, TASK_LISTED):
            if isinstance(outcome, GraphRefusal):
                yield refused(self._client, tasks[id_][0], outcome, list_)
            else:
                attached[id_] = outcome
        bodies = contents(self._client, (attachment for each in attached.values() for attachment in each))
        for id_, (ref, task) in tasks.items():
            if id_ in owners and id_ not in attached:
                continue
            files = attached.get(id_, [])
            pairs = ((attachment.id, bodies.get(attachment.id)) for attachment in files)
            files_by_id = {
                name: body for name, body in pairs if body is not None and not isinstance(body, GraphRefusal)
            }
            record = {
                "item": task,
                "textBody": texts.get(id_),
                "attachments": [attachment.facts for attachment in files],
            }
            yield Native(ref, FORMAT, _properties(files_by_id), written(self._client, record))

    def _texts(self, list_: str, tasks: Mapping[str, Json]) -> dict[str, str]:
        """Return the texts of HTML bodies, as the server renders them."""
        formatted = [id_ for id_, task in tasks.items() if _body(task).get("contentType") == "html"]
        texts = {}
        asks = self._asks(list_, formatted, query(select="id,body"))
        for id_, outcome in BatchReader(self._client, AS_TEXT).run(asks):
            if isinstance(outcome, GraphRefusal):
                if not outcome.absent:
                    refused(self._client, Ref(id_, ""), outcome, list_)
            elif _body(outcome.json).get("contentType") == "text":
                texts[id_] = str(_body(outcome.json).get("content") or "")
        return texts

    def _path(self, id_: str) -> str:
        return f"{self._client.home}/todo/lists/{segment(id_)}"


def _in(list_: str, id_: str) -> str:
    return f"{list_}/tasks/{segment(id_)}"


def _body(task: Json) -> Json:
    body = task.get("body")
    return body if isinstance(body, dict) else {}


def _properties(held: Mapping[str, Body]) -> dict[str, object]:
    return {"ItemClass": TASK_CLASS, "Attachments": held}
