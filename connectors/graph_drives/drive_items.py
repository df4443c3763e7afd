"""Convert Graph's driveItems into entries and files.

Source:
    https://learn.microsoft.com/graph/api/resources/driveitem
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from connectors.exchange.quickxor import QuickXor
from connectors.graph_api.client import Json
from connectors.graph_api.folders import number
from connectors.graph_api.messages import moment
from connectors.graph_drives.drive_index import DriveEntry, Sort
from model.errors import Rejected

URL = "@microsoft.graph.downloadUrl"
LISTED = (
    "id,name,size,parentReference,file,folder,package,remoteItem,root,deleted,fileSystemInfo,"
    "lastModifiedDateTime,shared"
)
FIELDS = (
    "id,name,size,parentReference,file,folder,package,remoteItem,malware,deleted,fileSystemInfo,"
    f"createdDateTime,lastModifiedDateTime,{URL}"
)
OF_NOTHING = QuickXor().text()


@dataclass(frozen=True, slots=True)
class File:
    """Hold a file as Graph describes it now.

    Attributes:
        id: its id.
        parent: the folder's id.
        name: its name.
        version: see version_of.
        size: bytes; 0 also where Graph gives none.
        quickxor: the quickXorHash in base64; "" where Graph gives none.
        mime: the content type.
        url: where its bytes are, for some minutes; "" without an address.
        modified: the date of the last change, or None.
        created: the date of creation, or None.
        empty: True if Graph says that there are no bytes.
    """

    id: str
    parent: str
    name: str
    version: str
    size: int
    quickxor: str
    mime: str
    url: str
    modified: datetime | None
    created: datetime | None
    empty: bool = False

    @property
    def content(self) -> tuple[int, str]:
        """Return what must not change during a download."""
        return self.size, self.quickxor


def entry_of(row: Json) -> DriveEntry | None:
    """Return the entry for a row of a delta; None for a row without an id.

    A notebook and a shortcut into another drive look like folders; they are items that are not files.
    """
    id_ = str(row.get("id") or "")
    if not id_:
        return None
    parent = parent_of(row)
    if row.get("deleted") is not None:
        return DriveEntry(id_, parent, Sort.GONE)
    packed = row.get("package") is not None or row.get("remoteItem") is not None
    folder = (row.get("folder") is not None or row.get("root") is not None) and not packed
    return DriveEntry(
        id=id_,
        parent="" if row.get("root") is not None else parent,
        sort=Sort.FOLDER if folder else Sort.ITEM,
        name=str(row.get("name") or ""),
        version="" if folder else version_of(row),
        size=number(row.get("size")) or 0,
        modified=modified_of(row),
        shared=bool(row.get("shared")),
    )


def file_of(item: Json) -> File:
    """Return the file that a driveItem describes.

    Raises:
        Rejected: "vanished", "blocked-by-source", "not-a-file".
    """
    if item.get("deleted") is not None:
        raise Rejected("vanished", "no longer at the source")
    file = item.get("file")
    if item.get("package") is not None or item.get("remoteItem") is not None or not isinstance(file, dict):
        raise Rejected("not-a-file", "a notebook or a shortcut, which has no bytes of its own")
    if item.get("malware") is not None:
        raise Rejected("blocked-by-source", "the source calls it malware and does not give it out")
    system, size, quickxor = _system(item), number(item.get("size")), _quickxor(item)
    return File(
        id=str(item.get("id")),
        parent=parent_of(item),
        name=str(item.get("name") or ""),
        version=version_of(item),
        size=size or 0,
        quickxor=quickxor,
        mime=str(file.get("mimeType") or ""),
        url=str(item.get(URL) or ""),
        modified=modified_of(item),
        created=moment(system.get("createdDateTime")) or moment(item.get("createdDateTime")),
        empty=size == 0 and quickxor in {"", OF_NOTHING},
    )


def version_of(row: Json) -> str:
    """Return a version that changes with content, name and date.

    It is not made from tags: a delta leaves the cTag out, and an eTag also changes for reasons that do not
    matter here.
    """
    date = modified_of(row)
    facts = [
        row.get("name"),
        number(row.get("size")),
        _quickxor(row),
        None if date is None else int(date.timestamp() // 1),
    ]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()


def modified_of(row: Json) -> datetime | None:
    """Return the date that people see, by the clock of the writer."""
    return moment(_system(row).get("lastModifiedDateTime")) or moment(row.get("lastModifiedDateTime"))


def parent_of(row: Json) -> str:
    """Return the id of the parent folder, or ""."""
    reference = row.get("parentReference")
    return str(reference.get("id") or "") if isinstance(reference, dict) else ""


def _system(row: Json) -> Json:
    facet = row.get("fileSystemInfo")
    return facet if isinstance(facet, dict) else {}


def _quickxor(row: Json) -> str:
    file = row.get("file")
    hashes = file.get("hashes") if isinstance(file, dict) else None
    return str(hashes.get("quickXorHash") or "") if isinstance(hashes, dict) else ""
