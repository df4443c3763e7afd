"""Store recurring tasks, which CalDAV refuses, in task lists.

`new` with a recurrence and `all` by columns were recorded on 8.19. That `new` keeps a UID of our own, that
times are in UTC where `timezone` says so, `get`, `update` and `delete` are read in the vendor's documents,
not measured. Nobody is told: a task of ours has no participants, and no request has `notification`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from connectors.open_xchange import task_fields
from connectors.open_xchange.api_store import ApiStore
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.side_items import Current, Entry
from model.kinds import Kind

COLUMNS: Final = "1,223,209"
"""The number, the UID, and how it comes back."""
UTC: Final = {"timezone": "UTC"}
"""Without it moments are told by the clock of the account's own zone."""


class RecurringTasks(ApiStore):
    """Implement `connectors.open_xchange.side_items.SideStore` for tasks."""

    kind = Kind.TASKS

    def __init__(self, client: ApiClient) -> None:
        super().__init__(client, "tasks", UTC)

    def takes(self, stream: BinaryIO) -> bool:
        """Return True for a task with a rule."""
        return task_fields.comes_back(stream)

    def entries(self, folder: str) -> Iterator[Entry]:
        """Yield the tasks of a list, in the order of their numbers, with those of CalDAV."""
        listed = self._listed(folder, COLUMNS)
        yield from (Entry(str(id_), str(uid or id_), bool(kind)) for id_, uid, kind in listed)

    def read(self, folder: str, entry: Entry) -> Current:
        """Return a task as an iCalendar object."""
        stated, moment = self._get(folder, entry)
        return Current(task_fields.to_object(stated), moment)

    def create(self, folder: str, uid: str, body: bytes) -> None:
        """Create a task with a UID of our own."""
        fields = {name: value for name, value in task_fields.to_task(body).items() if value is not None}
        self._new(folder, uid, fields)

    def replace(self, folder: str, entry: Entry, body: bytes, moment: str) -> None:
        """Replace all of a task that we write."""
        self._update(folder, entry, task_fields.to_task(body), moment)
