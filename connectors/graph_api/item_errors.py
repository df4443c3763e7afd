"""What becomes of one item that Graph refuses, and of one that another request has to be repeated for."""

from __future__ import annotations

from connectors.graph_api.client import GraphClient, query
from connectors.graph_api.errors import BLOCKED, DENIED, GraphRefusal, item_error
from model.errors import Rejected
from model.protocols import Failed, Ref, key_of
from model.server_words import NOTHING, ServerWords


def refused(client: GraphClient, ref: Ref, refusal: GraphRefusal, container: str) -> Failed:
    """The fate of one item, unless it is the mailbox that is refused. container: the path of what it lies in,
    asked where an item is forbidden. Raises Refusal, Transient or Blocked."""
    blocked = BLOCKED.get(refusal.code, ("",))[0]
    if refusal.status == 401 or (blocked and blocked not in DENIED):
        raise refusal
    if refusal.status == 403:
        client.get(container, query(select="id"))
    if (refusal.status >= 500 or refusal.status == 408) and not refusal.unconvertible:
        return poison(ref, refusal.said)
    return Failed(key_of(ref.id), item_error(refusal))


def poison(ref: Ref, said: ServerWords = NOTHING) -> Failed:
    error = Rejected("poison-item", "the server fails whenever this item is read")
    return Failed(key_of(ref.id), error.said(said))
