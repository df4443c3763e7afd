"""Store distribution lists, which CardDAV drops, in address books.

`all`, `new` and `get` of `addressbooks` were recorded on 8.19; that lists are found by `all`, and not by a
search, is because only that was. `update` and `delete` are read in the vendor's documents, not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from connectors.open_xchange import group_cards
from connectors.open_xchange.answers import Json, not_api, rows
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.side_items import Current, Entry
from model.errors import Rejected
from model.kinds import Kind

MODULE: Final = "addressbooks"
COLUMNS: Final = "1,223,602"
"""The number, the UID, and the mark of a list."""


class DistributionLists:
    """Implement `connectors.open_xchange.side_items.SideStore` for contacts."""

    kind = Kind.CONTACTS

    def __init__(self, client: ApiClient) -> None:
        """Prepare the store.

        Args:
            client: the API.
        """
        self._client = client

    def takes(self, stream: BinaryIO) -> bool:
        """Return True for a group's card."""
        return group_cards.is_group(stream)

    def entries(self, folder: str) -> Iterator[Entry]:
        """Yield the lists of an address book, in the order of their numbers."""
        found = self._client.look(MODULE, "all", {"folder": folder, "columns": COLUMNS})
        lists = [Entry(str(id_), str(uid or id_), True) for id_, uid, mark in rows(found, 3) if mark]
        yield from sorted(lists, key=lambda entry: (len(entry.id), entry.id))

    def is_well(self, folder: str) -> bool:
        """Return True if a folder is listed at once; nothing is waited out."""
        return self._client.answers(MODULE, "all", {"folder": folder, "columns": "1"})

    def read(self, folder: str, entry: Entry) -> Current:
        """Return a list as a card."""
        found = self._client.look(MODULE, "get", {"id": entry.id, "folder": folder})
        stated = found.get("data")
        if not isinstance(stated, dict):
            raise not_api()
        return Current(group_cards.to_card(stated), moment_of(found))

    def create(self, folder: str, uid: str, body: bytes) -> None:
        """Create a list with a UID of our own."""
        fields = {"folder_id": folder, "uid": uid, **group_cards.to_list(body)}
        made = self._client.ask(MODULE, "new", {}, fields).get("data")
        if not isinstance(made, dict) or not made.get("id"):
            raise not_api()

    def replace(self, folder: str, entry: Entry, body: bytes, moment: str) -> None:
        """Replace name and members of a list."""
        where = {"id": entry.id, "folder": folder, "timestamp": moment}
        self._client.ask(MODULE, "update", where, group_cards.to_list(body))

    def delete(self, folder: str, entry: Entry, moment: str) -> None:
        """Delete a list."""
        kept = self._client.ask(MODULE, "delete", {"timestamp": moment}, [{"id": entry.id, "folder": folder}])
        if kept.get("data"):
            raise Rejected("changed-at-target", "somebody changed it at the same time")


def moment_of(found: Json) -> str:
    """Return the time stamp of an answer, by which the server notices later changes.

    Raises:
        Transient: "not-http-api" for an answer without one.
    """
    moment = found.get("timestamp")
    if not isinstance(moment, int):
        raise not_api()
    return str(moment)
