"""Read a right from a record, by the format of the record; and the other rights to the same folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from mappings.rights.ews_right import ews_right
from mappings.rights.graph_right import graph_right
from mappings.rights.listed_right import listed_right
from mappings.rights.one_person import Entry
from mappings.rights.source_right import SourceRight
from model.folder_rights import BESIDE
from model.listed_rights import FORMAT
from model.protocols import Native, Ref

READERS: Mapping[str, Callable[[Native], SourceRight]] = {
    "ews-right": ews_right,
    "graph-right": graph_right,
    FORMAT: listed_right,
}


def read_right(native: Native) -> SourceRight:
    """Return the right that a record states.

    Raises:
        Rejected: "malformed-record".
    """
    return READERS[native.format](native)


def rights_beside(native: Native) -> Iterator[Entry]:
    """Yield the other rights to the folder of a right.

    Raises:
        Rejected: "malformed-record".
    """
    beside = native.properties.get(BESIDE, ())
    for id_, form, body in beside if isinstance(beside, tuple) else ():
        yield Entry(id_, read_right(Native(Ref(id_, ""), form, {}, partial(io.BytesIO, body))))
