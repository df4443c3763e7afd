"""Collections of many items at once, each read to its end. Every page is a part of a batch: one that is
refused, has no rows or no end is that item's own trouble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.graph_api.batch import INCOMPLETE, BatchReader
from connectors.graph_api.client import GraphClient, Json, listed, rest_of
from connectors.graph_api.errors import GraphRefusal

PAGES_MOST = 5_000
ROWS_MOST = 100_000
"""Of one item: SharePoint keeps 50,000 versions of a file at most."""


def collected(
    client: GraphClient, asks: Mapping[str, str]
) -> Iterator[tuple[str, list[Json] | GraphRefusal]]:
    """name -> the path of a collection with its query. One outcome for each name, in any order: all rows, in
    the server's; a Refusal as Batch tells them. Raises Transient and Blocked as it does."""
    found: dict[str, list[Json]] = {name: [] for name in asks}
    todo = dict(asks)
    for _ in range(PAGES_MOST):
        following: dict[str, str] = {}
        for name, outcome in BatchReader(client).run(todo):
            rows = found[name]
            if isinstance(outcome, GraphRefusal):
                yield name, outcome
            elif not isinstance(outcome.json.get("value"), list):
                yield name, GraphRefusal(502, INCOMPLETE)
            else:
                rows += listed(outcome.json)
                link = rest_of(outcome.json.get("@odata.nextLink"))
                if not link:
                    yield name, rows
                elif len(rows) <= ROWS_MOST and not todo[name].endswith(f"?{link}"):
                    following[name] = f"{todo[name].partition('?')[0]}?{link}"
                else:
                    yield name, GraphRefusal(502, INCOMPLETE)
        if not following:
            return
        todo = following
    yield from ((name, GraphRefusal(502, INCOMPLETE)) for name in todo)
