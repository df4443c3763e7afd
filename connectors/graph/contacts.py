"""Read contacts: their folders, what changed in them, and each contact with its picture.

Lists of people (IPM.DistList) and files attached to a contact do not exist in Graph v1.0.

Source:
    https://learn.microsoft.com/graph/api/resources/contact
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from connectors.exchange.folders import ExchangeFolder, containers
from connectors.graph.attachments import content
from connectors.graph.calendar import classes
from connectors.graph.events import BARE, ITEM_CLASS, written
from connectors.graph_api.batch import PARTS_MOST, BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.fields import CONTACT, CONTACT_EXPAND, FOLDER_EXPAND
from connectors.graph_api.folders import FOLDERS_MOST, tagged
from connectors.graph_api.item_errors import first_read, refused
from connectors.graph_api.reader import pages
from connectors.spool import bytes_body
from model.errors import Transient
from model.protocols import Body, Container, Failed, Native, Page, Ref

FORMAT = "graph-contact"
CONTACTS, CONTACT_CLASS = "IPF.Contact", "IPM.Contact"
PHOTO = "photo"
DEFAULT = "contacts"
LISTED = "id,displayName,parentFolderId"


class ContactReader:
    """Read contacts. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def containers(self) -> Iterator[Container]:
        """List the default address book, those beside it and those below."""
        default = self._client.get(self._path(DEFAULT), query(select=LISTED))
        rows = {str(row.get("id") or ""): row for row in self._list_rows(default)}
        rows.pop("", None)
        options = query(select="id", expand=FOLDER_EXPAND)
        kinds = classes(self._client, {id_: f"{self._path(id_)}?{options}" for id_ in rows})
        folders = [_folder(id_, row, *kinds.get(id_, ("", False))) for id_, row in rows.items()]
        yield from containers(folders, "", {str(default.get("id")): "contacts"})

    def _list_rows(self, default: Json) -> Iterator[Json]:
        """Yield every folder, level by level; those at the top are beside the default one or below it."""
        yield default
        level = {str(default.get("id") or ""): default}
        level |= {
            str(row.get("id")): row
            for row in self._client.rows(f"{self._client.home}/contactFolders", query(select=LISTED, top=100))
        }
        seen: set[str] = set()
        while level:
            yield from level.values()
            seen |= level.keys()
            if len(seen) > FOLDERS_MOST:
                raise Transient("not-graph", "more folders than a mailbox can have")
            below = [row for id_ in level for row in self._children(id_)]
            level = {str(row.get("id")): row for row in below if str(row.get("id")) not in seen}

    def _children(self, id_: str) -> Iterator[Json]:
        return self._client.rows(f"{self._path(id_)}/childFolders", query(select=LISTED, top=100))

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Yield a page for each page of the server; see `connectors.graph_api.reader.pages`.

        Any change of a contact makes a row.
        """
        path = f"{self._path(container.id)}/contacts/delta"
        return pages(self._client, path, query(select=CONTACT), cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read contacts; see `model.protocols.Source.fetch`."""
        rest = iter(refs)
        while batch := list(islice(rest, PARTS_MOST)):
            yield from self._read(self._path(container.id), batch, bodies=bodies)

    def _read(self, folder: str, refs: Sequence[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read one batch of contacts."""
        refs_by_id = {ref.id: ref for ref in refs}
        options = query(select=CONTACT, expand=CONTACT_EXPAND) if bodies else BARE
        asks = {id_: f"{_in(folder, id_)}?{options}" for id_ in refs_by_id}
        contacts: list[tuple[Ref, Json]] = []
        for result in first_read(self._client, refs_by_id, asks, folder):
            if isinstance(result, Failed):
                yield result
            else:
                contacts.append(result)
        photos = self._photos(folder, [ref.id for ref, _ in contacts]) if bodies else {}
        for ref, contact in contacts:
            yield self._native(ref, contact, photos, bodies=bodies)

    def _photos(self, folder: str, ids: Iterable[str]) -> Mapping[str, Body | None]:
        """Return the pictures of those that have one; None where it cannot be read.

        Every contact is asked, because no property says it reliably.
        """
        photos: dict[str, Body | None] = {}
        asks = {id_: f"{_in(folder, id_)}/photo/$value" for id_ in ids}
        for id_, outcome in BatchReader(self._client, raw=True).run(asks):
            if isinstance(outcome, GraphRefusal):
                if outcome.status in {401, 403}:
                    refused(self._client, Ref(id_, ""), outcome, folder)
                body: Body | GraphRefusal = outcome
            else:
                data = outcome.data()
                body = content(self._client, asks[id_]) if data is None else bytes_body(data)
            if not isinstance(body, GraphRefusal):
                photos[id_] = body
            elif body.status != 404 and not body.absent:
                photos[id_] = None
        return photos

    def _native(self, ref: Ref, contact: Json, photos: Mapping[str, Body | None], *, bodies: bool) -> Native:
        """Return a contact with its picture."""
        class_ = tagged(contact).get(ITEM_CLASS) or CONTACT_CLASS
        photo = photos.get(ref.id)
        files = {} if photo is None else {PHOTO: photo}
        record = {"item": contact, "photo": ref.id in photos}
        body = written(self._client, record) if bodies else None
        return Native(ref, FORMAT, {"ItemClass": class_, "Attachments": files}, body)

    def _path(self, id_: str) -> str:
        return f"{self._client.home}/contactFolders/{segment(id_)}"


def _in(folder: str, id_: str) -> str:
    return f"{folder}/contacts/{segment(id_)}"


def _folder(id_: str, row: Json, class_: str, hidden: bool) -> ExchangeFolder:
    return ExchangeFolder(
        id=id_,
        parent=str(row.get("parentFolderId") or ""),
        name=str(row.get("displayName") or ""),
        class_=class_ if class_.lower().startswith(CONTACTS.lower()) else CONTACTS,
        total=None,
        size=None,
        hidden=hidden,
        search=False,
    )
