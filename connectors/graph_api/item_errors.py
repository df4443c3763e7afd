"""Decide what a refusal means for one item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from connectors.graph_api.batch import BatchReader
from connectors.graph_api.client import GraphClient, Json, query
from connectors.graph_api.errors import BLOCKED, DENIED, GraphRefusal, item_error
from connectors.graph_api.messages import version_of
from model.errors import Rejected
from model.protocols import Failed, Ref, key_of
from model.server_words import NOTHING, ServerWords


def refused(client: GraphClient, ref: Ref, refusal: GraphRefusal, container: str) -> Failed:
    """Return the failure of one item, unless the mailbox itself is refused.

    Args:
        client: the Graph client.
        ref: the item.
        refusal: the refusal.
        container: the path of the item's container; it is asked when the item is forbidden.

    Raises:
        GraphRefusal: the mailbox or the container is refused.
        Transient, Blocked: the server cannot be asked.
    """
    blocked = BLOCKED.get(refusal.code, ("",))[0]
    if refusal.status == 401 or (blocked and blocked not in DENIED):
        raise refusal
    if refusal.status == 403:
        client.get(container, query(select="id"))
    if (refusal.status >= 500 or refusal.status == 408) and not refusal.unconvertible:
        return poison(ref, refusal.said)
    return Failed(key_of(ref.id), item_error(refusal))


def first_read(
    client: GraphClient, refs: Mapping[str, Ref], asks: Mapping[str, str], container: str
) -> Iterator[tuple[Ref, Json] | Failed]:
    """Yield each item with its ref, which has the version that was read; or its failure, see `refused`.

    Args:
        client: the Graph client.
        refs: the items by id.
        asks: the path to ask for each of them, by id.
        container: the path of their container.
    """
    for id_, outcome in BatchReader(client).run(asks):
        if isinstance(outcome, GraphRefusal):
            yield refused(client, refs[id_], outcome, container)
        elif not outcome.json.get("id"):
            yield Failed(key_of(id_), Rejected("item-refused", "the server gave something else"))
        else:
            item = outcome.json
            yield replace(refs[id_], version=version_of(item) or refs[id_].version), item


def poison(ref: Ref, words: ServerWords = NOTHING) -> Failed:
    """Return the failure for an item at which the server fails.

    Args:
        ref: the item.
        words: the server's text.
    """
    error = Rejected("poison-item", "the server fails whenever this item is read")
    return Failed(key_of(ref.id), error.quoting(words))
