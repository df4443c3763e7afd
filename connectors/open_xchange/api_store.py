"""Ask the API about the items of one module: what is the same for lists and for tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.open_xchange.answers import Json, not_api, rows
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.side_items import Entry
from model.errors import Rejected


class ApiStore:
    """Implement what a `connectors.open_xchange.side_items.SideStore` does in any module of the API."""

    def __init__(self, client: ApiClient, module: str, parameters: Mapping[str, str]) -> None:
        """Prepare the store.

        Args:
            client: the API.
            module: its module.
            parameters: what each request about an item has in addition.
        """
        self._client = client
        self._module = module
        self._parameters = parameters

    def is_well(self, folder: str) -> bool:
        """Return True if a folder is listed at once; nothing is waited out."""
        return self._client.answers(self._module, "all", {"folder": folder, "columns": "1"})

    def delete(self, folder: str, entry: Entry, moment: str) -> None:
        """Delete an item that did not change since a moment."""
        which = [{"id": entry.id, "folder": folder}]
        kept = self._client.ask(self._module, "delete", {"timestamp": moment}, which)
        if kept.get("data"):
            raise Rejected("changed-at-target", "somebody changed it at the same time")

    def _listed(self, folder: str, columns: str) -> list[list[Any]]:
        """Return three columns of a folder's items, in the order of their numbers, which come first."""
        found = self._client.look(self._module, "all", {"folder": folder, "columns": columns})
        return sorted(rows(found, 3), key=lambda row: (len(str(row[0])), str(row[0])))

    def _get(self, folder: str, entry: Entry) -> tuple[Json, str]:
        """Return what the API states of an item, and the moment by which it notices later changes.

        Raises:
            Transient: "not-http-api" for an answer without them.
        """
        where = {"id": entry.id, "folder": folder, **self._parameters}
        found = self._client.look(self._module, "get", where)
        stated, moment = found.get("data"), found.get("timestamp")
        if not isinstance(stated, dict) or not isinstance(moment, int):
            raise not_api()
        return stated, str(moment)

    def _new(self, folder: str, uid: str, fields: Mapping[str, object]) -> None:
        """Create an item with a UID of our own."""
        given = {**fields, "folder_id": folder, "uid": uid}
        made = self._client.ask(self._module, "new", self._parameters, given).get("data")
        if not isinstance(made, dict) or not made.get("id"):
            raise not_api()

    def _update(self, folder: str, entry: Entry, fields: Mapping[str, object], moment: str) -> None:
        where = {"id": entry.id, "folder": folder, "timestamp": moment, **self._parameters}
        self._client.ask(self._module, "update", where, fields)
