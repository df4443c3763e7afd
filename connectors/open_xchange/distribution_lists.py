"""Store distribution lists, which CardDAV drops, in address books.

`all`, `new` and `get` of `addressbooks` were recorded on 8.19; that lists are found by `all`, and not by a
search, is because only that was. `update` and `delete` are read in the vendor's documents, not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from connectors.open_xchange import group_cards
from connectors.open_xchange.api_store import ApiStore
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.side_items import Current, Entry
from model.kinds import Kind

COLUMNS: Final = "1,223,602"
"""The number, the UID, and the mark of a list."""


class DistributionLists(ApiStore):
    """Implement `connectors.open_xchange.side_items.SideStore` for contacts."""

    kind = Kind.CONTACTS

    def __init__(self, client: ApiClient) -> None:
        super().__init__(client, "addressbooks", {})

    def takes(self, stream: BinaryIO) -> bool:
        """Return True for a group's card."""
        return group_cards.is_group(stream)

    def entries(self, folder: str) -> Iterator[Entry]:
        """Yield the lists of an address book, in the order of their numbers."""
        listed = self._listed(folder, COLUMNS)
        yield from (Entry(str(id_), str(uid or id_), True) for id_, uid, mark in listed if mark)

    def read(self, folder: str, entry: Entry) -> Current:
        """Return a list as a card."""
        stated, moment = self._get(folder, entry)
        return Current(group_cards.to_card(stated), moment)

    def create(self, folder: str, uid: str, body: bytes) -> None:
        """Create a list with a UID of our own."""
        self._new(folder, uid, group_cards.to_list(body))

    def replace(self, folder: str, entry: Entry, body: bytes, moment: str) -> None:
        """Replace name and members of a list."""
        self._update(folder, entry, group_cards.to_list(body), moment)
