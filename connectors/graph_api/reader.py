"""Define what reads one kind of item over Graph, and what all readers share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from connectors.graph_api.client import PAGES_MOST, GraphClient, Json, listed, rest_of
from connectors.graph_api.errors import GraphRefusal, translated
from connectors.graph_api.messages import ref_of
from model.errors import CursorLost, Transient
from model.protocols import Container, Failed, Native, Page, Ref


class ItemReader(Protocol):
    """Read one kind of items for a GraphSource: its part of `model.protocols.Source`.

    A GraphRefusal may leave it; the source translates it.
    """

    def containers(self) -> Iterator[Container]:
        """List the containers of this kind; see `model.protocols.Source.containers`."""
        ...

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List what changed since a cursor; see `model.protocols.Source.changes`."""
        ...

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read items; see `model.protocols.Source.fetch`."""
        ...


@contextmanager
def translating() -> Iterator[None]:
    """Translate refusals at the edge of the connector: no GraphRefusal leaves it.

    Raises:
        Transient, Blocked, CursorLost: in place of a GraphRefusal; see
            `connectors.graph_api.errors.translated`.
    """
    try:
        yield
    except GraphRefusal as refused:
        raise translated(refused) from None


def pages(client: GraphClient, path: str, options: str, cursor: str | None) -> Iterator[Page]:
    """Yield a page of changes for each page of the server.

    Of an item that is named twice in one page the last row counts.

    Args:
        client: the Graph client.
        path: the path of the delta.
        options: the query of a first round.
        cursor: None begins a first round.

    Raises:
        CursorLost, Transient, GraphRefusal, Blocked: as in `delta`.
    """
    prefer = f"odata.maxpagesize={client.settings.page_items}"
    for rows, after in delta(client, path, options, cursor, prefer):
        refs = {ref.id: ref for row in rows if (ref := ref_of(row, after)) is not None}
        yield Page(tuple(refs.values()), after, full=cursor is None)


def delta(
    client: GraphClient, path: str, options: str, cursor: str | None, prefer: str = ""
) -> Iterator[tuple[list[Json], str]]:
    """Yield the rows of each page, and the cursor after it, until a page has the link of the next round.

    Args:
        client: the Graph client.
        path: the path of the delta.
        options: the query of a first round; later the links carry it.
        cursor: None begins a first round.
        prefer: further preferences for the header Prefer.

    Raises:
        CursorLost: "cursor-lost" when the state is gone, also in the middle of a round.
        Transient: "sync-stuck" when the links lead in a circle; the retries are used up.
        GraphRefusal, Blocked: the server refuses.

    Source:
        https://learn.microsoft.com/graph/delta-query-overview
    """
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
        stuck = mark in seen or (following == state and not rows) or len(seen) > PAGES_MOST
        if following and stuck:
            raise Transient("sync-stuck", "the server does not advance its link")
        seen.add(mark)
        yield rows, after
        if not following:
            return
        state = after


def _mark(link: str, rows: list[Json]) -> bytes:
    """Return a digest that is equal for pages with the same items before the same link."""
    digest = hashlib.blake2b(link.encode(), digest_size=12)
    for row in rows:
        digest.update(f"\0{row.get('id')}".encode())
    return digest.digest()
