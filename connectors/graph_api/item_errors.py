"""Decide what a refusal means for one item."""

from __future__ import annotations

from connectors.graph_api.client import GraphClient, query
from connectors.graph_api.errors import BLOCKED, DENIED, GraphRefusal, item_error
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


def poison(ref: Ref, words: ServerWords = NOTHING) -> Failed:
    """Return the failure for an item at which the server fails.

    Args:
        ref: the item.
        words: the server's text.
    """
    error = Rejected("poison-item", "the server fails whenever this item is read")
    return Failed(key_of(ref.id), error.said(words))
