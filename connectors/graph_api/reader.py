"""What reads one kind of item over Graph, and what all readers share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from connectors.graph_api.client import GraphClient, Json, listed, rest_of
from connectors.graph_api.errors import GraphRefusal, translated
from connectors.graph_api.messages import ref_of
from model.errors import CursorLost, Transient
from model.protocols import Container, Failed, Native, Page, Ref


class ItemReader(Protocol):
    """One kind of a GraphSource: its part of what model.protocols.Source promises. A Refusal may leave it;
    the source translates it."""

    def containers(self) -> Iterator[Container]: ...

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]: ...

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool
    ) -> Iterator[Native | Failed]: ...


@contextmanager
def translating() -> Iterator[None]:
    """The edge of the connector: no Refusal leaves it."""
    try:
        yield
    except GraphRefusal as refused:
        raise translated(refused) from None


def pages(client: GraphClient, path: str, options: str, cursor: str | None) -> Iterator[Page]:
    """A page of changes for each of the server's; of an item named twice in one, the last word counts."""
    prefer = f"odata.maxpagesize={client.settings.page_items}"
    for rows, after in delta(client, path, options, cursor, prefer):
        refs = {ref.id: ref for row in rows if (ref := ref_of(row, after)) is not None}
        yield Page(tuple(refs.values()), after, full=cursor is None)


def delta(
    client: GraphClient, path: str, options: str, cursor: str | None, prefer: str = ""
) -> Iterator[tuple[list[Json], str]]:
    """The rows of each page, and the cursor after it, until a page brings the link of the next round. cursor:
    None begins a first round with these options; else the links carry them.

    Raises CursorLost, also in the middle of a round, where what the cursor stands for is gone; Transient
    where the links lead in a circle."""
    state = cursor
    seen: set[bytes] = set()
    while True:
        try:
            page = client.get(path, state or options, prefer)
        except GraphRefusal as refused:
            if not refused.lost:
                raise
            if state is None:
                raise Transient("server-error", "the server refuses to begin a listing") from None
            raise CursorLost("cursor-lost", "the server no longer knows the state of this folder") from None
        rows = listed(page)
        following = rest_of(page.get("@odata.nextLink"))
        after = following or rest_of(page.get("@odata.deltaLink"))
        if not after:
            raise CursorLost("cursor-lost", "the server gave no link to go on from")
        mark = _mark(following, rows)
        if following and (mark in seen or (following == state and not rows)):
            raise Transient("sync-stuck", "the server does not advance its link")
        seen.add(mark)
        yield rows, after
        if not following:
            return
        state = after


def _mark(link: str, rows: list[Json]) -> bytes:
    """The same for a page that names the same items before the same link."""
    digest = hashlib.blake2b(link.encode(), digest_size=12)
    for row in rows:
        digest.update(f"\0{row.get('id')}".encode())
    return digest.digest()
