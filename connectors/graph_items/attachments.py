"""What is attached to events and tasks: listed without contents, and the contents, each a body of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from connectors.graph_api.batch import SUSPECT, WAITED_OUT, BatchReader, BatchReply
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.collections import collected
from connectors.graph_api.errors import GraphRefusal, translated
from connectors.spool import bytes_body
from model.errors import Transient
from model.protocols import Body

LISTED = "id,name,contentType,size,isInline,lastModifiedDateTime"
TASK_LISTED = "id,name,contentType,size,lastModifiedDateTime"
LINK = "#microsoft.graph.referenceattachment"
SMALL = 500_000
TRIES, FIRST_WAIT = 3, 0.05


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment: whose, what Graph says of it, and where it is."""

    owner: str
    facts: Json
    path: str

    @property
    def id(self) -> str:
        return str(self.facts.get("id") or "")

    @property
    def holds(self) -> bool:
        """Whether there is a content here; a link to a file elsewhere has none."""
        return bool(self.id) and str(self.facts.get("@odata.type") or "").lower() != LINK

    @property
    def small(self) -> bool:
        """Whether it may come in a batch: there JSON would be taken for an answer, HTML for a proxy's."""
        size, media = self.facts.get("size"), str(self.facts.get("contentType") or "").lower()
        known = isinstance(size, int) and not isinstance(size, bool) and 0 < size <= SMALL
        return known and "json" not in media and "html" not in media


def attachments(
    client: GraphClient, owners: Mapping[str, str], fields: str = LISTED
) -> Iterator[tuple[str, list[Attached] | GraphRefusal]]:
    """owners: id -> the item's path. What each has, in the server's order."""
    options = query(select=fields, top=100)
    asks = {id_: f"{path}/attachments?{options}" for id_, path in owners.items()}
    for id_, rows in collected(client, asks):
        if isinstance(rows, GraphRefusal):
            yield id_, rows
            continue
        path = f"{owners[id_]}/attachments"
        yield id_, [Attached(id_, row, f"{path}/{segment(str(row.get('id') or ''))}") for row in rows]


def contents(client: GraphClient, found: Iterable[Attached]) -> dict[str, Body | GraphRefusal]:
    """By attachment id. A Refusal is why the server does not give it, for good: what passes is waited out, or
    raised as Transient."""
    holding = {one.id: one for one in found if one.holds}
    bodies: dict[str, Body | GraphRefusal] = {}
    asks = {id_: f"{one.path}/$value" for id_, one in holding.items() if one.small}
    for id_, outcome in BatchReader(client, raw=True).run(asks):
        data = outcome.data() if isinstance(outcome, BatchReply) else None
        if isinstance(outcome, GraphRefusal):
            bodies[id_] = outcome
        elif data is not None:
            bodies[id_] = bytes_body(data)
    for id_, one in holding.items():
        if id_ not in bodies:  # large, or damaged on the way
            bodies[id_] = content(client, f"{one.path}/$value")
    return bodies


def content(client: GraphClient, path: str) -> Body | GraphRefusal:
    """One content, spooled when large. An outage is not blamed on it. Raises Transient or Blocked."""
    patience, suspects = client.patience(), 0
    while True:
        try:
            return client.streamed(path, html=True)
        except GraphRefusal as refused:
            error = translated(refused)
            if refused.absent or refused.unconvertible or not isinstance(error, Transient):
                return refused
            passing, why = error, refused
        except Transient as cut:
            passing, why = cut, GraphRefusal(504, cut.code)
        if passing.code in WAITED_OUT:
            client.pause(patience, passing)
        elif passing.code not in SUSPECT:
            raise passing
        elif suspects + 1 < TRIES:
            suspects += 1
            client.wait(FIRST_WAIT * 4**suspects)
        else:
            client.probe()
            return why
