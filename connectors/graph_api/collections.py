"""Read the collections of many items at once, each to its end.

Every page is a part of a batch. A page that is refused, has no rows or no end is a fault of that item alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.graph_api.batch import INCOMPLETE, BatchReader
from connectors.graph_api.client import GraphClient, Json, listed, rest_of
from connectors.graph_api.errors import GraphRefusal

PAGES_MOST = 5_000
ROWS_MOST = 100_000
"""The most rows of one item; SharePoint keeps at most 50,000 versions of a file."""


def collected(
    client: GraphClient, asks: Mapping[str, str]
) -> Iterator[tuple[str, list[Json] | GraphRefusal]]:
    """Yield one outcome for each name, in any order: all rows in the server's order, or a refusal.

    Args:
        client: the Graph client.
        asks: the path of a collection with its query, by name.

    Raises:
        Transient, Blocked: as in `BatchReader.run`.
    """
    rows_by_name: dict[str, list[Json]] = {name: [] for name in asks}
    todo = dict(asks)
    for _ in range(PAGES_MOST):
        following: dict[str, str] = {}
        for name, outcome in BatchReader(client).run(todo):
            rows = rows_by_name[name]
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
