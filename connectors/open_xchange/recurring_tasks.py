"""Store recurring tasks, which CalDAV refuses, in task lists.

`new` with a recurrence and `all` by columns were recorded on 8.19. That `new` keeps a UID of our own, that
times are in UTC where `timezone` says so, `get`, `update` and `delete` are read in the vendor's documents,
not measured. Nobody is told: a task of ours has no participants, and no request has `notification`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from connectors.open_xchange import task_fields
from connectors.open_xchange.answers import not_api, rows
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.distribution_lists import moment_of
from connectors.open_xchange.side_items import Current, Entry
from model.errors import Rejected
from model.kinds import Kind

MODULE: Final = "tasks"
COLUMNS: Final = "1,223,209"
"""The number, the UID, and how it comes back."""
UTC: Final = {"timezone": "UTC"}
"""Without it moments are told by the clock of the account's own zone."""


class RecurringTasks:
    """Implement `connectors.open_xchange.side_items.SideStore` for tasks."""

    kind = Kind.TASKS

    def __init__(self, client: ApiClient) -> None:
        """Prepare the store.

        Args:
            client: the API.
        """
        self._client = client

    def takes(self, stream: BinaryIO) -> bool:
        """Return True for a task with a rule."""
        return task_fields.comes_back(stream)

    def entries(self, folder: str) -> Iterator[Entry]:
        """Yield the tasks of a list, in the order of their numbers, with those of CalDAV."""
        found = self._client.look(MODULE, "all", {"folder": folder, "columns": COLUMNS})
        tasks = [Entry(str(id_), str(uid or id_), bool(kind)) for id_, uid, kind in rows(found, 3)]
        yield from sorted(tasks, key=lambda entry: (len(entry.id), entry.id))

    def is_well(self, folder: str) -> bool:
        """Return True if a folder is listed at once; nothing is waited out."""
        return self._client.answers(MODULE, "all", {"folder": folder, "columns": "1"})

    def read(self, folder: str, entry: Entry) -> Current:
        """Return a task as an iCalendar object."""
        found = self._client.look(MODULE, "get", {"id": entry.id, "folder": folder, **UTC})
        stated = found.get("data")
        if not isinstance(stated, dict):
            raise not_api()
        return Current(task_fields.to_object(stated), moment_of(found))

    def create(self, folder: str, uid: str, body: bytes) -> None:
        """Create a task with a UID of our own."""
        given = {name: value for name, value in task_fields.to_task(body).items() if value is not None}
        made = self._client.ask(MODULE, "new", UTC, {**given, "folder_id": folder, "uid": uid}).get("data")
        if not isinstance(made, dict) or not made.get("id"):
            raise not_api()

    def replace(self, folder: str, entry: Entry, body: bytes, moment: str) -> None:
        """Replace all of a task that we write."""
        where = {"id": entry.id, "folder": folder, "timestamp": moment, **UTC}
        self._client.ask(MODULE, "update", where, task_fields.to_task(body))

    def delete(self, folder: str, entry: Entry, moment: str) -> None:
        """Delete a task."""
        which = [{"id": entry.id, "folder": folder}]
        kept = self._client.ask(MODULE, "delete", {"timestamp": moment}, which).get("data")
        if kept:
            raise Rejected("changed-at-target", "somebody changed it at the same time")
