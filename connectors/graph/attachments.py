"""Read attachments of events and tasks: the list without contents, and each content as a body of its own.

Source:
    https://learn.microsoft.com/graph/api/resources/attachment
"""

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
    """Hold one attachment.

    Attributes:
        owner: the id of the item that has it.
        facts: what Graph says about it.
        path: its path below graph_url.
    """

    owner: str
    facts: Json
    path: str

    @property
    def id(self) -> str:
        """Return the attachment's id, or ""."""
        return str(self.facts.get("id") or "")

    @property
    def holds(self) -> bool:
        """Return True if it has a content here; a link to a file elsewhere has none."""
        return bool(self.id) and str(self.facts.get("@odata.type") or "").lower() != LINK

    @property
    def small(self) -> bool:
        """Return True if it may come in a batch.

        In a batch JSON would be taken for an answer, and HTML for a proxy's page.
        """
        size, media = self.facts.get("size"), str(self.facts.get("contentType") or "").lower()
        is_small = isinstance(size, int) and not isinstance(size, bool) and 0 < size <= SMALL
        return is_small and "json" not in media and "html" not in media


def attachments(
    client: GraphClient, owners: Mapping[str, str], fields: str = LISTED
) -> Iterator[tuple[str, list[Attached] | GraphRefusal]]:
    """Yield what each item has attached, in the server's order, or the refusal.

    Args:
        client: the Graph client.
        owners: the items' paths by id.
        fields: the fields to list.

    Raises:
        Transient, Blocked: as in `BatchReader.run`.
    """
    options = query(select=fields, top=100)
    asks = {id_: f"{path}/attachments?{options}" for id_, path in owners.items()}
    for id_, rows in collected(client, asks):
        if isinstance(rows, GraphRefusal):
            yield id_, rows
            continue
        path = f"{owners[id_]}/attachments"
        yield id_, [Attached(id_, row, f"{path}/{segment(str(row.get('id') or ''))}") for row in rows]


def contents(client: GraphClient, attached: Iterable[Attached]) -> dict[str, Body | GraphRefusal]:
    """Read the contents of attachments.

    Args:
        client: the Graph client.
        attached: the attachments; those without a content are skipped.

    Returns:
        The body by attachment id, or the final refusal.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    holding = {attachment.id: attachment for attachment in attached if attachment.holds}
    bodies: dict[str, Body | GraphRefusal] = {}
    asks = {id_: f"{attachment.path}/$value" for id_, attachment in holding.items() if attachment.small}
    for id_, outcome in BatchReader(client, raw=True).run(asks):
        data = outcome.data() if isinstance(outcome, BatchReply) else None
        if isinstance(outcome, GraphRefusal):
            bodies[id_] = outcome
        elif data is not None:
            bodies[id_] = bytes_body(data)
    for id_, attachment in holding.items():
        if id_ not in bodies:  # large, or damaged in transit
            bodies[id_] = content(client, f"{attachment.path}/$value")
    return bodies


def content(client: GraphClient, path: str) -> Body | GraphRefusal:
    """Return one content, spooled when large, or its final refusal.

    An outage is not blamed on the content.

    Args:
        client: the Graph client.
        path: the path of the content.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
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
